//! Redactions that a decision asks for, and the decision that counts after they were made.

use crate::built_in::BuiltIn;
use detect::{Redaction, Root, parse_redactions};
use policy::Bundle;
use std::collections::BTreeSet;
use vocab::{Decision, Discharge, Verdict};

/// The redactions of the arguments that are still to be made.
pub(crate) fn argument_terms(decision: &Decision, fulfilled: &BTreeSet<String>) -> Result<Vec<Redaction>, BuiltIn> {
    let mut terms = terms(decision)?;
    terms.retain(|term| term.root == Root::Args && !fulfilled.contains(&term.to_string()));
    Ok(terms)
}

/// The redactions to be made in the result.
pub(crate) fn result_terms(decision: &Decision) -> Result<Vec<Redaction>, BuiltIn> {
    let mut terms = terms(decision)?;
    terms.retain(|term| term.root == Root::Result);
    Ok(terms)
}

fn terms(decision: &Decision) -> Result<Vec<Redaction>, BuiltIn> {
    let mut terms = Vec::new();
    for text in &decision.obligations.redact {
        terms.extend(parse_redactions(text).map_err(|_| BuiltIn::SanitizeFailed)?);
    }
    Ok(terms)
}

/// One decision out of the two: the second's verdict, but never looser than having sanitised, and the reasons of both.
///
/// # Errors
/// The second asks for redactions that the first did not.
pub(crate) fn merge(first: Decision, second: Decision, fulfilled: &BTreeSet<String>) -> Result<Decision, BuiltIn> {
    if second.verdict == Verdict::Sanitize && !argument_terms(&second, fulfilled)?.is_empty() {
        return Err(BuiltIn::NotConverging);
    }
    let verdict = if second.verdict == Verdict::Allow { Verdict::Sanitize } else { second.verdict };
    let mut reasons = second.reasons;
    for reason in first.reasons {
        // An ask or sandbox guard that no longer matches the effective call has been answered by the redaction.
        if reason.verdict == Verdict::Sanitize && !reasons.iter().any(|known| known.rule == reason.rule) {
            reasons.push(reason);
        }
    }
    reasons.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| a.rule.cmp(&b.rule)));
    let mut faults = first.faults;
    faults.extend(second.faults);
    let mut obligations = second.obligations;
    obligations.redact.extend(first.obligations.redact);
    Ok(Decision { verdict, reasons, faults, obligations, ..second })
}

/// Whether every sandbox guard that matches now is one that the person agreed to run without.
pub(crate) fn is_agreed(bundle: &Bundle, decision: &Decision, discharges: &[Discharge]) -> bool {
    let mut sandbox = decision.reasons.iter().filter(|reason| reason.verdict == Verdict::Sandbox);
    sandbox.all(|reason| {
        let text = bundle.guard_text_digest(&reason.rule);
        discharges.iter().any(|discharge| discharge.rule == reason.rule && Some(&discharge.text) == text)
    })
}
