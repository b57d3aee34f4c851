//! The JSON Schema of a suite, from the same types the parser uses, for editors.

use super::format::SuiteFile;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use vocab::{Authn, Confidentiality, Integrity, Mode, Origin, Verdict};

/// The JSON Schema (2020-12) of a suite file.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(SuiteFile).to_value()
}

pub(super) fn verdicts(_: &mut SchemaGenerator) -> Schema {
    one_of(&Verdict::ALL.map(Verdict::as_str))
}

pub(super) fn authns(_: &mut SchemaGenerator) -> Schema {
    one_of(&words(Authn::ALL, Authn::as_str))
}

pub(super) fn integrities(_: &mut SchemaGenerator) -> Schema {
    one_of(&words(Integrity::ALL, Integrity::as_str))
}

pub(super) fn modes(_: &mut SchemaGenerator) -> Schema {
    one_of(&words(Mode::ALL, Mode::as_str))
}

pub(super) fn confidentialities(_: &mut SchemaGenerator) -> Schema {
    any_of(&words(Confidentiality::ALL, Confidentiality::as_str))
}

pub(super) fn finding_kinds(_: &mut SchemaGenerator) -> Schema {
    any_of(policy::FINDING_KINDS)
}

pub(super) fn origins_by_argument(_: &mut SchemaGenerator) -> Schema {
    let origins = any_of(&words(Origin::ALL, Origin::as_str));
    json_schema!({ "type": "object", "additionalProperties": origins })
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|item| word(*item)).collect()
}

fn one_of(words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": words })
}

fn any_of(words: &[&str]) -> Schema {
    json_schema!({ "type": "array", "items": one_of(words), "uniqueItems": true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn accepts(suite: &Value) -> bool {
        jsonschema::validator_for(&schema()).unwrap().is_valid(suite)
    }

    #[test]
    fn the_schema_accepts_what_the_parser_accepts_and_names_every_word() {
        let case = |more: Value| {
            let mut case = json!({"name": "n", "kind": "safety", "call": "desk/close", "expect": "deny"});
            case.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"suite": "s", "agent": "a", "cases": [case]})
        };
        assert!(accepts(&case(json!({}))));
        assert!(accepts(&case(
            json!({"facts": {"labels": {"confidentiality": ["secret"], "integrity": "third_party"},
            "findings": {"worst": "high", "kinds": ["secret"]}, "origins": {"to": ["request"]}}})
        )));
        assert!(!accepts(&case(json!({"expct": "deny"}))));
        assert!(!accepts(&case(json!({"expect": "maybe"}))));
        assert!(!accepts(&case(json!({"args": []}))));
        assert!(!accepts(&case(json!({"facts": {"confidence": 101}}))));
        assert!(!accepts(&case(json!({"facts": {"labels": {"integrity": "bad"}}}))));
        assert!(!accepts(&case(json!({"facts": {"findings": {"worst": "grave"}}}))));
        assert!(!accepts(&json!({"suite": "s", "cases": []})));
    }
}
