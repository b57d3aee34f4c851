//! The parser's errors in our words.
//!
//! Only the parts of an error are read, never its text: a release of the parser that words something differently
//! changes nothing here.

use super::arguments::TOO_LARGE;
use super::read::{MAX_DEPTH, place};
use govern::names::nearest;
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;
use vocab::Diagnostic;

/// Longest text from the file that a message repeats, in bytes.
const MAX_SHOWN: usize = 40;

/// One complaint about a file that could not be read.
pub(super) fn diagnose(file: &str, text: &str, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let location = error.locations().and_then(serde_saphyr::Locations::primary_location).or_else(|| error.location());
    let place = location.map(|location| place(&location));
    let found = place.and_then(|(_, _, span)| word_at(text, span?)).unwrap_or("a value");
    let complaint = complaint(file, found, innermost(error));
    match place {
        Some((line, column, span)) if line > 0 => Diagnostic { line, column, span, ..complaint },
        // The parser knows no place when the file ends too early.
        _ if matches!(error, Error::Eof { .. }) => complaint.at(text, (text.len(), text.len())),
        _ => complaint,
    }
}

/// An error below an alias is the error itself; the place is that of the alias.
fn innermost(error: &Error) -> &Error {
    match error {
        Error::AliasError { error, .. } => innermost(error.without_snippet()),
        error => error,
    }
}

/// The word the parser stumbled over, if it is one.
fn word_at(text: &str, (start, end): (usize, usize)) -> Option<&str> {
    let word = text.get(start..end)?;
    let is_word = !word.is_empty() && word.len() <= MAX_SHOWN && !word.chars().any(char::is_control);
    is_word.then_some(word)
}

fn complaint(file: &str, found: &str, error: &Error) -> Diagnostic {
    let wrong_type = |message: String| Diagnostic::error("tests/wrong-type", file, message);
    let wrong_kind = |expected: &str| {
        let found = match found {
            "a value" => found.to_owned(),
            "[" | "-" => "a list".to_owned(),
            "{" => "a map".to_owned(),
            word => format!("`{word}`"),
        };
        wrong_type(format!("{found} is of the wrong kind")).with_help(format!("write {}", plain(expected)))
    };
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            unknown(file, "tests/unknown-key", format!("unknown key `{field}`"), field, expected)
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            unknown(file, "tests/unknown-word", format!("unknown word `{variant}`"), variant, expected)
        }
        Error::SerdeMissingField { field, .. } => {
            Diagnostic::error("tests/missing-key", file, format!("the key `{field}` is missing"))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_ref().map_or_else(|| "a key".to_owned(), |key| format!("the key `{key}`"));
            Diagnostic::error("tests/duplicate-key", file, format!("{key} is given twice"))
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => wrong_kind(expected),
        Error::Unexpected { expected, .. } => wrong_kind(expected),
        Error::InvalidScalar { ty, .. } => wrong_kind(ty),
        Error::ExpectedStringKeyForExternallyTaggedEnum { .. }
        | Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::UnexpectedValueForUnitEnumVariant { .. } => wrong_kind("enum "),
        Error::InvalidBooleanStrict { .. } => {
            wrong_type(format!("`{found}` is not a truth value")).with_help("write `true` or `false`")
        }
        Error::NullIntoString { .. } => {
            wrong_type("nothing where text is needed".to_owned()).with_help("write text, or leave the key out")
        }
        Error::QuotingRequired { value, .. } => {
            wrong_type(format!("`{value}` is not text")).with_help("put it in quotes if text is meant")
        }
        Error::NonFiniteFloat { value, .. } => wrong_type(format!("`{value}` is not a number JSON can hold")),
        Error::Message { msg, .. } if msg == TOO_LARGE => wrong_type(TOO_LARGE.to_owned()),
        Error::UnsupportedTag { tag, .. } | Error::TaggedStructFieldName { tag, .. } => {
            Diagnostic::error("tests/tag", file, format!("the tag `{tag}` means nothing here"))
                .with_help("leave the tag out; text that begins with `!` stands in quotes")
        }
        Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            Diagnostic::error("tests/tag", file, "a tag on a value that is text").with_help("leave the tag out")
        }
        Error::MergeKeyNotAllowed { .. } | Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            Diagnostic::error("tests/merge-key", file, "merge keys (`<<`) are not read")
                .with_help("write the keys out, or share a whole value with an alias")
        }
        Error::MultipleDocuments { .. } | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            Diagnostic::error("tests/documents", file, "more than one document (`---`)")
                .with_help("one file is one suite: put the second into a file of its own")
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => {
            Diagnostic::error("tests/aliases", file, "aliases that unfold to more than a suite may hold")
        }
        Error::UnknownAnchor { .. } => Diagnostic::error("tests/aliases", file, "an alias without its anchor"),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            Diagnostic::error("tests/too-deep", file, format!("nested deeper than {MAX_DEPTH} levels"))
        }
        Error::Budget { .. } => Diagnostic::error("tests/too-much", file, "more than a suite may hold"),
        Error::Eof { .. } => Diagnostic::error("tests/syntax", file, "the file is empty, or ends too early"),
        Error::InvalidUtf8Input => Diagnostic::error("tests/syntax", file, "not UTF-8"),
        Error::ExternalMessage { msg, .. } => Diagnostic::error("tests/syntax", file, format!("not YAML: {msg}")),
        Error::Message { msg, .. } => Diagnostic::error("tests/syntax", file, msg.clone()),
        _ => Diagnostic::error("tests/syntax", file, "not what a suite is made of")
            .with_help("the JSON Schema of suites says what is: `schemas/suite.json`"),
    }
}

fn unknown(file: &str, code: &'static str, message: String, wrong: &str, known: &[&'static str]) -> Diagnostic {
    let complaint = Diagnostic::error(code, file, message);
    let near = nearest(wrong, known.iter().copied());
    if !near.is_empty() {
        return complaint.with_candidates(near);
    }
    let list: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    complaint.with_help(format!("write one of {}", list.join(", ")))
}

/// What is expected, without the names of our types. A name that is not known says less, never something wrong.
fn plain(expected: &str) -> &'static str {
    match expected {
        "a string" | "string" | "String" | "str" | "string scalar" => "text",
        "a boolean" | "boolean" | "bool" => "`true` or `false`",
        "u8" => "a whole number from 0 to 255",
        "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "a sequence" | "sequence" | "sequence start" | "a set" => "a list",
        "a map" | "map" | "mapping" | "mapping start" => "keys with values",
        _ if expected.starts_with("struct ") => "keys with values",
        _ if expected.starts_with("enum ") || expected.contains("variant") => "one word",
        _ => "a value of another kind",
    }
}
