//! Names an operator may give: one spelling each, so that two names that look alike cannot be two things.

use vocab::Diagnostic;

/// Longest name of an agent, server or approver, in bytes. Longer ones do not fit a refusal's one line.
pub const MAX_NAME_BYTES: usize = 64;

/// Longest tool, prompt or argument name, in bytes: the length MCP recommends as the most for tool names.
pub const MAX_TOOL_NAME_BYTES: usize = 128;

/// Whether a word is a canonical name: `[a-z0-9][a-z0-9_-]*`, at most [`MAX_NAME_BYTES`].
#[must_use]
pub fn is_canonical(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= MAX_NAME_BYTES
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-')
}

/// Whether a server may call a tool, prompt or argument this: anything visible, at most [`MAX_TOOL_NAME_BYTES`].
#[must_use]
pub fn is_tool_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_TOOL_NAME_BYTES && !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// The known names nearest to a wrong one, best first, at most three.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let allowed = (wrong.chars().count() / 3).max(2);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Adds near names to a complaint about an unknown one; without any, says what there is.
pub(crate) fn suggest<'a>(
    complaint: Diagnostic,
    wrong: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let near = nearest(wrong, known.clone());
    if !near.is_empty() {
        return complaint.with_candidates(near);
    }
    let all: Vec<String> = known.into_iter().take(9).map(|name| format!("`{name}`")).collect();
    match (complaint.help.is_some(), all.len()) {
        (true, _) | (_, 0) => complaint,
        (false, 9) => complaint.with_help(format!("known are {} and more", all.get(..8).unwrap_or(&all).join(", "))),
        (false, _) => complaint.with_help(format!("known are {}", all.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_names_have_one_spelling() {
        for good in ["a", "0", "support-bot", "a_b", &"x".repeat(MAX_NAME_BYTES)] {
            assert!(is_canonical(good), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a b", "a/b", "ä", "a\u{200b}", &"x".repeat(MAX_NAME_BYTES + 1)] {
            assert!(!is_canonical(bad), "{bad}");
        }
    }

    #[test]
    fn tool_names_are_free_but_bounded() {
        for good in ["search", "Search.v2", "a/b", "ä", &"x".repeat(MAX_TOOL_NAME_BYTES)] {
            assert!(is_tool_name(good), "{good}");
        }
        for bad in ["", "a b", "a\n", "\u{7f}", &"x".repeat(MAX_TOOL_NAME_BYTES + 1)] {
            assert!(!is_tool_name(bad), "{bad}");
        }
    }

    #[test]
    fn nearest_is_sorted_and_short() {
        assert_eq!(nearest("clse", ["close", "search", "clone"]), ["close", "clone"]);
        assert!(nearest("zzz", ["close"]).is_empty());
        assert_eq!(nearest("aa", ["ab", "ac", "ad", "ae"]).len(), 3);
    }
}
