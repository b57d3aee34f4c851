//! Strict JSON: one reading of a message, the same for us and for whoever gets it next.
//!
//! [`scan`] validates bytes without building anything, [`parse`] builds a value from what [`scan`] accepted, and
//! [`canonical`] writes a value as the one text that digests are taken over.

mod canonical;
mod cursor;
mod error;
mod keys;
mod limits;
mod number;
mod parse;
mod scan;
mod text;

#[cfg(test)]
pub(crate) mod arbitrary;

pub use canonical::{canonical, write_canonical};
pub use error::{JsonError, JsonErrorKind};
pub use limits::{DEFAULT_BYTES, DEFAULT_DEPTH, Limits, PARSE_DEPTH};
pub use parse::parse;
pub use scan::{Kind, Scan, scan};
