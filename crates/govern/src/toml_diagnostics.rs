//! The one place that reads the `toml` crate's messages.
//!
//! The crate gives a byte range but only text for what was found, so its sentences are taken apart here, with a test
//! for each shape: a release that words one differently fails a test instead of degrading a message.

use crate::names::nearest;
use serde::de::DeserializeOwned;
use vocab::Diagnostic;

/// Reads a TOML file as `T`. The complaint names the key or value, never a type of ours.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Box<Diagnostic>> {
    toml::from_str(text).map_err(|error| Box::new(diagnose(file, text, &error)))
}

fn diagnose(file: &str, text: &str, error: &toml::de::Error) -> Diagnostic {
    let message = error.message();
    let complaint = unknown(file, message, "unknown field ", "config/unknown-key", "key")
        .or_else(|| unknown(file, message, "unknown variant ", "config/unknown-word", "word"))
        .or_else(|| missing(file, message))
        .or_else(|| duplicate(file, message))
        .or_else(|| wrong_type(file, message))
        .unwrap_or_else(|| Diagnostic::error("config/syntax", file, format!("not TOML: {}", one_line(message))));
    match error.span() {
        Some(span) => complaint.at(text, (span.start, span.end)),
        None => complaint,
    }
}

/// "unknown field `x`, expected one of `a`, `b`" and "..., expected `a` or `b`" and "..., there are no fields".
fn unknown(file: &str, message: &str, start: &str, code: &'static str, noun: &str) -> Option<Diagnostic> {
    let mut words = backticked(message.strip_prefix(start)?).into_iter();
    let wrong = words.next()?;
    let known: Vec<&str> = words.collect();
    let complaint = Diagnostic::error(code, file, format!("unknown {noun} `{wrong}`"));
    let near = nearest(wrong, known.iter().copied());
    if !near.is_empty() {
        return Some(complaint.with_candidates(near));
    }
    let list: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    Some(if list.is_empty() { complaint } else { complaint.with_help(format!("write one of {}", list.join(", "))) })
}

/// "missing field `x`".
fn missing(file: &str, message: &str) -> Option<Diagnostic> {
    let key = backticked(message.strip_prefix("missing field ")?).into_iter().next()?;
    Some(Diagnostic::error("config/missing-key", file, format!("the key `{key}` is missing")))
}

/// "duplicate key".
fn duplicate(file: &str, message: &str) -> Option<Diagnostic> {
    message
        .starts_with("duplicate key")
        .then(|| Diagnostic::error("config/duplicate-key", file, "a key is given twice"))
}

/// "invalid type: integer `3`, expected a string" and "invalid value: integer `300`, expected u8".
fn wrong_type(file: &str, message: &str) -> Option<Diagnostic> {
    let rest = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .or_else(|| message.strip_prefix("invalid length "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let found = one_line(&found.replace('"', "`"));
    Some(
        Diagnostic::error("config/wrong-type", file, format!("found {}", plain_found(&found)))
            .with_help(format!("write {}", plain_expected(expected))),
    )
}

fn plain_found(found: &str) -> String {
    match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        other => match other.split_once(' ') {
            Some(("string" | "boolean" | "floating", _)) => {
                format!("the {}", other.replacen("floating point", "number", 1))
            }
            Some(("integer", value)) => format!("the number {value}"),
            _ => other.to_owned(),
        },
    }
}

fn plain_expected(expected: &str) -> &str {
    match expected {
        "a string" | "string" => "text in quotes",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "a table",
        "u8" => "a whole number from 0 to 255",
        "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i64" => "a whole number",
        _ if expected.starts_with("struct ") => "a table",
        _ if expected.starts_with("enum ") || expected.contains("variant") => "one word in quotes",
        _ => "a value of another kind",
    }
}

fn backticked(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Deserialize, Debug, Default)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read for its shape")]
    struct Shape {
        listen: String,
        #[serde(default)]
        port: u8,
        #[serde(default)]
        on: bool,
        #[serde(default)]
        many: Vec<String>,
        #[serde(default)]
        word: Option<vocab::Tier>,
        #[serde(default)]
        two: Option<Two>,
        #[serde(default)]
        table: Option<Nothing>,
        #[serde(default)]
        map: BTreeMap<String, Two>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read for its shape")]
    struct Two {
        #[serde(default)]
        left: u64,
        #[serde(default)]
        right: u64,
    }

    fn complaint(text: &str) -> Diagnostic {
        *parse::<Shape>("f.toml", text).unwrap_err()
    }

    fn said(text: &str) -> (&'static str, String, u32, u32) {
        let found = complaint(text);
        (found.code, found.message, found.line, found.column)
    }

    #[test]
    fn unknown_key_among_many_suggests_the_near_one() {
        let found = complaint("listen = \"x\"\nprot = 1\n");
        assert_eq!((found.code, found.line, found.column), ("config/unknown-key", 2, 1));
        assert_eq!(found.message, "unknown key `prot`");
        assert_eq!(found.candidates, ["port"]);
    }

    #[test]
    fn unknown_key_far_from_all_lists_them() {
        let found = complaint("listen = \"x\"\nsomething_else = 1\n");
        assert!(found.help.unwrap().starts_with("write one of `listen`, `port`"));
    }

    #[test]
    fn unknown_key_of_two_and_of_none() {
        let found = complaint("listen = \"x\"\n[two]\nlefft = 1\n");
        assert_eq!((found.candidates, found.line), (vec!["left".to_owned()], 3));
        let found = complaint("listen = \"x\"\n[table]\na = 1\n");
        assert_eq!((found.code, found.help), ("config/unknown-key", None));
        let found = complaint("listen = \"x\"\n[map.k]\nrigth = 1\n");
        assert_eq!((found.candidates, found.line), (vec!["right".to_owned()], 3));
    }

    #[test]
    fn unknown_word_suggests() {
        let found = complaint("listen = \"x\"\nword = \"hihg\"\n");
        assert_eq!((found.code, found.line, found.column), ("config/unknown-word", 2, 8));
        assert_eq!(found.candidates, ["high"]);
    }

    #[test]
    fn missing_key_is_named() {
        assert_eq!(said("port = 1\n").1, "the key `listen` is missing");
    }

    #[test]
    fn duplicate_key_has_its_place() {
        let (code, _, line, _) = said("listen = \"x\"\nlisten = \"y\"\n");
        assert_eq!((code, line), ("config/duplicate-key", 2));
    }

    #[test]
    fn wrong_types_speak_plainly() {
        for (text, message, help) in [
            ("listen = 3", "found the number `3`", "write text in quotes"),
            ("listen = \"x\"\non = \"yes\"", "found the string `yes`", "write `true` or `false`"),
            ("listen = \"x\"\nport = 300", "found the number `300`", "write a whole number from 0 to 255"),
            ("listen = \"x\"\nport = -1", "found the number `-1`", "write a whole number from 0 to 255"),
            ("listen = \"x\"\nport = 1.5", "found the number `1.5`", "write a whole number from 0 to 255"),
            ("listen = \"x\"\nmany = \"a\"", "found the string `a`", "write a list"),
            ("listen = \"x\"\ntwo = 3", "found the number `3`", "write a table"),
            ("listen = \"x\"\non = [1]", "found a list", "write `true` or `false`"),
            ("listen = \"x\"\nmap = true", "found the boolean `true`", "write a table"),
            ("listen = {}", "found a table", "write text in quotes"),
        ] {
            let found = complaint(text);
            assert_eq!((found.message.as_str(), found.help.as_deref()), (message, Some(help)), "{text}");
            assert!(found.line > 0, "{text}");
        }
    }

    #[test]
    fn syntax_errors_have_a_place_and_one_line() {
        for text in ["listen = ", "listen = \"x", "[", "= 3", "listen = \"x\"\nword = high"] {
            let found = complaint(text);
            assert_eq!(found.code, "config/syntax", "{text}: {}", found.message);
            assert!(found.line > 0 && !found.message.contains('\n'), "{text}");
        }
    }
}
