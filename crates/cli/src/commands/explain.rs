//! `mortise explain CODE`: what a code in brackets means, and what to do about it.

mod calls;
mod control;
mod policies;
mod project;
mod search;
mod suites;

use crate::failure::{Failure, Outcome};
use crate::output::Output;
use govern::names::nearest;
use serde_json::json;
use vocab::Exit;

/// A code and its text.
type Entry = (&'static str, &'static str);

/// Every code, by where it comes from.
const TABLES: [&[Entry]; 6] =
    [project::CODES, policies::CODES, suites::CODES, control::CODES, calls::CODES, search::CODES];

/// Explains a code.
pub fn run(output: &Output, code: &str) -> Outcome {
    let code = code.trim().trim_matches(['[', ']', '`']);
    let Some((known, text)) = find(code) else {
        let near: Vec<String> = near(code).iter().map(|name| format!("`{name}`")).collect();
        let help = match near.as_slice() {
            [] => "codes stand in brackets after `error` and `warning`, and as the rule of a refused call".to_owned(),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        return Err(Failure::new(Exit::Nothing, format!("there is no code `{code}`")).with_help(help));
    };
    if output.is_human() {
        output.line(output.bold(known));
        output.line("");
        output.line(text);
    } else {
        output.json(&json!({ "code": known, "text": text }));
    }
    Ok(Exit::Ok)
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLES.into_iter().flatten()
}

/// The entry of a code; for one that names an agent or a tool, that of its kind.
fn find(code: &str) -> Option<&'static Entry> {
    let exact = entries().find(|(known, _)| *known == code);
    exact.or_else(|| {
        let named = |known: &str| {
            let (kind, rest) = known.split_once('/')?;
            let upper = rest.chars().all(|c| c.is_ascii_uppercase() || c == '/');
            // `schema/SERVER/TOOL` must not catch a misspelt `schema/duplicat`.
            let given = code.strip_prefix(kind)?.strip_prefix('/')?;
            Some(upper && !given.is_empty() && (!rest.contains('/') || given.contains(['/', '#'])))
        };
        entries().find(|(known, _)| named(known) == Some(true))
    })
}

fn near(code: &str) -> Vec<String> {
    let close = nearest(code, entries().map(|(known, _)| *known));
    if !close.is_empty() {
        return close;
    }
    // Half remembered: `unknown-annotation` without what stands before the slash.
    let part = |known: &&str| !code.is_empty() && known.split('/').any(|part| part == code);
    entries().map(|(known, _)| *known).filter(part).take(3).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    /// What a code may begin with.
    const KINDS: [&str; 28] = [
        "access",
        "agent",
        "approval",
        "approver",
        "builtin",
        "caller",
        "config",
        "control",
        "default",
        "export",
        "fault",
        "keys",
        "limits",
        "listen",
        "lock",
        "log",
        "policy",
        "project",
        "retention",
        "run",
        "sandbox",
        "sanitize",
        "schema",
        "search",
        "server",
        "shipped",
        "tests",
        "tool",
    ];

    /// Looks like a code and is none: a method of MCP.
    const OTHERS: [&str; 1] = ["server/discover"];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") && path.file_name().unwrap() != "tests.rs" {
                found.push(path);
            }
        }
    }

    fn is_code(text: &str) -> bool {
        let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        text.split_once('/').is_some_and(|(kind, rest)| {
            KINDS.contains(&kind) && word(rest) && !rest.ends_with('-') && !OTHERS.contains(&text)
        })
    }

    /// Every string literal that is a code, outside tests, with the file it is in.
    fn codes_in_sources() -> BTreeMap<String, PathBuf> {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for name in ["policy", "govern", "lab", "gateway", "enforce", "store"] {
            sources(&crates.join(name).join("src"), &mut files);
        }
        let mut codes = BTreeMap::new();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            codes.extend(text.split('"').filter(|word| is_code(word)).map(|word| (word.to_owned(), file.clone())));
        }
        codes
    }

    #[test]
    fn every_code_is_explained() {
        let codes = codes_in_sources();
        assert!(codes.len() > 90, "the sources were read: {}", codes.len());
        let known: BTreeSet<&str> = entries().map(|(code, _)| *code).collect();
        let missing: Vec<_> = codes.iter().filter(|(code, _)| !known.contains(code.as_str())).collect();
        assert!(missing.is_empty(), "without a text: {missing:?}");
    }

    #[test]
    fn no_text_is_left_over() {
        let codes = codes_in_sources();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/src/shipped.cedar");
        let shipped = std::fs::read_to_string(shipped).unwrap();
        for (code, _) in entries().filter(|(code, _)| !code.chars().any(char::is_uppercase)) {
            assert!(codes.contains_key(*code) || shipped.contains(&format!("\"{code}\"")), "nothing says {code}");
        }
    }

    #[test]
    fn guards_that_come_with_mortise_are_explained() {
        let bundle = policy::compile(&[], &policy::Shapes::default()).bundle.unwrap();
        for rule in bundle.rules() {
            assert!(find(rule.id.as_str()).is_some(), "{}", rule.id);
        }
    }

    #[test]
    fn texts_are_sentences_and_codes_stand_once() {
        let mut seen = BTreeSet::new();
        for (code, text) in entries() {
            assert!(seen.insert(code), "{code} stands twice");
            assert!(text.len() > 60 && text.ends_with('.') && !text.contains("\n\n\n"), "{code}: {text}");
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{code} has a long line");
        }
    }

    #[test]
    fn codes_that_name_something_are_found_by_their_kind() {
        assert_eq!(find("inventory/support-bot").unwrap().0, "inventory/AGENT");
        assert_eq!(find("schema/desk/close_ticket").unwrap().0, "schema/SERVER/TOOL");
        assert_eq!(find("schema/duplicate").unwrap().0, "schema/duplicate");
        assert!(find("schema/duplicat").is_none() && find("inventory/").is_none() && find("").is_none());
    }

    #[test]
    fn a_wrong_code_finds_its_neighbours() {
        assert_eq!(near("policy/unknwon-annotation")[0], "policy/unknown-annotation");
        assert_eq!(near("unknown-annotation"), ["policy/unknown-annotation"]);
        assert!(near("something/else-entirely").is_empty());
    }
}
