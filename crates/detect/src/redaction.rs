//! A redaction ready to be applied: the term of a `@redact` annotation with its path compiled.

use std::fmt;

use canon::pointer::{FieldPath, FieldPathError};
use thiserror::Error;
use vocab::redaction::{Method, Root};

/// Terms in one annotation.
pub const MAX_REDACTIONS: usize = 64;

/// What is done where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Redaction {
    /// Which half of the call.
    pub root: Root,
    /// Where below the root.
    pub path: FieldPath,
    /// What is done there.
    pub method: Method,
}

/// Why a `@redact` value was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RedactionError {
    /// A term that is none.
    #[error(transparent)]
    Term(#[from] vocab::redaction::RedactionError),
    /// A path that is none.
    #[error(transparent)]
    Path(#[from] FieldPathError),
    /// More than [`MAX_REDACTIONS`] terms.
    #[error("more than {MAX_REDACTIONS} redactions")]
    TooMany,
}

/// Reads the value of a `@redact` annotation: terms separated by commas, each `args.<path>` or `result.<path>` with an
/// optional `:method`, by default `mask`. `args.body, result.items[].email:pseudonymise` is two terms.
///
/// # Errors
/// Names the term that was not understood.
pub fn parse_redactions(text: &str) -> Result<Vec<Redaction>, RedactionError> {
    if text.split(',').count() > MAX_REDACTIONS {
        return Err(RedactionError::TooMany);
    }
    vocab::redaction::parse_redactions(text)?.iter().map(Redaction::try_from).collect()
}

impl TryFrom<&vocab::redaction::Redaction> for Redaction {
    type Error = RedactionError;

    fn try_from(term: &vocab::redaction::Redaction) -> Result<Self, Self::Error> {
        Ok(Self { root: term.root, path: FieldPath::parse(&term.path)?, method: term.method })
    }
}

impl fmt::Display for Redaction {
    /// The term as events name it, with the method always written: `args.body:mask`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = match self.root {
            Root::Args => "args",
            Root::Result => "result",
        };
        write!(f, "{root}.{}:{}", self.path, self.method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms() {
        let terms = parse_redactions("args.body, args.to[]:remove,result.rows[].email:pseudonymise").unwrap();
        let text: Vec<_> = terms.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["args.body:mask", "args.to[]:remove", "result.rows[].email:pseudonymise"]);
    }

    #[test]
    fn what_is_no_term_is_refused() {
        for text in
            ["", "args", "args.", "body", "args.a:hide", "args.a,,args.b", "args.a..b", "args.a[0]", "args.a[]b"]
        {
            assert!(parse_redactions(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_limit_is_inclusive() {
        assert_eq!(parse_redactions(&vec!["args.a"; MAX_REDACTIONS].join(",")).unwrap().len(), MAX_REDACTIONS);
        let error = parse_redactions(&vec!["args.a"; MAX_REDACTIONS + 1].join(",")).unwrap_err();
        assert_eq!(error, RedactionError::TooMany);
    }
}
