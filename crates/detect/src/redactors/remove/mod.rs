//! Takes the member out of its object, or the element out of its array.
//!
//! # Why
//!
//! Nothing is left to guess from, not even that there was something. The strictest method, and the right one for
//! optional fields. Where the schema requires the field, the call is refused instead: use `mask` there.
//!
//! # Example
//!
//! `@redact("args.to[].phone:remove")` turns `{"to":[{"name":"Ann","phone":"555"}]}` into `{"to":[{"name":"Ann"}]}`.

use canon::pointer::Edit;
use serde_json::Value;
use vocab::redaction::Method;

use super::Redactor;
use crate::key::PseudonymKey;

/// The entry in [`REDACTORS`](super::REDACTORS).
pub const REDACTOR: Redactor = Redactor { method: Method::Remove, redact };

fn redact(_: &Value, _: &PseudonymKey) -> Edit {
    Edit::Remove
}
