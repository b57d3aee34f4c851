//! What a case promised, compared with what was found; the difference in words.

use crate::suite::Case;
use enforce::preview::Preview;
use std::collections::BTreeSet;
use vocab::id::RuleId;
use vocab::{Decision, Verdict};

/// Why the case failed, every broken promise; `None` when it passed.
pub(super) fn failure(case: &Case, found: &Preview) -> Option<String> {
    let decision = &found.decision;
    let mut broken = Vec::new();
    if decision.verdict != case.expect {
        broken.push(verdict(case, found));
    }
    if let Some(rule) = case.rule.as_ref().map(|rule| &rule.value).filter(|rule| !spoke(decision, rule)) {
        broken.push(silent(decision, rule));
    }
    if let Some(rule) = case.not_rule.as_ref().map(|rule| &rule.value).filter(|rule| spoke(decision, rule)) {
        broken.push(format!("rule `{rule}` spoke, and should not have"));
    }
    if let Some(wanted) = case.redact.as_ref().filter(|wanted| **wanted != decision.obligations.redact) {
        broken.push(redactions(wanted, &decision.obligations.redact));
    }
    (!broken.is_empty()).then(|| broken.join("; "))
}

/// What the schema objects to, in one line. Expectations only, never a value.
pub(super) fn schema_complaints(found: &Preview) -> String {
    let complaints = found.complaints.iter().map(|complaint| match complaint.at.as_str() {
        "" => complaint.expected.clone(),
        at => format!("at `{at}`: {}", complaint.expected),
    });
    complaints.collect::<Vec<_>>().join("; ")
}

/// The rules whose word counted: guards and permit rules that were satisfied.
fn spoke(decision: &Decision, rule: &RuleId) -> bool {
    decision.reasons.iter().any(|reason| reason.rule == *rule) || decision.permits.contains(rule)
}

fn verdict(case: &Case, found: &Preview) -> String {
    let decision = &found.decision;
    let mut text = format!("expected {}, got {}", case.expect, decision.verdict);
    match decision.reasons.first() {
        Some(reason) => text.push_str(&format!(" by `{}`", reason.rule)),
        None if decision.verdict == Verdict::Allow => text.push_str(": no guard spoke"),
        None => {}
    }
    if !found.complaints.is_empty() {
        text.push_str(&format!(" ({})", schema_complaints(found)));
    }
    for fault in &decision.faults {
        text.push_str(&format!(" ({})", fault.text));
    }
    text
}

/// A rule that did not speak, or that only would have.
fn silent(decision: &Decision, rule: &RuleId) -> String {
    match decision.would.iter().find(|would| would.rule == *rule) {
        Some(would) => {
            format!(
                "rule `{rule}` only recorded that it would {}: it, or its agent, is not in mode enforce",
                would.verdict
            )
        }
        None => format!("rule `{rule}` did not speak"),
    }
}

fn redactions(wanted: &BTreeSet<String>, got: &BTreeSet<String>) -> String {
    let list = |terms: Vec<&String>| terms.iter().map(|term| format!("`{term}`")).collect::<Vec<_>>().join(", ");
    let missing: Vec<&String> = wanted.difference(got).collect();
    let extra: Vec<&String> = got.difference(wanted).collect();
    match (missing.is_empty(), extra.is_empty()) {
        (false, true) => format!("not redacted: {}", list(missing)),
        (true, _) => format!("redacted beyond what is expected: {}", list(extra)),
        (false, false) => format!("not redacted: {}; redacted beyond what is expected: {}", list(missing), list(extra)),
    }
}
