//! Redactors: what must not be passed on is taken out, masked, or given another name.
//!
//! Contains no I/O, no clock, no randomness and no decision: which fields are redacted is said by policy, the key of
//! pseudonyms is an argument, and whether a redacted call may still run is decided by whoever asked.
//!
//! A redactor is one folder of `redactors/`: its reasons, its code and its cases.

mod apply;
mod key;
mod redaction;
pub mod redactors;

pub use apply::{Applied, apply};
pub use key::PseudonymKey;
pub use redaction::{MAX_REDACTIONS, Redaction, RedactionError, parse_redactions};
pub use vocab::redaction::{Method, Root};
