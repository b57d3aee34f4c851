//! Places inside a value, as policies name them: `args.body`, `args.items[].email`, `result.content[].text`.
//!
//! A [`FieldPath`] says where; [`FieldPath::visit`] reads what is there and [`FieldPath::edit`] changes it.

mod edit;
mod field_path;

pub use edit::{Edit, Place};
pub use field_path::{FieldPath, FieldPathError, MAX_BYTES, MAX_SEGMENTS, Segment};
