//! Facts and the decision.

use super::Pipeline;
use super::case::{Case, unsigned};
use super::screen::UNCERTAIN_AFTER_FAILURES;
use crate::session::lock;
use policy::{Facts, Request};
use std::collections::BTreeSet;
use std::time::Instant;
use vocab::{Call, Decision, Discharge, Fault, FaultKind, Reason, Verdict};

/// A decision that takes longer is not used. Far above the slowest measured one: it is there for what nobody foresaw.
const DEADLINE_US: u64 = 250_000;

/// A decision and how long it took.
pub(super) struct Judgement {
    pub(super) decision: Decision,
    pub(super) latency_us: u64,
}

impl Pipeline {
    /// Decides the call as it stands.
    pub(super) fn judge(&self, case: &Case) -> Judgement {
        self.judge_effective(case, &case.call, &case.fulfilled)
    }

    /// Decides an effective call, with the redactions already made counting as met.
    pub(super) fn judge_effective(&self, case: &Case, call: &Call, fulfilled: &BTreeSet<String>) -> Judgement {
        let started = Instant::now();
        let discharges = case.approved.as_ref().map(|approved| approved.discharges.clone()).unwrap_or_default();
        let facts = self.facts(case, call, fulfilled.clone(), discharges);
        let request = Request {
            agent: &call.principal.agent,
            authn: call.principal.authn,
            action: case.call.action(),
            server: &call.target.server,
            arguments: call.arguments.examine(),
            facts: &facts,
        };
        let mut decision = case.snapshot.bundle.decide(&request);
        let latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        if latency_us > DEADLINE_US {
            decision = too_late(decision, latency_us);
        }
        Judgement { decision, latency_us }
    }

    fn facts(&self, case: &Case, call: &Call, fulfilled: BTreeSet<String>, discharges: Vec<Discharge>) -> Facts {
        let now_us = self.recorder.clock().now();
        let agent = case.snapshot.agent(&call.principal.agent);
        let agent_calls =
            lock(&self.agent_rates).get(&call.principal.agent).map_or(0, |window| window.count(unsigned(now_us)));
        let session = lock(&case.in_flight.session);
        let below = case.snapshot.project.settings.uncertain_below;
        let tool = session.facts.tool(case.call.action());
        let labels = session.facts.labels();
        Facts {
            now_s: now_us / 1_000_000,
            purpose: call.purpose.as_ref().map(|purpose| purpose.examine().clone()),
            confidence: call.confidence,
            uncertain: call.confidence.is_some_and(|confidence| confidence < below)
                || tool.validation_failures() >= UNCERTAIN_AFTER_FAILURES,
            on_behalf_of: call.principal.user.clone(),
            chain_depth: i64::try_from(call.principal.parents.len()).unwrap_or(i64::MAX),
            destination: None,
            request_attested: false,
            // The call itself has been counted on arrival; the facts speak of the calls before it.
            calls: before(session.facts.calls()),
            denials: clamp(session.facts.denials()),
            cost_microusd: 0,
            in_flight: before(session.facts.all().in_flight()),
            calls_1m: before(agent_calls),
            tool_calls_1m: before(tool.rate(flow::Rate::PerMinute, unsigned(now_us))),
            agent_limit_1m: limit(case.snapshot.inventory.calls_per_minute(&call.principal.agent)),
            tool_limit_1m: limit(case.snapshot.tool_limit(&call.principal.agent, &call.target)),
            mode: agent.map(|agent| agent.mode).unwrap_or_default(),
            integrity: labels.integrity,
            confidentiality: labels.confidentiality.clone(),
            sources: sources(&labels.sources),
            discharges,
            fulfilled,
            ..Facts::default()
        }
    }
}

/// The servers seen, as policies read them; `*` when there were too many to remember.
fn sources(sources: &flow::Sources) -> BTreeSet<String> {
    match sources {
        flow::Sources::Known(known) => {
            // One after the other: collecting would gather and sort what is in order already.
            let mut names = BTreeSet::new();
            names.extend(known.iter().map(|source| source.as_str().to_owned()));
            names
        }
        flow::Sources::Any => BTreeSet::from(["*".to_owned()]),
    }
}

/// No declared limit is the greatest limit.
fn limit(declared: Option<u32>) -> i64 {
    declared.map_or(i64::MAX, i64::from)
}

/// A count without the call that is being decided.
fn before(count: u64) -> i64 {
    clamp(count.saturating_sub(1))
}

fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn too_late(decision: Decision, latency_us: u64) -> Decision {
    let reason = Reason {
        rule: vocab::id::RuleId::new("fault/deadline"),
        verdict: Verdict::Deny,
        text: Some("deciding took too long".into()),
        place: None,
        discharged_by: None,
    };
    let fault = Fault { kind: FaultKind::Deadline, rule: None, text: format!("decided after {latency_us} us") };
    let mut reasons = vec![reason];
    reasons.extend(decision.reasons);
    let mut faults = decision.faults;
    faults.push(fault);
    Decision { verdict: Verdict::Deny, reasons, faults, ..decision }
}
