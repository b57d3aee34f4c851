//! Two answers to one call, and the rules that make the difference.

use super::again::Aim;
use enforce::replay::Redecided;
use serde::Serialize;
use std::collections::BTreeMap;
use vocab::event::Event;
use vocab::{Decision, Fault, Reason, Verdict, Would};

/// One of the two answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// The verdict.
    pub verdict: Verdict,
    /// The rules that spoke.
    pub reasons: Vec<Reason>,
    /// Permit rules satisfied.
    pub permits: Vec<String>,
    /// What rules that do not bind would have done.
    pub would: Vec<Would>,
    /// What went wrong.
    pub faults: Vec<Fault>,
    /// Argument redactions made.
    pub redactions: BTreeMap<String, u64>,
}

/// A difference between two answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The rule that makes it.
    pub rule: String,
    /// The verdict then.
    pub from: Verdict,
    /// The verdict now.
    pub to: Verdict,
    /// What is different, a line each: first what speaks now, then what does not speak any more.
    pub because: Vec<String>,
}

impl Side {
    /// The answer in a record; `None` when it is no decision.
    pub(super) fn recorded(event: &Event<'_>) -> Option<Self> {
        Some(Self {
            verdict: event.decision?,
            reasons: event.reasons.to_vec(),
            permits: event.permits.iter().map(ToString::to_string).collect(),
            would: event.would.to_vec(),
            faults: event.faults.to_vec(),
            redactions: event.redactions.clone(),
        })
    }

    /// The answer given now.
    pub(super) fn now(now: Redecided) -> Self {
        let Redecided { decision, redactions, .. } = now;
        let Decision { verdict, reasons, permits, would, faults, .. } = decision;
        let permits = permits.iter().map(ToString::to_string).collect();
        Self { verdict, reasons, permits, would, faults, redactions }
    }
}

/// Whether the answer now is the recorded one, looked at without building anything: nearly always it is.
pub(super) fn is_same(event: &Event<'_>, now: &Redecided, aim: Aim) -> bool {
    let decision = &now.decision;
    event.decision == Some(decision.verdict)
        && event.redactions == now.redactions
        && event.reasons.len() == decision.reasons.len()
        && event.reasons.iter().zip(&decision.reasons).all(|(then, now)| is_same_reason(then, now, aim))
        && (aim == Aim::Others
            || (*event.permits == *decision.permits
                && *event.would == *decision.would
                && *event.faults == *decision.faults))
}

/// A rule that moved within its file is the same rule. With other policies, another wording changes nothing either.
fn is_same_reason(then: &Reason, now: &Reason, aim: Aim) -> bool {
    then.rule == now.rule
        && then.verdict == now.verdict
        && then.discharged_by.is_some() == now.discharged_by.is_some()
        && (aim == Aim::Others || (then.text == now.text && then.discharged_by == now.discharged_by))
}

/// Whether something else would be done, and not the same for other reasons.
pub(super) fn is_done_otherwise(then: &Side, now: &Side) -> bool {
    then.verdict != now.verdict || then.redactions != now.redactions
}

/// What is different, and why.
pub(super) fn change(then: &Side, now: &Side, aim: Aim) -> Change {
    let mut because = Vec::new();
    let missing = |all: &[Reason], reason: &Reason| !all.iter().any(|other| is_same_reason(other, reason, aim));
    let new = now.reasons.iter().filter(|reason| missing(&then.reasons, reason)).collect::<Vec<_>>();
    let gone = then.reasons.iter().filter(|reason| missing(&now.reasons, reason)).collect::<Vec<_>>();
    because.extend(new.iter().map(|reason| format!("now   {}", said(reason))));
    because.extend(gone.iter().map(|reason| format!("then  {}", said(reason))));
    let lists = |what: &str, then: &str, now: &str| (then != now).then(|| format!("{what}: then {then}, now {now}"));
    because.extend(lists("redacted", &counted(&then.redactions), &counted(&now.redactions)));
    // A role of another name that permits the same is worth saying only where it decides.
    let permits_decide = aim == Aim::Same || then.verdict != now.verdict;
    if permits_decide {
        because.extend(lists("permit rules", &listed(&then.permits), &listed(&now.permits)));
    }
    if aim == Aim::Same {
        let would = |would: &Would| format!("{} {}", would.verdict, would.rule);
        because.extend(lists("recorded only", &list(&then.would, would), &list(&now.would, would)));
        because.extend(lists("faults", &list(&then.faults, fault), &list(&now.faults, fault)));
    }
    // The stricter side is the one whose rule makes the difference.
    let (first, second) = if now.verdict >= then.verdict { (&new, &gone) } else { (&gone, &new) };
    let leading = |reasons: &[&Reason]| {
        let binding = reasons.iter().find(|reason| reason.discharged_by.is_none());
        binding.or_else(|| reasons.first()).map(|reason| reason.rule.to_string())
    };
    let otherwise = || then.permits.iter().chain(&now.permits).next().cloned().unwrap_or_else(|| "-".to_owned());
    let rule = leading(first).or_else(|| leading(second)).unwrap_or_else(otherwise);
    Change { rule, from: then.verdict, to: now.verdict, because }
}

/// `deny guards/amount: too much for one person (mortise/policies/money.cedar:12)`.
fn said(reason: &Reason) -> String {
    let text = reason.text.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
    let place = reason.place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line)).unwrap_or_default();
    let discharged = reason.discharged_by.as_ref().map(|by| format!(", discharged by {by}")).unwrap_or_default();
    format!("{} {}{text}{discharged}{place}", reason.verdict, reason.rule)
}

fn fault(fault: &Fault) -> String {
    match &fault.rule {
        Some(rule) => format!("{rule}: {}", fault.text),
        None => fault.text.clone(),
    }
}

fn counted(redactions: &BTreeMap<String, u64>) -> String {
    let made: Vec<String> = redactions.iter().map(|(term, count)| format!("{term} x{count}")).collect();
    listed(&made)
}

fn list<T>(items: &[T], say: impl Fn(&T) -> String) -> String {
    listed(&items.iter().map(say).collect::<Vec<_>>())
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
