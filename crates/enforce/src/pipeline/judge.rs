//! Facts and the decision.

use super::Pipeline;
use super::case::{Case, unsigned};
use super::screen::UNCERTAIN_AFTER_FAILURES;
use crate::late;
use crate::session::{Session, lock};
use crate::snapshot::Snapshot;
use policy::{Facts, Request};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use vocab::{Call, Decision, Discharge};

/// A decision and how long it took.
pub(super) struct Judgement {
    pub(super) decision: Decision,
    pub(super) latency_us: u64,
}

/// What a call is decided on, gathered once: a call that is decided again after redactions is decided on the same, so
/// that nothing which happens meanwhile makes the second answer looser, and one document says what both were made on.
pub(super) struct Gathered {
    pub(super) facts: Facts,
    /// Failed validations of the tool's arguments in a row, by which the agent may count as uncertain.
    pub(super) validation_failures: u64,
    took: Duration,
}

impl Pipeline {
    /// Decides the call as it stands.
    pub(super) fn judge(case: &mut Case) -> Judgement {
        let started = Instant::now();
        let decision = decide(case, &case.call);
        // Gathering the facts is a part of deciding.
        let (judgement, late_us) = in_time(decision, started.elapsed().saturating_add(case.gathered.took));
        case.seen.late_us = late_us;
        judgement
    }

    /// Decides an effective call, with the redactions already made counting as met.
    pub(super) fn judge_effective(case: &mut Case, call: &Call, fulfilled: &BTreeSet<String>) -> Judgement {
        let started = Instant::now();
        let before = std::mem::replace(&mut case.gathered.facts.fulfilled, fulfilled.clone());
        let decision = decide(case, call);
        case.gathered.facts.fulfilled = before;
        let (judgement, late_us) = in_time(decision, started.elapsed());
        case.seen.late_again_us = late_us;
        judgement
    }

    /// What is known of a call that has begun in its session.
    pub(super) fn gather(
        &self,
        snapshot: &Snapshot,
        call: &Call,
        session: &std::sync::Mutex<Session>,
        fulfilled: BTreeSet<String>,
        discharges: Vec<Discharge>,
    ) -> Gathered {
        let started = Instant::now();
        let now_us = self.recorder.clock().now();
        let agent = snapshot.agent(&call.principal.agent);
        let agent_calls =
            lock(&self.agent_rates).get(&call.principal.agent).map_or(0, |window| window.count(unsigned(now_us)));
        let session = lock(session);
        let below = snapshot.project.settings.uncertain_below;
        let tool = session.facts.tool(call.action());
        let labels = session.facts.labels();
        let validation_failures = tool.validation_failures();
        let facts = Facts {
            now_s: now_us / 1_000_000,
            purpose: call.purpose.as_ref().map(|purpose| purpose.examine().clone()),
            confidence: call.confidence,
            uncertain: call.confidence.is_some_and(|confidence| confidence < below)
                || validation_failures >= UNCERTAIN_AFTER_FAILURES,
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
            agent_limit_1m: limit(snapshot.inventory.calls_per_minute(&call.principal.agent)),
            tool_limit_1m: limit(snapshot.tool_limit(&call.principal.agent, &call.target)),
            mode: agent.map(|agent| agent.mode).unwrap_or_default(),
            integrity: labels.integrity,
            confidentiality: labels.confidentiality.clone(),
            sources: sources(&labels.sources),
            discharges,
            fulfilled,
            ..Facts::default()
        };
        drop(session);
        Gathered { facts, validation_failures, took: started.elapsed() }
    }
}

fn decide(case: &Case, call: &Call) -> Decision {
    case.snapshot.bundle.decide(&Request {
        agent: &call.principal.agent,
        authn: call.principal.authn,
        action: case.call.action(),
        server: &call.target.server,
        arguments: call.arguments.examine(),
        facts: &case.gathered.facts,
    })
}

/// The decision, or the refusal in its place with the time it took.
fn in_time(decision: Decision, took: Duration) -> (Judgement, Option<u64>) {
    let latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if latency_us > late::DEADLINE_US {
        return (Judgement { decision: late::refused(decision, latency_us), latency_us }, Some(latency_us));
    }
    (Judgement { decision, latency_us }, None)
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
