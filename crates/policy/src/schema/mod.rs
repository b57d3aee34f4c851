//! From the tools' own JSON Schemas to a Cedar schema, and to the shapes by which values enter a request.
//!
//! What Cedar cannot express is left out of what policies see and listed, never an error: JSON Schema validation
//! still holds it. Order: `json` reads one schema, `actions` lists what can be called, `text` writes `.cedarschema`,
//! `assembled` is the same as Cedar holds it, with `fixed` for what is the same in every project, `lazy` keeps it once it
//! was asked for; `kinds` finds the actions that are enough to validate a set of rules.

mod actions;
mod assembled;
mod fixed;
mod json;
mod kinds;
mod lazy;
mod text;

pub(crate) use actions::{ActionShape, Actions, INERT_ACTION, actions, groups};
pub(crate) use assembled::assembled;
pub use json::Invisible;
pub(crate) use json::{RecordShape, Shape};
pub(crate) use kinds::kinds;
pub(crate) use lazy::LazySchema;
pub(crate) use text::schema_text;
