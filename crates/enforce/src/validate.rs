//! Arguments against a tool's pinned JSON Schema.
//!
//! Schemas never fetch anything: a remote `$ref` fails to compile. Patterns run on a linear engine; a pattern that
//! needs look-around runs on a backtracking one with a small step limit, and running out of steps is a refusal.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Most complaints listed in one refusal.
const MAX_COMPLAINTS: usize = 5;

/// Steps a backtracking pattern may take on one string.
const BACKTRACK_STEPS: usize = 10_000;

/// A compiled schema. A schema that does not compile accepts nothing, and says why.
pub struct Schema(Result<Validator, String>);

/// What is wrong with a value: where, and what is expected there. Never the value itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Complaint {
    /// JSON Pointer into the arguments, empty for the whole.
    pub at: String,
    /// The schema keyword that failed.
    pub keyword: String,
    /// What is expected, in words.
    pub expected: String,
}

impl Schema {
    /// Compiles a pinned schema.
    #[must_use]
    pub fn compile(schema: &Value) -> Self {
        let linear = jsonschema::options().offline().with_pattern_options(PatternOptions::regex()).build(schema);
        let compiled = linear.or_else(|_| {
            let bounded = PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_STEPS);
            jsonschema::options().offline().with_pattern_options(bounded).build(schema)
        });
        Self(compiled.map_err(|error| error.to_string()))
    }

    /// Checks a value.
    ///
    /// # Errors
    /// Lists at most five complaints.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Complaint>> {
        let validator = match &self.0 {
            Ok(validator) => validator,
            Err(why) => {
                let expected = format!("the pinned schema does not compile: {why}");
                return Err(vec![Complaint { at: String::new(), keyword: "$schema".to_owned(), expected }]);
            }
        };
        if validator.is_valid(value) {
            return Ok(());
        }
        let complaints = validator.iter_errors(value).take(MAX_COMPLAINTS).map(|error| Complaint {
            at: error.instance_path().to_string(),
            keyword: error.kind().keyword().to_owned(),
            expected: error.masked_with("the value").to_string(),
        });
        Err(complaints.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn complaints_name_the_place_and_never_the_value() {
        let schema = Schema::compile(&json!({
            "type": "object", "required": ["to"], "additionalProperties": false,
            "properties": {"to": {"type": "string", "enum": ["a", "b"]}}
        }));
        assert_eq!(schema.check(&json!({"to": "a"})), Ok(()));
        let complaints = schema.check(&json!({"to": "hunter2"})).unwrap_err();
        assert_eq!(complaints[0].at, "/to");
        assert_eq!(complaints[0].keyword, "enum");
        assert!(!format!("{complaints:?}").contains("hunter2"), "{complaints:?}");
    }

    #[test]
    fn remote_references_are_not_fetched_and_accept_nothing() {
        let schema = Schema::compile(&json!({"$ref": "http://127.0.0.1:9/schema.json"}));
        assert!(schema.check(&json!({})).is_err());
    }

    #[test]
    fn a_pattern_that_explodes_is_a_refusal_not_a_hang() {
        let schema = Schema::compile(&json!({"type": "string", "pattern": "^(?=(a+)+$)b"}));
        let text = format!("{}!", "a".repeat(64));
        assert!(schema.check(&json!(text)).is_err());
    }
}
