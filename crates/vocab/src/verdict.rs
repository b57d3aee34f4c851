//! The five graduated answers.

use serde::{Deserialize, Serialize};

/// What the decision point answers to one call, ordered from loosest to strictest.
///
/// Exhaustive on purpose: a sixth verdict must break every place that enforces one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Forwarded unchanged.
    Allow,
    /// Runs confined, or in the tool's dry-run twin; the result says so.
    Sandbox,
    /// Listed fields are redacted, then the call is decided once more.
    Sanitize,
    /// The stored call waits for a person.
    Ask,
    /// Refused, with the rule and how to request the privilege.
    Deny,
}

impl Verdict {
    /// All verdicts, loosest first.
    pub const ALL: [Self; 5] = [Self::Allow, Self::Sandbox, Self::Sanitize, Self::Ask, Self::Deny];

    /// The word used in configuration, events and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Sandbox => "sandbox",
            Self::Sanitize => "sanitize",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }

    /// The verdict a word names, or `None`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == word)
    }

    /// The stricter of two verdicts: the join of the lattice.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        self.max(other)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictest_wins_whatever_the_order() {
        assert_eq!(Verdict::Sandbox.join(Verdict::Ask), Verdict::Ask);
        assert_eq!(Verdict::Deny.join(Verdict::Allow), Verdict::Deny);
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::from_word(verdict.as_str()), Some(verdict));
        }
    }
}
