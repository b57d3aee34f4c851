//! The generated schema as Cedar holds it: made when somebody first asks.
//!
//! It grows with the tools, and deciding does not need it: only the evaluation of every rule does, and the validator of a
//! set that has something wrong.

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

    /// The schema as `make` makes it, or why there is none: the same answer every time.
    pub(crate) fn get_or(&self, make: impl FnOnce() -> Result<Schema, String>) -> Result<&Schema, &str> {
        self.read.get_or_init(make).as_ref().map_err(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_once_is_not_made_again() {
        let made =
            |text: &str| Schema::from_cedarschema_str(text).map(|(schema, _)| schema).map_err(|_| "no".to_owned());
        let bad = LazySchema::new("entity".into());
        assert!(bad.get_or(|| made("entity")).is_err());
        assert!(bad.get_or(|| made("entity A;")).is_err());
        let good = LazySchema::new("entity A;".into());
        assert!(good.get_or(|| made("entity A;")).is_ok());
        assert!(good.get_or(|| made("entity")).is_ok());
    }
}
