//! A run for people and for machines. Machine formats are a documented interface, the human one is not.

mod human;
mod json;
mod junit;

pub use human::{Tone, human};
pub use json::{json, ndjson};
pub use junit::junit;
pub use vocab::shown::line as printable;
