//! What a run found.

use super::coverage::Coverage;
use crate::suite::{Case, Kind, Severity};
use serde::Serialize;
use std::sync::Arc;
use vocab::id::{AgentId, RuleId};
use vocab::{Decision, Diagnostic, Exit, Place, Reason, Verdict, Would};

/// What became of one case.
#[derive(Debug, Serialize)]
pub struct CaseResult {
    /// Its suite.
    pub suite: Arc<str>,
    /// Its name.
    pub name: String,
    /// The agent that called.
    pub agent: AgentId,
    /// What was called.
    pub call: String,
    /// What kind of promise it is.
    pub kind: Kind,
    /// What a failure means.
    pub severity: Severity,
    /// Whether every promise held.
    pub passed: bool,
    /// The verdict promised.
    pub expected: Verdict,
    /// The verdict found.
    pub got: Verdict,
    /// The rule that decided: the strictest reason, or the first permit rule of an allowed call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The guards and built-in rules that spoke, strictest first.
    pub reasons: Vec<Reason>,
    /// The permit rules that were satisfied.
    pub permits: Vec<RuleId>,
    /// What rules that do not bind would have done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would: Vec<Would>,
    /// Why it failed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where it is written.
    pub place: Place,
}

impl CaseResult {
    pub(super) fn of(
        suite: Arc<str>,
        agent: &AgentId,
        case: &Case,
        decision: Decision,
        message: Option<String>,
    ) -> Self {
        let leading = decision.reasons.first().map(|reason| &reason.rule);
        Self {
            suite,
            name: case.name.clone(),
            agent: agent.clone(),
            call: case.target.value.action(),
            kind: case.kind,
            severity: case.severity,
            passed: message.is_none(),
            expected: case.expect,
            got: decision.verdict,
            rule: leading.or_else(|| decision.permits.first()).cloned(),
            reasons: decision.reasons,
            permits: decision.permits,
            would: decision.would,
            message,
            place: case.place.clone(),
        }
    }
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Every selected case, in order.
    pub cases: Vec<CaseResult>,
    /// Whether all cases were run, or only those a filter selected.
    pub is_whole: bool,
    /// What was reached.
    pub coverage: Coverage,
    /// Cases that passed for a reason that was probably not meant.
    pub warnings: Vec<Diagnostic>,
    /// The policy bundle that decided.
    pub bundle: String,
    /// The configuration that was tested.
    pub revision: String,
}

impl Report {
    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.cases.iter().filter(|case| case.passed).count()
    }

    /// How many failed, of one severity.
    #[must_use]
    pub fn failed(&self, severity: Severity) -> usize {
        self.cases.iter().filter(|case| !case.passed && case.severity == severity).count()
    }

    /// The exit code: blocking failures first, then, when `strict`, advisory ones and warnings.
    #[must_use]
    pub fn exit(&self, strict: bool) -> Exit {
        if self.cases.is_empty() {
            Exit::Nothing
        } else if self.failed(Severity::Blocking) > 0 {
            Exit::Blocking
        } else if strict && (self.failed(Severity::Advisory) > 0 || !self.warnings.is_empty()) {
            Exit::Advisory
        } else {
            Exit::Ok
        }
    }
}
