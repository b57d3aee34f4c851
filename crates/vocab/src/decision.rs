//! The decision point's answer, with everything needed to explain it.

use crate::id::{ApprovalId, Digest, RuleId};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The answer to one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Strictest satisfied guard, `allow` when none, `deny` when no permit rule is satisfied.
    pub verdict: Verdict,
    /// Satisfied guards (or the built-in rule that refused), strictest first, then by id.
    pub reasons: Vec<Reason>,
    /// Satisfied permit rules, by id.
    pub permits: Vec<RuleId>,
    /// What must be done to use the answer: the union over all satisfied guards.
    pub obligations: Obligations,
    /// What shadow rules, and rules a mode does not enforce, would have done. Never folded in.
    pub would: Vec<Would>,
    /// What went wrong on the way. Faults are inputs: replay reproduces the verdict given them.
    pub faults: Vec<Fault>,
    /// The policy bundle that decided.
    pub bundle: Digest,
}

/// One rule that spoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule.
    pub rule: RuleId,
    /// What it asks for.
    pub verdict: Verdict,
    /// Its static `@reason`, shown to agent and person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// Where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The approval or grant that removed it from the answer, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discharged_by: Option<ApprovalId>,
}

/// A place in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// File, relative to the project.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// What must be done to use an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligations {
    /// Redaction terms (`args.body:mask`): union.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub redact: BTreeSet<String>,
    /// Rights left inside the sandbox: intersection. `None` when no sandbox was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<BTreeSet<String>>,
    /// What happens to a call that cannot be confined: the stricter. `None` means deny.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Verdict>,
    /// Groups or people who may answer: union, all must agree.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approvers: BTreeSet<String>,
    /// How many people must agree: maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// How long an answer may be waited for, seconds: minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
}

impl Obligations {
    /// The join of two sets of obligations. Commutative, associative, idempotent; never drops one.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.redact.extend(other.redact);
        self.sandbox = match (self.sandbox, other.sandbox) {
            (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
            (a, b) => a.or(b),
        };
        self.fallback = match (self.fallback, other.fallback) {
            (Some(a), Some(b)) => Some(a.join(b)),
            (a, b) => a.or(b),
        };
        self.approvers.extend(other.approvers);
        self.quorum = self.quorum.max(other.quorum);
        self.ttl_s = match (self.ttl_s, other.ttl_s) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self
    }
}

/// What a rule that does not bind would have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Would {
    /// The rule.
    pub rule: RuleId,
    /// What it would have asked for.
    pub verdict: Verdict,
}

/// Something that went wrong while deciding, and was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// The rule concerned, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// Our own words; never argument text.
    pub text: String,
}

/// Kinds of faults, table 4.3 of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A guard failed to evaluate: it counts as matched.
    GuardError,
    /// A permit rule failed to evaluate: it counts as unmatched.
    PermitError,
    /// Deciding took longer than its deadline.
    Deadline,
    /// Deciding panicked.
    Panic,
    /// The policy set did not load.
    NoPolicy,
    /// The request could not be built.
    Request,
    /// A detector or redactor failed.
    Detector,
    /// The log could not be written.
    Log,
}

/// A verified record that removes exactly one ask-guard from the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discharge {
    /// The guard.
    pub rule: RuleId,
    /// Digest of the guard's text when it was approved; another text is another guard.
    pub text: Digest,
    /// The approval or grant.
    pub by: ApprovalId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(n: u32) -> Obligations {
        Obligations {
            redact: [format!("args.f{}", n % 3)].into(),
            sandbox: n.is_multiple_of(2).then(|| (0..n % 5).map(|i| format!("right{i}")).collect()),
            fallback: Verdict::ALL.get(n as usize % 7).copied(),
            approvers: [format!("team{}", n % 2)].into(),
            quorum: (!n.is_multiple_of(3)).then_some(n % 4),
            ttl_s: (!n.is_multiple_of(4)).then_some(u64::from(n) * 10),
        }
    }

    #[test]
    fn obligations_join_is_a_semilattice() {
        for a in 0..24 {
            for b in 0..24 {
                let (x, y, z) = (sample(a), sample(b), sample(a.wrapping_mul(7) + b));
                assert_eq!(x.clone().join(y.clone()), y.clone().join(x.clone()));
                assert_eq!(x.clone().join(x.clone()), x);
                assert_eq!(x.clone().join(y.clone()).join(z.clone()), x.join(y.join(z)));
            }
        }
    }
}
