//! Record, forward, inspect, record.

use super::case::Case;
use super::fulfil::{Commit, Effective};
use super::keep::Writing;
use super::text::Text;
use super::{Answer, Failure, Pipeline};
use crate::inspect::{self, Inspected};
use crate::permit::{Confinement, Permit, Stale};
use crate::record::Recorder;
use crate::room::Room;
use crate::route::{Live, Lost, Reply};
use crate::session::lock;
use std::sync::atomic::Ordering;
use store::id::Stamp;
use vocab::event::Outcome;
use vocab::id::RuleId;
use vocab::{Confidentiality, Event, Fault, FaultKind, Integrity, Label, Verdict};

/// Why a permit led to no answer.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// It no longer held. Nothing was sent.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The tool gave no answer.
    #[error(transparent)]
    Lost(#[from] Lost),
}

impl Pipeline {
    /// Forwards the call a permit owns, if the permit still holds: same definition, same policies, no kill, in time.
    ///
    /// # Errors
    /// The permit is stale, or no answer came.
    pub async fn forward(&self, permit: Permit) -> Result<Reply, ForwardError> {
        let live = permit.route.live(&permit.effective.target);
        let same = match (&permit.definition, live) {
            (Some(pinned), Live::Definition(live)) => *pinned == live,
            (None, Live::Unpinned) => true,
            _ => false,
        };
        if !same {
            return Err(Stale::Definition.into());
        }
        if *self.snapshot.load().bundle.digest() != permit.bundle {
            return Err(Stale::Bundle.into());
        }
        if self.kill_epoch.load(Ordering::SeqCst) != permit.kill_epoch {
            return Err(Stale::Killed.into());
        }
        if self.recorder.clock().now() > permit.expires_us {
            return Err(Stale::Expired.into());
        }
        Ok(permit.route.send(&permit.effective).await?)
    }

    /// Makes the decision and the dispatch durable, forwards, inspects, records the result.
    pub(super) async fn dispatch(
        &self,
        mut case: Box<Case>,
        effective: Effective,
        permit: Permit,
        commit: Commit,
    ) -> Answer {
        if let Err(error) = self.record_leaving(&mut case, &effective, &permit, commit).await {
            tracing::error!(%error, "call refused: the log cannot be written");
            let mut decision = effective.decision;
            decision.verdict = Verdict::Deny;
            decision.faults.push(Fault { kind: FaultKind::Log, rule: None, text: error.to_string() });
            let refusal = crate::refusal::Refusal {
                call: case.call.id.clone(),
                verdict: Verdict::Deny,
                rule: RuleId::new("fault/log"),
                reason: Some("the log cannot be written, so nothing may run".to_owned()),
                schema: Vec::new(),
                allowed: "nothing until the operator has repaired the log".to_owned(),
                how_to_ask: "tell the operator to run `mortise doctor`".to_owned(),
                ticket: None,
                approval: None,
            };
            return Answer::Refused(Box::new(refusal));
        }
        let confinement = permit.confinement;
        let redact_result = permit.redact_result.clone();
        let withdrew = "the caller withdrew it".to_owned();
        let answer = if case.alive.is_withdrawn() {
            Err(Lost::NotSent(withdrew).into())
        } else {
            tokio::select! {
                biased;
                answer = self.forward(permit) => answer,
                // Whoever carries the call tells the tool when nobody waits for it; whether it still ran is not known.
                () = case.alive.withdrawn() => Err(Lost::Unknown(withdrew).into()),
            }
        };
        self.conclude(&case, &effective, confinement, &redact_result, answer).await
    }

    async fn record_leaving(
        &self,
        case: &mut Case,
        effective: &Effective,
        permit: &Permit,
        commit: Commit,
    ) -> Result<(), store::log::LogError> {
        if self.has_less_than(Room::NoText) {
            return Err(store::LogError::Dead("`max_bytes` of [storage] is reached".into()));
        }
        // The session and the intent of an approved call were recorded when it was asked about.
        let mut stamp = self.recorder.stamp();
        let mut records = if case.approved.is_none() { self.opening(case, &mut stamp)? } else { Vec::new() };
        let (decided, mut writing) = self.decided(case, effective, &mut stamp)?;
        records.push(decided);
        if commit == Commit::Twice {
            self.recorded(writing.take(), Ok(std::mem::take(&mut records))).await?;
            stamp = self.recorder.stamp();
        }
        let text = self.argument_text(case, &permit.effective)?;
        let mut dispatch = self.recorder.dispatch(&mut stamp, &case.call, permit, &case.columns);
        dispatch.event.payloads = text.payloads();
        say_left_out(&mut dispatch.event, &text);
        records.push(dispatch.encode()?);
        drop(dispatch);
        // Both at once: what one says of the other counts for nothing before both are durable, and nothing leaves before.
        let (kept, recorded) = tokio::join!(self.write_text(text), self.recorded(writing, Ok(records)));
        kept.and(recorded)
    }

    /// The record of a decision that lets the call leave.
    fn decided(
        &self,
        case: &Case,
        effective: &Effective,
        stamp: &mut Stamp,
    ) -> Result<(Vec<u8>, Writing), store::LogError> {
        let Effective { decision, latency_us, redactions, .. } = effective;
        let mut decided = Recorder::decision(stamp, &case.call, &case.columns, decision, *latency_us);
        decided.event.redactions.clone_from(redactions);
        decided.event.approval = case.approved.as_ref().map(Into::into);
        let writing = self.keep(case).put_into(&mut decided.event);
        Ok((decided.encode()?, writing))
    }

    /// What the answer does to the session, the log and the agent.
    async fn conclude(
        &self,
        case: &Case,
        effective: &Effective,
        confinement: Confinement,
        redact_result: &[detect::Redaction],
        answer: Result<Reply, ForwardError>,
    ) -> Answer {
        let mut text = Ok(Text::default());
        let (outcome, inspected, answer) = match answer {
            Ok(reply) => {
                let hash = self.recorder.hash_bytes(reply.bytes());
                let bytes = reply.bytes().len();
                let output = case.tool.as_ref().and_then(|tool| tool.output.as_ref());
                let inspected = inspect::reply(reply, output, redact_result, confinement, &self.pseudonyms);
                let Inspected { outcome, reply, redactions, faults } = inspected;
                let answer = match reply {
                    Some(reply) => {
                        text = self.result_text(case, &reply);
                        Answer::Reply(reply)
                    }
                    None => Answer::Refused(Box::new(withheld(case))),
                };
                (outcome, Some((hash, bytes, redactions, faults)), answer)
            }
            Err(ForwardError::Stale(stale)) => (Outcome::Refused, None, failed(case, stale.to_string(), false)),
            Err(ForwardError::Lost(lost @ Lost::NotSent(_))) => {
                (Outcome::Refused, None, failed(case, lost.to_string(), false))
            }
            Err(ForwardError::Lost(lost @ Lost::Unknown(_))) => {
                (Outcome::Unknown, None, failed(case, lost.to_string(), true))
            }
        };
        self.absorb(case, outcome);
        let (columns, labels) = (&case.columns, case.in_flight.labels());
        let mut result = Recorder::result(&mut self.recorder.stamp(), &effective.call, columns, outcome, labels);
        let event = &mut result.event;
        event.approval = case.approved.as_ref().map(Into::into);
        match &answer {
            Answer::Failed(failure) => event.text = Some(failure.text.as_str().into()),
            _ => event.confinement = Some(confinement.as_str().into()),
        }
        if let Some((hash, bytes, redactions, faults)) = inspected {
            event.result_hash = Some(hash.into());
            event.result_bytes = u64::try_from(bytes).ok();
            event.redactions = redactions;
            event.faults = faults.into();
        }
        if let Ok(text) = &text {
            event.payloads = text.payloads();
            say_left_out(event, text);
        }
        let record = result.encode();
        // The future must not hold the event while it waits.
        drop(result);
        // The text first: a record that was written says of nothing that it is kept which is not on its way.
        let kept = match text {
            Ok(text) => self.write_text_soon(text).await,
            Err(error) => Err(error),
        };
        let recorded = self.recorder.record_soon(record).await;
        if let Err(error) = kept.and(recorded) {
            // The tool ran and that cannot be said in the log: recovery will show the call as unknown. The agent must
            // not act on a result that no one can prove.
            tracing::error!(%error, "result withheld: the log cannot be written");
            return Answer::Failed(Failure {
                call: case.call.id.clone(),
                text: "the log cannot be written; the call ran and its result is withheld".to_owned(),
                may_have_run: true,
            });
        }
        answer
    }

    /// The session has seen what the tool says, whatever became of the answer. Nobody knows what an unknown call saw.
    fn absorb(&self, case: &Case, outcome: Outcome) {
        let label = match outcome {
            Outcome::Refused | Outcome::Expired | Outcome::Cancelled => return,
            Outcome::Unknown => Label { integrity: Integrity::ThirdParty, confidentiality: Confidentiality::Secret },
            Outcome::Ok | Outcome::ToolError | Outcome::Withheld => match &case.tool {
                Some(tool) => tool.description.label,
                None => case.snapshot.label(&case.call.target),
            },
        };
        lock(&case.in_flight.session).facts.see_output(label, &case.call.target.server);
    }
}

/// Says in the record that a text was too long to be kept.
fn say_left_out(event: &mut Event<'_>, text: &Text) {
    if let Some(reason) = &text.left_out {
        event.detail.insert("not_kept".to_owned(), reason.as_str().into());
    }
}

fn failed(case: &Case, text: String, may_have_run: bool) -> Answer {
    Answer::Failed(Failure { call: case.call.id.clone(), text, may_have_run })
}

fn withheld(case: &Case) -> crate::refusal::Refusal {
    crate::refusal::Refusal {
        call: case.call.id.clone(),
        verdict: Verdict::Deny,
        rule: RuleId::new(format!("result/{}", case.call.action())),
        reason: Some(
            "the tool ran; its result does not match the pinned output schema or could not be redacted".into(),
        ),
        schema: Vec::new(),
        allowed: "results that match the tool's pinned output schema".to_owned(),
        how_to_ask: "ask the operator to look at the call in the log".to_owned(),
        ticket: None,
        approval: None,
    }
}
