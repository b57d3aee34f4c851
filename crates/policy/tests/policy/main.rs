//! The decision point, through its public interface only.

#![expect(clippy::panic, clippy::unwrap_used, clippy::string_slice, reason = "a fixture that breaks is a failed test")]

mod algebra;
mod fail_closed;
mod fixture;
mod index;
mod left_to_cedar;
mod load;
mod redaction;
mod schema;
mod settled;
mod soundness;
mod tightening;
mod verdicts;
