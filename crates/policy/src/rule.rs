//! One loaded rule: a permit rule or a guard, with its annotations read.

use std::sync::Arc;
use vocab::id::{Digest, RuleId};
use vocab::redaction::Redaction;
use vocab::{Obligations, Place, Verdict};

/// A permit rule or guard.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its `@id`.
    pub id: RuleId,
    /// Permit rule or guard.
    pub kind: RuleKind,
    /// Whether it binds or is only recorded.
    pub mode: RuleMode,
    /// Comes with Mortise and binds in every mode of an agent.
    pub shipped: bool,
    /// `@reason`.
    pub reason: Option<Arc<str>>,
    /// Where it is written; `None` for what is not in a file.
    pub place: Option<Place>,
    /// Byte range in its file.
    pub span: (usize, usize),
    /// What it asks to be done.
    pub obligations: Obligations,
    /// The terms of `@redact`.
    pub redactions: Vec<Redaction>,
    /// `@uncertain`: the verdict when it matches and the agent is uncertain.
    pub uncertain: Option<Verdict>,
    /// `@severity`.
    pub severity: Option<&'static str>,
    /// `@owner`.
    pub owner: Option<Arc<str>>,
    /// Digest of the rule without comments and layout; another text is another rule.
    pub text: Digest,
}

/// Permit rule or guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// A `permit`: without one that is satisfied, the answer is deny.
    Permit,
    /// A `forbid`: when satisfied, the answer is at least this.
    Guard(Verdict),
}

/// `@mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuleMode {
    /// It binds.
    #[default]
    Enforce,
    /// It is evaluated and recorded, never folded in.
    Shadow,
}

impl Rule {
    /// What the rule does to a call it matches.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self.kind {
            RuleKind::Permit => Verdict::Allow,
            RuleKind::Guard(verdict) => verdict,
        }
    }
}
