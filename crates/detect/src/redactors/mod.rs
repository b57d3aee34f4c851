//! The redactors: one folder each, all of them in [`REDACTORS`].
//!
//! To add one: a variant of [`Method`], a folder with `mod.rs` (documented under `# Why` and `# Example`) and
//! `cases.json`, and a line in the array. The tests below read the directory and fail on whatever is missing.

pub mod mask;
pub mod pseudonymise;
pub mod remove;

use canon::pointer::Edit;
use serde_json::Value;
use vocab::redaction::Method;

use crate::key::PseudonymKey;

/// One way to redact.
#[derive(Debug)]
pub struct Redactor {
    /// The method it carries out. Its word is also the name of the folder.
    pub method: Method,
    /// What becomes of a value. Given its own output, or that of a stricter method, it answers [`Edit::Keep`].
    pub redact: fn(&Value, &PseudonymKey) -> Edit,
}

/// All redactors, strictest first.
pub static REDACTORS: &[Redactor] = &[remove::REDACTOR, mask::REDACTOR, pseudonymise::REDACTOR];

/// The redactor of a method. Exhaustive, so that a new method does not compile without one.
pub const fn redactor(method: Method) -> &'static Redactor {
    match method {
        Method::Remove => &remove::REDACTOR,
        Method::Mask => &mask::REDACTOR,
        Method::Pseudonymise => &pseudonymise::REDACTOR,
    }
}

/// Whether a value is what a redactor puts in the place of another.
pub(crate) fn is_redacted(value: &Value, key: &PseudonymKey) -> bool {
    match value {
        Value::String(text) => mask::is_mask(text) || pseudonymise::is_pseudonym(text, key),
        Value::Array(items) => !items.is_empty() && items.iter().all(|item| is_redacted(item, key)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Root, apply, parse_redactions};
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    /// The key that the cases were written with.
    fn key() -> PseudonymKey {
        PseudonymKey::new([0x2a; 32])
    }

    fn directory() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/redactors")
    }

    fn read(name: &str, file: &str) -> String {
        let path = directory().join(name).join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    #[test]
    fn every_folder_is_listed_and_every_entry_has_a_folder() {
        let folders: BTreeSet<String> = std::fs::read_dir(directory())
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        let listed: BTreeSet<String> = REDACTORS.iter().map(|r| r.method.as_str().to_owned()).collect();
        assert_eq!(folders, listed);
        assert_eq!(REDACTORS.len(), Method::ALL.len());
        for method in Method::ALL {
            assert_eq!(redactor(method).method, method);
        }
    }

    #[test]
    fn strictest_first() {
        assert!(REDACTORS.iter().map(|redactor| redactor.method).is_sorted());
    }

    #[test]
    fn every_redactor_is_documented() {
        for redactor in REDACTORS {
            let name = redactor.method.as_str();
            let code = read(name, "mod.rs");
            assert!(code.starts_with("//! "), "{name}: no opening sentence");
            for heading in ["//! # Why", "//! # Example"] {
                assert!(code.lines().any(|line| line == heading), "{name}: no `{heading}`");
            }
        }
    }

    #[test]
    fn every_redactor_passes_its_cases() {
        for redactor in REDACTORS {
            let name = redactor.method.as_str();
            let cases: Value = serde_json::from_str(&read(name, "cases.json")).unwrap();
            for sign in ["positive", "negative"] {
                let cases = cases[sign].as_array().unwrap_or_else(|| panic!("{name}: no {sign} cases"));
                assert!(!cases.is_empty(), "{name}: no {sign} cases");
                for case in cases {
                    run(name, sign, case);
                }
            }
        }
    }

    fn run(name: &str, sign: &str, case: &Value) {
        let what = format!("{name}, {sign}: {}", case["what"].as_str().unwrap());
        let redactions = parse_redactions(case["redact"].as_str().unwrap()).unwrap();
        assert!(redactions.iter().all(|redaction| redaction.method.as_str() == name), "{what}: another method");
        let mut value = case["before"].clone();
        let applied = apply(Root::Args, &mut value, &redactions, &key());
        let count: u64 = applied.iter().map(|applied| applied.count).sum();
        // A negative case says what must stay as it is, so it has no `after`.
        let after = if sign == "positive" { &case["after"] } else { &case["before"] };
        assert_eq!(&value, after, "{what}");
        assert_eq!(count > 0, sign == "positive", "{what}: {count} changes");
        assert!(sign == "positive" || case.get("after").is_none(), "{what}: a negative case with `after`");
    }
}
