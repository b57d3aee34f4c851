//! The combiner: satisfied permit rules and satisfied guards, as two sets, into one decision.

use crate::bundle::{Bundle, Kind, Live};
use crate::evaluate::{Call, Evaluated};
use crate::request::{Facts, Request};
use crate::rule::{Rule, RuleKind, RuleMode};
use std::panic::{AssertUnwindSafe, catch_unwind};
use vocab::id::{Digest, RuleId};
use vocab::redaction::Root;
use vocab::{Decision, Effect, Fault, FaultKind, Mode, Obligations, Reason, Verdict, Would};

/// The reason when no permit rule is satisfied.
pub const NO_PERMIT: &str = "default/no-permit";
/// The reason when no rules are loaded.
pub const NO_POLICY: &str = "default/no-policy";
/// The reason when the agent, the action or the request is not one that can be decided.
pub const UNDECIDABLE: &str = "default/undecidable";
/// The reason when the agent is uncertain.
pub const UNCERTAIN: &str = "shipped/uncertain";

impl Bundle {
    /// Decides one call. Never panics: a defect inside is a refusal with a fault.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        guarded(&self.digest, || self.answer(request, Reach::Index))
    }

    /// Decides one call by evaluating every rule: the answer of [`Bundle::decide`], at a cost that grows with all
    /// rules. For checking the index.
    #[doc(hidden)]
    #[must_use]
    pub fn decide_without_index(&self, request: &Request<'_>) -> Decision {
        guarded(&self.digest, || self.answer(request, Reach::Everything))
    }

    /// Whether an ordinary Cedar engine allows the call under the permit rules and the guards stricter than `level`:
    /// what "the verdict is at most `level`" means to analysers. `None` when the call cannot be decided.
    #[must_use]
    pub fn allows_in_plain_cedar(&self, request: &Request<'_>, level: Verdict) -> Option<bool> {
        let live = self.live()?;
        Call::of(live, request).ok()?.is_allowed_in_plain_cedar(level).ok()
    }

    fn answer(&self, request: &Request<'_>, reach: Reach) -> Decision {
        let live = match &self.kind {
            Kind::Live(live) => live,
            Kind::DenyAll { reason } => {
                return refusal(&self.digest, NO_POLICY, reason, FaultKind::NoPolicy, "no policy is loaded");
            }
        };
        let combined = Call::of(live, request).map_err(str::to_owned).and_then(|call| {
            let evaluated = match reach {
                Reach::Index => call.evaluate(),
                Reach::Everything => call.evaluate_everything(),
            };
            Ok(combine(&call, &evaluated?, live, request.facts, &self.digest))
        });
        match combined {
            Ok(decision) => decision,
            Err(why) => refusal(&self.digest, UNDECIDABLE, "this call cannot be decided", FaultKind::Request, &why),
        }
    }
}

/// Which rules are evaluated.
#[derive(Clone, Copy)]
enum Reach {
    Index,
    Everything,
}

/// Runs the decision; a panic in it is a refusal.
pub(crate) fn guarded(bundle: &Digest, decide: impl FnOnce() -> Decision) -> Decision {
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|_| {
        refusal(bundle, UNDECIDABLE, "this call cannot be decided", FaultKind::Panic, "deciding panicked")
    })
}

fn refusal(bundle: &Digest, rule: &'static str, reason: &str, kind: FaultKind, text: &str) -> Decision {
    Decision {
        verdict: Verdict::Deny,
        reasons: vec![builtin(rule, Verdict::Deny, reason)],
        permits: Vec::new(),
        obligations: Obligations::default(),
        would: Vec::new(),
        faults: vec![Fault { kind, rule: None, text: text.to_owned() }],
        bundle: bundle.clone(),
    }
}

fn builtin(rule: &str, verdict: Verdict, text: &str) -> Reason {
    Reason { rule: RuleId::new(rule), verdict, text: Some(text.into()), place: None, discharged_by: None }
}

/// A satisfied guard, or one that failed to evaluate and counts as satisfied.
#[derive(Clone, Copy)]
struct Matched<'a> {
    rule: &'a Rule,
    verdict: Verdict,
    failed: bool,
}

/// Combines what evaluating the rules gave.
pub(crate) fn combine(
    call: &Call<'_>,
    evaluated: &Evaluated<'_>,
    live: &Live,
    facts: &Facts,
    bundle: &Digest,
) -> Decision {
    let mut answer = Answer::default();
    for &rule in &evaluated.satisfied {
        answer.add(rule, false, call.mode, facts);
    }
    for &rule in &evaluated.failed {
        answer.faults.push(fault(rule));
        if rule.kind != RuleKind::Permit {
            answer.add(rule, true, call.mode, facts);
        }
    }
    if facts.uncertain {
        answer.add_uncertain(call.effect(), facts, &live.uncertain_text);
    }
    if answer.permits.is_empty() {
        if call.mode == Mode::Observe {
            answer.would.push(Would { rule: RuleId::new(NO_PERMIT), verdict: Verdict::Deny });
        } else {
            answer.push(builtin(NO_PERMIT, Verdict::Deny, "no permit rule allows this"), true);
        }
    }
    answer.decision(bundle)
}

fn fault(rule: &Rule) -> Fault {
    let (kind, text) = match rule.kind {
        RuleKind::Permit => (FaultKind::PermitError, "a permit rule failed to evaluate and counts as unmatched"),
        RuleKind::Guard(_) => (FaultKind::GuardError, "a guard failed to evaluate and counts as matched"),
    };
    Fault { kind, rule: Some(rule.id.clone()), text: text.to_owned() }
}

/// Whether a satisfied guard binds, or is only recorded. A guard that failed binds in every mode of the agent.
fn binds(guard: Matched<'_>, mode: Mode) -> bool {
    let by_agent = match mode {
        Mode::Enforce => true,
        Mode::Shadow => guard.verdict == Verdict::Deny,
        Mode::Observe => false,
    };
    guard.rule.mode == RuleMode::Enforce && (guard.rule.shipped || guard.failed || by_agent)
}

/// The answer as it is put together.
struct Answer {
    verdict: Verdict,
    reasons: Vec<Reason>,
    permits: Vec<RuleId>,
    obligations: Obligations,
    would: Vec<Would>,
    faults: Vec<Fault>,
    /// The strictest `@uncertain` of the guards that bind.
    uncertain: Option<Verdict>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            verdict: Verdict::Allow,
            reasons: Vec::new(),
            permits: Vec::new(),
            obligations: Obligations::default(),
            would: Vec::new(),
            faults: Vec::new(),
            uncertain: None,
        }
    }
}

impl Answer {
    fn push(&mut self, reason: Reason, counts: bool) {
        if counts {
            self.verdict = self.verdict.join(reason.verdict);
        }
        self.reasons.push(reason);
    }

    /// Adds a rule that is satisfied, or a guard that failed.
    fn add(&mut self, rule: &Rule, failed: bool, mode: Mode, facts: &Facts) {
        let guard = Matched { rule, verdict: rule.verdict(), failed };
        match rule.kind {
            RuleKind::Permit if rule.mode == RuleMode::Enforce => self.permits.push(rule.id.clone()),
            RuleKind::Guard(_) if binds(guard, mode) => self.add_binding(guard, facts),
            _ => self.would.push(Would { rule: rule.id.clone(), verdict: guard.verdict }),
        }
    }

    fn add_binding(&mut self, guard: Matched<'_>, facts: &Facts) {
        let rule = guard.rule;
        let discharge = facts.discharges.iter().find(|discharge| {
            guard.verdict == Verdict::Ask && discharge.rule == rule.id && discharge.text == rule.text
        });
        let mut obligations = rule.obligations.clone();
        obligations.redact = rule
            .redactions
            .iter()
            .filter_map(|term| {
                let text = term.to_string();
                (term.root == Root::Result || !facts.fulfilled.contains(&text)).then_some(text)
            })
            .collect();
        self.obligations = std::mem::take(&mut self.obligations).join(obligations);
        self.uncertain = self.uncertain.max(rule.uncertain);
        let reason = Reason {
            rule: rule.id.clone(),
            verdict: guard.verdict,
            text: rule.reason.clone(),
            place: rule.place.clone(),
            discharged_by: discharge.map(|discharge| discharge.by.clone()),
        };
        self.push(reason, discharge.is_none() && !is_met(guard, facts));
    }

    /// `@uncertain` of the matching guards decides; without one the effect does.
    fn add_uncertain(&mut self, effect: Effect, facts: &Facts, text: &Digest) {
        let default = match effect {
            Effect::Read => None,
            _ if effect.is_irreversible() => Some(Verdict::Deny),
            _ => Some(Verdict::Ask),
        };
        let Some(verdict) = self.uncertain.or(default) else { return };
        let mut reason = builtin(UNCERTAIN, verdict, "the agent is uncertain about this call");
        let discharge = facts
            .discharges
            .iter()
            .find(|discharge| verdict == Verdict::Ask && discharge.rule == reason.rule && discharge.text == *text);
        reason.discharged_by = discharge.map(|discharge| discharge.by.clone());
        let counts = discharge.is_none();
        self.push(reason, counts);
    }

    /// In an order that does not depend on that of the rules.
    fn decision(mut self, bundle: &Digest) -> Decision {
        self.reasons.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| a.rule.cmp(&b.rule)));
        self.would.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| a.rule.cmp(&b.rule)));
        self.permits.sort();
        self.faults.sort_by(|a, b| a.rule.cmp(&b.rule));
        Decision {
            verdict: self.verdict,
            reasons: self.reasons,
            permits: self.permits,
            obligations: self.obligations,
            would: self.would,
            faults: self.faults,
            bundle: bundle.clone(),
        }
    }
}

/// Whether a sanitize guard has what it asked for: all its argument terms, or, when it speaks of the result only, the
/// caller's word that the result will be redacted.
fn is_met(guard: Matched<'_>, facts: &Facts) -> bool {
    if guard.verdict != Verdict::Sanitize {
        return false;
    }
    let terms = &guard.rule.redactions;
    let has_arguments = terms.iter().any(|term| term.root == Root::Args);
    let mut counted = terms.iter().filter(|term| !has_arguments || term.root == Root::Args).peekable();
    counted.peek().is_some() && counted.all(|term| facts.fulfilled.contains(&term.to_string()))
}

/// Digest that approvals of an uncertain call are bound to.
pub(crate) fn uncertain_text() -> Digest {
    crate::bundle::digest(&[b"mortise-policy-1 uncertain"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_refusal_and_the_next_call_is_decided() {
        let bundle = Digest::new("sha256:00");
        let decision = guarded(&bundle, || panic!("a defect"));
        assert_eq!(decision.verdict, Verdict::Deny);
        assert_eq!(decision.faults.first().map(|fault| fault.kind), Some(FaultKind::Panic));
        let allow = Decision { verdict: Verdict::Allow, ..decision };
        assert_eq!(guarded(&bundle, || allow.clone()), allow);
    }
}
