//! What a `@redact` annotation names: a field and what is done to it.

use serde::{Deserialize, Serialize};

/// Which half of a call the field is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Root {
    /// The arguments.
    Args,
    /// The result.
    Result,
}

/// What is done to the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The member or element is taken out.
    Remove,
    /// The value is replaced by a fixed text.
    Mask,
    /// The value is replaced by a stable, keyed name.
    Pseudonymise,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 3] = [Self::Remove, Self::Mask, Self::Pseudonymise];

    /// The word used in `@redact`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Mask => "mask",
            Self::Pseudonymise => "pseudonymise",
        }
    }
}

/// One term of a `@redact` annotation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Redaction {
    /// Which half of the call.
    pub root: Root,
    /// Path below the root, `body` or `items[].email`.
    pub path: String,
    /// What is done.
    pub method: Method,
}

impl std::fmt::Display for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let root = match self.root {
            Root::Args => "args",
            Root::Result => "result",
        };
        write!(f, "{root}.{}:{}", self.path, self.method.as_str())
    }
}

/// Why a `@redact` value was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactionError {
    /// Nothing between two commas, or nothing at all.
    #[error("empty redaction")]
    Empty,
    /// Does not start with `args.` or `result.`.
    #[error("`{0}` starts neither with `args.` nor with `result.`")]
    Root(String),
    /// Not a method.
    #[error("`{0}` is not one of `remove`, `mask`, `pseudonymise`")]
    Method(String),
    /// Not a path.
    #[error("`{0}` is not a field path")]
    Path(String),
}

/// Parses the value of a `@redact` annotation: terms separated by commas, each `args.<path>` or `result.<path>` with
/// an optional `:method` (default `mask`).
///
/// # Errors
/// Says which term was not understood.
pub fn parse_redactions(text: &str) -> Result<Vec<Redaction>, RedactionError> {
    text.split(',').map(|term| parse_term(term.trim())).collect()
}

fn parse_term(term: &str) -> Result<Redaction, RedactionError> {
    if term.is_empty() {
        return Err(RedactionError::Empty);
    }
    let (path, method) = match term.rsplit_once(':') {
        None => (term, Method::Mask),
        Some((path, word)) => {
            let method = Method::ALL.into_iter().find(|method| method.as_str() == word);
            (path, method.ok_or_else(|| RedactionError::Method(word.to_owned()))?)
        }
    };
    let (root, path) = if let Some(path) = path.strip_prefix("args.") {
        (Root::Args, path)
    } else if let Some(path) = path.strip_prefix("result.") {
        (Root::Result, path)
    } else {
        return Err(RedactionError::Root(term.to_owned()));
    };
    let segment_is_sound = |segment: &str| !segment.trim_end_matches("[]").is_empty();
    if path.len() > 256 || !path.split('.').all(segment_is_sound) {
        return Err(RedactionError::Path(term.to_owned()));
    }
    Ok(Redaction { root, path: path.to_owned(), method })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_round_trip_and_bad_ones_are_named() {
        let terms = parse_redactions("args.body, result.items[].email:pseudonymise").unwrap();
        let text: Vec<String> = terms.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["args.body:mask", "result.items[].email:pseudonymise"]);
        assert_eq!(parse_redactions("args.body,"), Err(RedactionError::Empty));
        assert_eq!(parse_redactions("body"), Err(RedactionError::Root("body".into())));
        assert_eq!(parse_redactions("args.a:hide"), Err(RedactionError::Method("hide".into())));
        assert_eq!(parse_redactions("args.a..b"), Err(RedactionError::Path("args.a..b".into())));
    }
}
