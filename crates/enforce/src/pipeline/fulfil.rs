//! What an answer obliges to: sanitize, then ask, then sandbox.

use super::case::Case;
use super::judge::Judgement;
use super::keep::{Noted, Writing};
use super::screen::Stop;
use super::{Answer, Pipeline};
use crate::built_in::BuiltIn;
use crate::permit::{Confinement, LIFETIME_US, Permit};
use crate::record::Recorder;
use crate::refusal::Refusal;
use crate::session::lock;
use crate::{sanitizing, screening};
use detect::Redaction;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use vocab::redaction::Root;
use vocab::{Call, Decision, Operation, Verdict};

/// The call as it would leave, and what was decided about it.
pub(super) struct Effective {
    pub(super) call: Call,
    pub(super) decision: Decision,
    pub(super) latency_us: u64,
    /// Argument redactions made, by term.
    pub(super) redactions: BTreeMap<String, u64>,
    /// Terms that count as met from now on.
    pub(super) fulfilled: BTreeSet<String>,
    /// What is to be taken out of the result.
    pub(super) redact_result: Vec<Redaction>,
}

impl Pipeline {
    /// Does what the first decision obliges to, and ends in a forwarded, waiting or refused call.
    pub(super) async fn fulfil(self: &Arc<Self>, mut case: Box<Case>, first: Judgement) -> Answer {
        if first.decision.verdict == Verdict::Deny {
            return self.refuse_decided(&mut case, &first.decision).await;
        }
        let effective = match self.sanitize(&mut case, first) {
            Ok(effective) => effective,
            Err(stop) => return self.stop(&mut case, *stop).await,
        };
        match effective.decision.verdict {
            Verdict::Deny => self.refuse_decided(&mut case, &effective.decision).await,
            // Boxed: what is rare must not make the future of every call larger.
            Verdict::Ask => Box::pin(self.ask(case, effective)).await,
            Verdict::Sandbox => Box::pin(self.sandbox(case, effective)).await,
            Verdict::Allow | Verdict::Sanitize if effective.decision.obligations.sandbox.is_some() => {
                Box::pin(self.sandbox(case, effective)).await
            }
            Verdict::Allow | Verdict::Sanitize => {
                let permit = self.permit(&case, &effective, Confinement::None);
                self.dispatch(case, effective, permit, Commit::Once).await
            }
        }
    }

    /// Applies the argument redactions, checks the schema again and decides once more.
    fn sanitize(&self, case: &mut Case, first: Judgement) -> Result<Effective, Box<Stop>> {
        let Judgement { decision, latency_us } = first;
        let stop = |case: &Case, rule: BuiltIn| Box::new(Stop::built_in(rule, case));
        let new =
            sanitizing::argument_terms(&decision, &case.gathered.facts.fulfilled).map_err(|rule| stop(case, rule))?;
        let redact_result = sanitizing::result_terms(&decision).map_err(|rule| stop(case, rule))?;
        let (call, fulfilled) = (case.call.clone(), case.gathered.facts.fulfilled.clone());
        if new.is_empty() {
            return Ok(Effective { call, decision, latency_us, redactions: BTreeMap::new(), fulfilled, redact_result });
        }
        let mut arguments = case.call.arguments.examine().clone();
        let applied = detect::apply(Root::Args, &mut arguments, &new, &self.pseudonyms);
        let redactions = applied.into_iter().map(|made| (made.redaction.to_string(), made.count)).collect();
        self.note_redacted(case, &new, &arguments);
        screening::schema(case.tool.as_deref(), &arguments)
            .map_err(|schema| Box::new(Stop { schema, ..Stop::built_in(BuiltIn::SanitizeSchema, case) }))?;
        let call = call.with_arguments(arguments);
        let mut fulfilled = fulfilled;
        fulfilled.extend(decision.obligations.redact.iter().cloned());
        fulfilled.extend(new.iter().map(ToString::to_string));
        let second = Self::judge_effective(case, &call, &fulfilled);
        let latency_us = latency_us.saturating_add(second.latency_us);
        let decision = sanitizing::merge(decision, second.decision, &fulfilled).map_err(|rule| stop(case, rule))?;
        // The merged obligations are those of both decisions.
        let redact_result = sanitizing::result_terms(&decision).map_err(|rule| stop(case, rule))?;
        Ok(Effective { call, decision, latency_us, redactions, fulfilled, redact_result })
    }

    /// Routes the call to the tool's dry-run twin, or follows the guard's fallback. Never to the tool itself.
    async fn sandbox(self: &Arc<Self>, mut case: Box<Case>, mut effective: Effective) -> Answer {
        let twin = case.tool.as_ref().and_then(|tool| tool.description.dry_run.clone());
        let Some(twin) = twin else {
            // Known before anything ran: what cannot be confined follows `@fallback`, whose default is deny.
            return match effective.decision.obligations.fallback {
                Some(Verdict::Ask) if case.approved.is_none() => {
                    effective.decision.verdict = Verdict::Ask;
                    self.ask(case, effective).await
                }
                // Approved: it runs unconfined, which approver and log are told. Only guards that were asked about count.
                Some(Verdict::Ask)
                    if sanitizing::is_agreed(
                        &case.snapshot.bundle,
                        &effective.decision,
                        &case.gathered.facts.discharges,
                    ) =>
                {
                    let permit = self.permit(&case, &effective, Confinement::None);
                    self.dispatch(case, effective, permit, Commit::Twice).await
                }
                _ => {
                    effective.decision.verdict = Verdict::Deny;
                    self.refuse_decided(&mut case, &effective.decision).await
                }
            };
        };
        let call = effective.call.with_operation(Operation::Tool(twin));
        let twin = case.snapshot.tool(&call.target).cloned();
        let fits = twin.as_ref().is_some_and(|twin| {
            let live = case.route.live(&call.target);
            case.seen.twin = Some((&live).into());
            live == crate::route::Live::Definition(twin.description.definition.clone())
                && twin.input.check(call.arguments.examine()).is_ok()
        });
        if !fits {
            let stop = Stop::built_in(BuiltIn::Twin, &case);
            return self.stop(&mut case, stop).await;
        }
        effective.call = call;
        let mut permit = self.permit(&case, &effective, Confinement::DryRun);
        permit.definition = twin.map(|twin| twin.description.definition.clone());
        self.dispatch(case, effective, permit, Commit::Twice).await
    }

    /// The only place a permit is made.
    fn permit(&self, case: &Case, effective: &Effective, confinement: Confinement) -> Permit {
        Permit {
            effective: effective.call.clone(),
            definition: case.tool.as_ref().map(|tool| tool.description.definition.clone()),
            bundle: effective.decision.bundle.clone(),
            kill_epoch: self.kill_epoch.load(Ordering::SeqCst),
            expires_us: self.recorder.clock().now().saturating_add(LIFETIME_US),
            redact_result: effective.redact_result.clone(),
            confinement,
            approval: case.approved.clone(),
            route: Arc::clone(&case.route),
        }
    }

    /// Records a decided refusal and tells the agent.
    pub(super) async fn refuse_decided(&self, case: &mut Case, decision: &Decision) -> Answer {
        self.refuse(case, decision, |_| ()).await
    }

    /// Records a refusal and builds what the agent is told.
    pub(super) async fn refuse(
        &self,
        case: &mut Case,
        decision: &Decision,
        adjust: impl FnOnce(&mut Refusal),
    ) -> Answer {
        let leading = decision.reasons.iter().find(|reason| reason.discharged_by.is_none());
        let rule = leading.map_or_else(|| vocab::id::RuleId::new("default/deny"), |reason| reason.rule.clone());
        let kept = self.keep(case);
        case.in_flight.deny();
        let explain = lock(&case.in_flight.session).repeats.explain(rule.as_str());
        let (records, writing) = match self.refused(case, decision, kept) {
            Ok((records, writing)) => (Ok(records), writing),
            Err(error) => (Err(error), None),
        };
        let mut refusal = Refusal {
            call: case.call.id.clone(),
            verdict: decision.verdict,
            rule,
            reason: leading.and_then(|reason| reason.text.as_deref()).filter(|_| explain).map(ToOwned::to_owned),
            schema: Vec::new(),
            allowed: "a call that this rule does not match".to_owned(),
            how_to_ask: "ask the agent's owner to request the privilege; the call id names the decision in the log"
                .to_owned(),
            ticket: None,
            approval: None,
        };
        adjust(&mut refusal);
        if let Err(error) = self.recorded(writing, records).await {
            tracing::error!(%error, "refusal could not be recorded");
        }
        Answer::Refused(Box::new(refusal))
    }

    /// The records of a call that is refused.
    fn refused(
        &self,
        case: &Case,
        decision: &Decision,
        noted: Noted,
    ) -> Result<(Vec<Vec<u8>>, Writing), store::LogError> {
        let mut stamp = self.recorder.stamp();
        let mut records = self.opening(case, &mut stamp)?;
        let mut decided = Recorder::decision(&mut stamp, &case.call, &case.columns, decision, 0);
        let writing = noted.put_into(&mut decided.event);
        records.push(decided.encode()?);
        Ok((records, writing))
    }
}

/// How many commits lie before the bytes leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    /// Intent, decision and dispatch in one.
    Once,
    /// Intent and decision first, dispatch in a second.
    Twice,
}
