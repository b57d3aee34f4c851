//! From the tools' own JSON Schemas to a Cedar schema, and to the shapes by which values enter a request.
//!
//! What Cedar cannot express is left out of what policies see and listed, never an error: JSON Schema validation
//! still holds it. Order: `json` reads one schema, `actions` lists what can be called, `text` writes `.cedarschema`.

mod actions;
mod json;
mod text;

pub(crate) use actions::{ActionShape, Actions, INERT_ACTION, actions, groups};
pub use json::Invisible;
pub(crate) use json::{RecordShape, Shape};
pub(crate) use text::schema_text;
