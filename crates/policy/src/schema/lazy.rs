//! The generated schema as Cedar reads it: parsed when somebody first asks.
//!
//! Reading it costs more than everything else of a load together, and deciding does not need it: only the validator
//! and the evaluation of every rule do.

use cedar_policy::Schema;
use std::sync::{Arc, OnceLock};

/// The schema's text, and the schema once it was asked for. Threads share one reading.
#[derive(Debug)]
pub(crate) struct LazySchema {
    text: Arc<str>,
    read: OnceLock<Result<Schema, String>>,
}

impl LazySchema {
    /// Takes the text; reads nothing.
    pub(crate) fn new(text: Arc<str>) -> Self {
        Self { text, read: OnceLock::new() }
    }

    /// The text.
    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The schema, or why the text is none: the same answer every time.
    pub(crate) fn get(&self) -> Result<&Schema, &str> {
        self.get_or(|| match Schema::from_cedarschema_str(&self.text) {
            Ok((schema, _warnings)) => Ok(schema),
            Err(error) => Err(error.to_string()),
        })
    }

    /// As [`Self::get`], for a caller that can make it in a cheaper way than by reading the text.
    pub(crate) fn get_or(&self, make: impl FnOnce() -> Result<Schema, String>) -> Result<&Schema, &str> {
        self.read.get_or_init(make).as_ref().map_err(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_schema_is_an_error_each_time() {
        let schema = LazySchema::new("entity".into());
        assert!(schema.get().is_err());
        assert!(schema.get().is_err());
        assert!(LazySchema::new("entity A;".into()).get().is_ok());
    }
}
