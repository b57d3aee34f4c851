//! Puts `[redacted]` in the place of the value.
//!
//! # Why
//!
//! The receiver sees that something was there, and neither what nor how long it was. The default method: it keeps a
//! required field present, so that most calls stay valid against the tool's schema.
//!
//! A mask must never be taken for data. So it is always this text, also for numbers, booleans and objects: `0`, `false`
//! or `{}` would pass the schema and be *acted on* (an amount of 0, a filter that matches all). Where the schema has no
//! room for text, the redacted call is refused, and the policy should name a field inside, or use `remove`.
//!
//! | value | becomes |
//! |---|---|
//! | string, number, boolean, object | `"[redacted]"` |
//! | array | `["[redacted]"]`, still an array and without its length |
//! | empty array, null | stays: nothing is in it |
//!
//! # Example
//!
//! `@redact("args.body")` turns `{"to":"ann","body":"my pin is 1234"}` into `{"to":"ann","body":"[redacted]"}`.

use canon::pointer::Edit;
use serde_json::{Value, json};
use vocab::redaction::Method;

use super::Redactor;
use crate::key::PseudonymKey;

/// What a masked value is replaced by.
pub const MASK: &str = "[redacted]";

/// The entry in [`REDACTORS`](super::REDACTORS).
pub const REDACTOR: Redactor = Redactor { method: Method::Mask, redact };

/// Whether a text is the mask.
pub(crate) fn is_mask(text: &str) -> bool {
    text == MASK
}

fn redact(value: &Value, _: &PseudonymKey) -> Edit {
    match value {
        Value::Null => Edit::Keep,
        Value::String(text) if is_mask(text) => Edit::Keep,
        Value::Array(items) => match items.as_slice() {
            [] => Edit::Keep,
            [Value::String(text)] if is_mask(text) => Edit::Keep,
            _ => Edit::Replace(json!([MASK])),
        },
        _ => Edit::Replace(json!(MASK)),
    }
}
