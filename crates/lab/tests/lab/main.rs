//! Suites through the whole crate, over a small project of its own and over the examples.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a fixture that breaks is a failed test"
)]

mod examples;
mod expectations;
mod fixture;
mod kinds;
mod names;
mod reports;
mod yaml;
