//! Suites through the whole crate, over a small project of its own and over the examples.

mod examples;
mod expectations;
mod fixture;
mod kinds;
mod names;
mod reports;
mod yaml;
