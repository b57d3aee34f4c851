//! Arguments against a tool's pinned JSON Schema.
//!
//! Schemas never fetch anything: a remote `$ref` fails to compile. Patterns run on a linear engine; a pattern that
//! needs look-around runs on a backtracking one with a small step limit, and running out of steps is a refusal.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// Most complaints listed in one refusal.
const MAX_COMPLAINTS: usize = 5;

/// Steps a backtracking pattern may take on one string.
const BACKTRACK_STEPS: usize = 10_000;

/// A pinned schema, compiled when a value is first checked: most tools of a server are never called, and a start would
/// pay for all of them. A schema that does not compile accepts nothing, and says why, each time.
pub struct Schema {
    text: Arc<Value>,
    compiled: OnceLock<Result<Validator, String>>,
}

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
    /// Takes a pinned schema.
    #[must_use]
    pub const fn new(schema: Arc<Value>) -> Self {
        Self { text: schema, compiled: OnceLock::new() }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// Lists at most five complaints.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Complaint>> {
        let validator = match self.compiled.get_or_init(|| Self::compile(&self.text)) {
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

    fn compile(schema: &Value) -> Result<Validator, String> {
        let linear = jsonschema::options().offline().with_pattern_options(PatternOptions::regex()).build(schema);
        let compiled = linear.or_else(|_| {
            let bounded = PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_STEPS);
            jsonschema::options().offline().with_pattern_options(bounded).build(schema)
        });
        compiled.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn complaints_name_the_place_and_never_the_value() {
        let schema = Schema::new(Arc::new(json!({
            "type": "object", "required": ["to"], "additionalProperties": false,
            "properties": {"to": {"type": "string", "enum": ["a", "b"]}}
        })));
        assert_eq!(schema.check(&json!({"to": "a"})), Ok(()));
        let complaints = schema.check(&json!({"to": "hunter2"})).unwrap_err();
        assert_eq!(complaints[0].at, "/to");
        assert_eq!(complaints[0].keyword, "enum");
        assert!(!format!("{complaints:?}").contains("hunter2"), "{complaints:?}");
    }

    #[test]
    fn remote_references_are_not_fetched_and_accept_nothing() {
        let schema = Schema::new(Arc::new(json!({"$ref": "http://127.0.0.1:9/schema.json"})));
        // The first check compiles, the second finds it compiled: the answer is the same.
        let complaints = [(), ()].map(|()| schema.check(&json!({})).unwrap_err());
        assert_eq!(complaints[0], complaints[1]);
        assert_eq!(complaints[0][0].keyword, "$schema");
    }

    #[test]
    fn a_pattern_that_explodes_is_a_refusal_not_a_hang() {
        let schema = Schema::new(Arc::new(json!({"type": "string", "pattern": "^(?=(a+)+$)b"})));
        let text = format!("{}!", "a".repeat(64));
        assert!(schema.check(&json!(text)).is_err());
    }

    #[test]
    fn threads_share_one_schema() {
        let schema = Schema::new(Arc::new(json!({"type": "string"})));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(schema.check(&json!("x")).is_ok() && schema.check(&json!(1)).is_err()));
            }
        });
    }
}
