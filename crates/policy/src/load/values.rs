//! The words and numbers that annotation values may be.

use super::nearest::nearest;
use crate::vocabulary::{SANDBOX_RIGHTS, SEVERITIES};
use std::collections::BTreeSet;
use vocab::Verdict;

/// Longest `@id`, bytes.
pub(crate) const MAX_ID: usize = 128;
/// Longest `@reason` and `@owner`, characters.
pub(crate) const MAX_TEXT: usize = 500;
/// Most people who can be asked for one call.
pub(crate) const MAX_QUORUM: u32 = 20;
/// Longest wait for an answer: a week.
pub(crate) const MAX_TTL_S: u64 = 7 * 24 * 3600;

/// First parts of ids that Mortise's own reasons use.
const RESERVED: [&str; 4] = ["shipped/", "default/", "inventory/", "mortise/"];

/// What is wrong with a value, what would be right, near words.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) candidates: Vec<String>,
}

fn wrong(message: impl Into<String>, help: impl Into<String>) -> Wrong {
    Wrong { message: message.into(), help: help.into(), candidates: Vec::new() }
}

fn one_of<'a>(value: &str, words: &[&'a str]) -> Result<&'a str, Wrong> {
    words.iter().find(|word| **word == value).copied().ok_or_else(|| Wrong {
        message: format!("`{value}` is not one of {}", list(words)),
        help: format!("write one of {}", list(words)),
        candidates: nearest(value, words.iter().copied()),
    })
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn id(value: &str, shipped: bool) -> Result<(), Wrong> {
    if value.is_empty() {
        return Err(wrong("an empty id", "name the rule, for example `@id(\"desk/no-refunds\")`"));
    }
    let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if value.len() > MAX_ID || !value.chars().all(is_sound) {
        let message = format!("`{value}` is not an id");
        return Err(wrong(message, format!("use up to {MAX_ID} letters, digits, `.`, `_`, `-` and `/`")));
    }
    match RESERVED.iter().find(|reserved| !shipped && value.starts_with(**reserved)) {
        Some(reserved) => Err(wrong(format!("ids with `{reserved}` belong to Mortise"), "choose another first part")),
        None => Ok(()),
    }
}

pub(crate) fn decision(value: &str) -> Result<Verdict, Wrong> {
    let word = one_of(value, &["sandbox", "sanitize", "ask"]).map_err(|wrong| match value {
        "deny" => Wrong { help: "leave `@decision` out: a `forbid` denies".to_owned(), ..wrong },
        _ => wrong,
    })?;
    Ok(Verdict::from_word(word).unwrap_or(Verdict::Deny))
}

pub(crate) fn ask_or_deny(value: &str) -> Result<Verdict, Wrong> {
    let word = one_of(value, &["ask", "deny"])?;
    Ok(Verdict::from_word(word).unwrap_or(Verdict::Deny))
}

pub(crate) fn text(value: &str) -> Result<(), Wrong> {
    if value.trim().is_empty() {
        return Err(wrong("an empty text", "write one sentence"));
    }
    if value.chars().count() > MAX_TEXT || value.chars().any(char::is_control) {
        return Err(wrong(
            "a text that is too long or has control characters",
            format!("write at most {MAX_TEXT} characters in one line"),
        ));
    }
    Ok(())
}

pub(crate) fn sandbox(value: &str) -> Result<BTreeSet<String>, Wrong> {
    value.split(',').map(|word| one_of(word.trim(), SANDBOX_RIGHTS).map(str::to_owned)).collect()
}

pub(crate) fn severity(value: &str) -> Result<&'static str, Wrong> {
    one_of(value, SEVERITIES)
}

pub(crate) fn is_shadow(value: &str) -> Result<bool, Wrong> {
    Ok(one_of(value, &["enforce", "shadow"])? == "shadow")
}

pub(crate) fn quorum(value: &str) -> Result<u32, Wrong> {
    value.parse().ok().filter(|quorum| (1..=MAX_QUORUM).contains(quorum)).ok_or_else(|| {
        wrong(format!("`{value}` is not a number of people"), format!("write a number from 1 to {MAX_QUORUM}"))
    })
}

/// `90s`, `15m`, `8h`, `7d`, as seconds.
pub(crate) fn ttl(value: &str) -> Result<u64, Wrong> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 24 * 3600)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let digits = value.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u64>().ok()?.checked_mul(seconds)
    });
    seconds.filter(|seconds| (1..=MAX_TTL_S).contains(seconds)).ok_or_else(|| {
        wrong(format!("`{value}` is not a duration"), "write a number and a unit, from `1s` to `7d`, for example `15m`")
    })
}

pub(crate) fn approvers(value: &str, known: &[&str]) -> Result<BTreeSet<String>, Wrong> {
    value
        .split(',')
        .map(str::trim)
        .map(|name| match known.contains(&name) {
            true => Ok(name.to_owned()),
            false => Err(Wrong {
                message: format!("`{name}` is neither a group of approvers nor a person"),
                help: "approvers are declared in `mortise.toml` under `[approvers.<name>]`, with their groups"
                    .to_owned(),
                candidates: nearest(name, known.iter().copied()),
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_their_edges() {
        assert!(id(&"a".repeat(MAX_ID), false).is_ok());
        assert!(id(&"a".repeat(MAX_ID + 1), false).is_err());
        assert!(text(&"ä".repeat(MAX_TEXT)).is_ok());
        assert!(text(&"ä".repeat(MAX_TEXT + 1)).is_err());
        assert_eq!(quorum("20").unwrap(), MAX_QUORUM);
        assert!(quorum("21").is_err() && quorum("0").is_err());
        assert_eq!(ttl("7d").unwrap(), MAX_TTL_S);
        for bad in ["604801s", "0s", "5", "m", "+5m", "5 m", "99999999999999999999d"] {
            assert!(ttl(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reserved_ids_are_mortises() {
        assert!(id("shipped/x", false).is_err());
        assert!(id("shipped/x", true).is_ok());
        assert!(id("a b", false).is_err());
    }
}
