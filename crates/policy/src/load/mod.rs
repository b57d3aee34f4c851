//! From policy files to checked rules. Every complaint is a diagnostic with its place.
//!
//! Order: `parse` splits files into policies and names them by `@id`; `annotations` reads the closed vocabulary with
//! `values` for its words; `redaction`, `entities` and `arithmetic` check what Cedar's validator does not;
//! `validation` is that validator; `soundness` says what it and the canary guards have read, so that it need not be read
//! twice.

mod annotations;
mod arithmetic;
mod entities;
mod nearest;
mod parse;
mod redaction;
mod soundness;
mod validation;
mod values;

pub(crate) use annotations::read_rule;
pub(crate) use arithmetic::check_arithmetic;
pub(crate) use entities::{Inventory, check_entities};
pub use parse::prepare;
pub(crate) use parse::{Parsed, parse};
pub(crate) use redaction::check_redactions;
pub(crate) use soundness::soundness;
pub(crate) use validation::validate;
