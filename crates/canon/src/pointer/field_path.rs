//! The path itself and its text form.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Bytes of a path's text.
pub const MAX_BYTES: usize = 256;

/// Steps of a path, member names and `[]` together. Walks recurse once per step.
pub const MAX_SEGMENTS: usize = 32;

/// A path below some value: member names separated by dots, each followed by `[]` for every level of arrays to go
/// through. A name with one of `. [ ] : ,`, or with a control character, cannot be written: name the member around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath {
    segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The member of this name.
    Member(String),
    /// Each element of an array.
    Each,
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldPathError {
    /// No name where there must be one.
    #[error("empty name in path `{0}`")]
    EmptyName(String),
    /// A character that names in paths do not have.
    #[error("unexpected `{}` in path `{path}`", found.escape_debug())]
    Unexpected {
        /// The path as given.
        path: String,
        /// The character.
        found: char,
    },
    /// More than [`MAX_BYTES`] bytes.
    #[error("path longer than {MAX_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_SEGMENTS`] steps.
    #[error("path with more than {MAX_SEGMENTS} steps")]
    TooManySteps,
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, FieldPathError> {
        if text.len() > MAX_BYTES {
            return Err(FieldPathError::TooLong);
        }
        let mut segments = Vec::new();
        for part in text.split('.') {
            let name = part.trim_end_matches("[]");
            if name.is_empty() {
                return Err(FieldPathError::EmptyName(text.to_owned()));
            }
            if let Some(found) = name.chars().find(|c| matches!(c, '[' | ']' | ':' | ',') || c.is_control()) {
                return Err(FieldPathError::Unexpected { path: text.to_owned(), found });
            }
            segments.push(Segment::Member(name.to_owned()));
            segments.extend(std::iter::repeat_n(Segment::Each, (part.len() - name.len()) / 2));
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(FieldPathError::TooManySteps);
        }
        Ok(Self { segments })
    }

    /// The steps in order, at least one; the first is a member.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Member(name) if index == 0 => f.write_str(name)?,
                Segment::Member(name) => write!(f, ".{name}")?,
                Segment::Each => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_array_steps() {
        let path = FieldPath::parse("args.rows[][].e-mail").unwrap();
        let member = |name: &str| Segment::Member(name.to_owned());
        assert_eq!(path.segments(), [member("args"), member("rows"), Segment::Each, Segment::Each, member("e-mail")]);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "[]", "a.[]"] {
            assert_eq!(FieldPath::parse(text), Err(FieldPathError::EmptyName(text.to_owned())));
        }
        for (text, found) in [("a[0]", '['), ("a[]b", '['), ("a]", ']'), ("a:mask", ':'), ("a,b", ','), ("a\n", '\n')] {
            assert_eq!(FieldPath::parse(text), Err(FieldPathError::Unexpected { path: text.to_owned(), found }));
        }
    }

    #[test]
    fn limits_are_inclusive() {
        assert!(FieldPath::parse(&"a".repeat(MAX_BYTES)).is_ok());
        assert_eq!(FieldPath::parse(&"a".repeat(MAX_BYTES + 1)), Err(FieldPathError::TooLong));
        assert!(FieldPath::parse(&vec!["a"; MAX_SEGMENTS].join(".")).is_ok());
        assert_eq!(FieldPath::parse(&vec!["a"; MAX_SEGMENTS + 1].join(".")), Err(FieldPathError::TooManySteps));
        assert_eq!(FieldPath::parse(&format!("a{}", "[]".repeat(MAX_SEGMENTS))), Err(FieldPathError::TooManySteps));
    }

    proptest! {
        #[test]
        fn text_round_trips(text in r"[a-z$ é]{1,4}(\[\]){0,2}(\.[a-z_-]{1,4}(\[\]){0,2}){0,4}") {
            prop_assert_eq!(FieldPath::parse(&text).unwrap().to_string(), text);
        }
    }
}
