//! While a person is waited for: the stored call, the caller that is held, the answer, and the run that follows it.

use super::case::{Case, InFlight};
use super::fulfil::Effective;
use super::held::{decode, encode};
use super::keep::Writing;
use super::screen::Stop;
use super::{Answer, Failure, Pipeline};
use crate::input::{AskedBefore, NotAsked, Seen};
use crate::record::{CallEvent, Recorder};
use crate::refusal::{Refusal, Standing};
use crate::route::Route;
use crate::screening;
use crate::session::lock;
use crate::stored::StoredCall;
use govern::approval::{self, Approval, Asked, AskedGuard, CallBytes, RequestError, Requested, Say, State};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use vocab::event::Kind;
use vocab::id::{ApprovalId, Digest, RuleId, UserId};
use vocab::{Call, Decision, Verdict};

/// How often a held caller is looked after, beside every change of an approval.
const LOOK: Duration = Duration::from_millis(500);

/// What became of a person's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Where the approval stands now.
    pub state: State,
}

/// Why a person's answer did not count.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The approval's rules say so.
    #[error(transparent)]
    Approval(#[from] approval::AnswerError),
    /// It could not be recorded, so it has no effect.
    #[error("the answer could not be recorded: {0}")]
    Log(#[from] store::LogError),
}

impl Pipeline {
    /// Stores the effective call, asks, and holds the caller for a while.
    pub(super) async fn ask(self: &Arc<Self>, mut case: Box<Case>, effective: Effective) -> Answer {
        let id = approval_id(&store::id::new_uuid7(self.recorder.clock()));
        let requested = match self.request(&case, &effective, id) {
            Ok(requested) => requested,
            Err(error) => {
                let why = not_asked(&error);
                case.seen.not_asked = Some(why);
                let (rule, reason) = why.rule();
                let stop = Stop { how_to_ask: "wait for the answers that are due", ..Stop::new(rule, reason) };
                return self.stop(&mut case, stop).await;
            }
        };
        let (id, is_new) = match requested {
            Requested::New(id) => (id, true),
            Requested::Same(id, _) => (id, false),
        };
        if let Err(error) = self.record_ask(&mut case, &effective, &id, is_new).await {
            return Answer::Failed(Failure {
                call: case.call.id.clone(),
                text: error.to_string(),
                may_have_run: false,
            });
        }
        if is_new {
            tracing::warn!(approval = %id, action = case.call.action(), "a call waits for a person");
        }
        if case.approved.is_some() {
            // This is an approved call that needs another answer: its caller, if any, waits for the result.
            return Answer::Refused(Box::new(waiting(&case, &effective.decision, id, Standing::Pending)));
        }
        self.hold(&case, &effective.decision, id).await
    }

    /// Records a person's answer. Who the person is has been established. An approval that is complete runs the
    /// stored call.
    ///
    /// # Errors
    /// The answer does not count.
    pub async fn answer(
        self: &Arc<Self>,
        id: &ApprovalId,
        approver: &UserId,
        say: Say,
        reason: &str,
    ) -> Result<Answered, AnswerError> {
        let now_us = self.recorder.clock().now();
        let approvers = self.snapshot().project.settings.approvers.clone();
        let answer = approval::Answer { approver: approver.clone(), say, reason: reason.to_owned(), at_us: now_us };
        let (state, approval) = {
            let mut approvals = lock(&self.approvals);
            let state = approvals.answer(id, answer, &approvers)?;
            (state, approvals.find(id).cloned())
        };
        if let Some(approval) = approval {
            let kind = if say == Say::Approve { Kind::ApprovalGranted } else { Kind::ApprovalDenied };
            self.recorder.record(self.approval_record(kind, &approval, Some((approver, reason)))).await?;
            if state == State::Approved {
                let pipeline = Arc::clone(self);
                tokio::spawn(async move { pipeline.run_approved(approval).await });
            }
        }
        self.approvals_changed.send_modify(|changes| *changes = changes.wrapping_add(1));
        Ok(Answered { state })
    }

    /// Ends asks that nobody answered in time, and runs what was approved before a restart cut it short. Call it every
    /// second or so.
    pub async fn tend_approvals(self: &Arc<Self>) {
        let now_us = self.recorder.clock().now();
        let (expired, approved) = {
            let mut approvals = lock(&self.approvals);
            let expired = approvals.expire(now_us);
            let _ = approvals.prune(now_us);
            let approved: Vec<Approval> =
                approvals.iter().filter(|approval| approval.state == State::Approved).cloned().collect();
            (expired, approved)
        };
        match expired {
            Ok(expired) if expired.is_empty() => {}
            Ok(expired) => {
                for approval in &expired {
                    let record = self.approval_record(Kind::ApprovalExpired, approval, None);
                    if let Err(error) = self.recorder.record(record).await {
                        tracing::error!(%error, "expiry could not be recorded");
                    }
                }
                self.approvals_changed.send_modify(|changes| *changes = changes.wrapping_add(1));
            }
            Err(error) => tracing::error!(%error, "approvals could not be ended"),
        }
        for approval in approved {
            self.run_approved(approval).await;
        }
    }

    /// Looks at the approvals.
    pub fn approvals<T>(&self, look: impl FnOnce(&mut dyn Iterator<Item = &Approval>) -> T) -> T {
        look(&mut lock(&self.approvals).iter())
    }

    /// The stored call of an approval, for the person who answers.
    #[must_use]
    pub fn stored_call(&self, id: &ApprovalId) -> Option<Call> {
        let bytes = lock(&self.approvals).find(id)?.asked.call.0.clone();
        serde_json::from_slice::<StoredCall>(&bytes).ok()?.revive()
    }

    fn request(&self, case: &Case, effective: &Effective, id: ApprovalId) -> Result<Requested, RequestError> {
        let stored = StoredCall::of(&effective.call, &effective.fulfilled, &case.columns.args_hash);
        let bytes = serde_json::to_vec(&stored).map_err(|_| RequestError::TooLong)?;
        let decision = &effective.decision;
        let asking = |verdict: Verdict| verdict == Verdict::Ask || verdict == Verdict::Sandbox;
        let guards = decision.reasons.iter().filter(|reason| asking(reason.verdict) && reason.discharged_by.is_none());
        let guards = guards.filter_map(|reason| {
            let text = case.snapshot.bundle.guard_text_digest(&reason.rule)?;
            Some(AskedGuard { rule: reason.rule.clone(), text: text.clone() })
        });
        let asked = Asked {
            session: case.call.session.clone(),
            agent: case.call.principal.agent.clone(),
            tier: case.columns.tier.unwrap_or(vocab::Tier::Critical),
            user: case.call.principal.user.clone(),
            action: case.call.action().to_owned(),
            args_hash: case.columns.args_hash.clone(),
            effective_hash: self.recorder.hash_value(effective.call.arguments.examine()),
            definition: case.columns.definition.clone().unwrap_or_else(|| Digest::new("none")),
            bundle: decision.bundle.clone(),
            guards: guards.collect(),
            approvers: decision.obligations.approvers.clone(),
            quorum: decision.obligations.quorum.unwrap_or(1),
            call: CallBytes(bytes),
        };
        let ttl_s = decision.obligations.ttl_s.unwrap_or(case.snapshot.project.settings.ask.ttl_s);
        lock(&self.approvals).request(id, asked, ttl_s, self.recorder.clock().now())
    }

    async fn record_ask(
        &self,
        case: &mut Case,
        effective: &Effective,
        id: &ApprovalId,
        is_new: bool,
    ) -> Result<(), store::LogError> {
        let (records, writing) = self.asked(case, effective, id, is_new)?;
        self.recorded(writing, Ok(records)).await
    }

    /// The records of a call that a person is asked about.
    fn asked(
        &self,
        case: &Case,
        effective: &Effective,
        id: &ApprovalId,
        is_new: bool,
    ) -> Result<(Vec<Vec<u8>>, Writing), store::LogError> {
        let mut stamp = self.recorder.stamp();
        let mut records = self.opening(case, &mut stamp)?;
        let Effective { decision, latency_us, redactions, .. } = effective;
        let mut decided = Recorder::decision(&mut stamp, &case.call, &case.columns, decision, *latency_us);
        decided.event.redactions.clone_from(redactions);
        decided.event.approval = Some(id.into());
        let writing = self.keep(case).put_into(&mut decided.event);
        records.push(decided.encode()?);
        if is_new {
            let mut requested = Recorder::call_event(Kind::ApprovalRequested, &mut stamp, &case.call, &case.columns);
            requested.event.approval = Some(id.into());
            records.push(requested.encode()?);
        }
        Ok((records, writing))
    }

    /// Holds the caller until the approval is settled, the hold is over, or the caller is gone.
    async fn hold(&self, case: &Case, decision: &Decision, id: ApprovalId) -> Answer {
        let mut changes = self.approvals_changed.subscribe();
        let hold = Duration::from_secs(case.snapshot.project.settings.ask.hold_s);
        let until = tokio::time::Instant::now() + hold;
        loop {
            let now_us = self.recorder.clock().now();
            let state = lock(&self.approvals).find(&id).map(|approval| approval.state);
            let standing = match state {
                Some(State::Denied) => Some(Standing::Denied),
                Some(State::Expired) | None => Some(Standing::Expired),
                Some(State::Consumed) if case.alive.is_alive() => {
                    let (session, action) = (&case.call.session, case.call.action());
                    let held = lock(&self.approvals).take_result(session, action, &case.columns.args_hash, now_us);
                    if let Some(answer) = held.and_then(|held| decode(&held)) {
                        return answer;
                    }
                    None
                }
                Some(State::Pending | State::Approved | State::Consumed) => None,
            };
            if let Some(standing) = standing {
                return Answer::Refused(Box::new(waiting(case, decision, id, standing)));
            }
            if tokio::time::Instant::now() >= until || !case.alive.is_alive() {
                return Answer::Refused(Box::new(waiting(case, decision, id, Standing::Pending)));
            }
            let next = until.min(tokio::time::Instant::now() + LOOK);
            let _ = tokio::time::timeout_at(next, changes.changed()).await;
        }
    }

    /// Uses an approval: the stored call is decided on fresh facts and runs if nothing but what was approved stands in
    /// its way. Its result is held for whoever waits, or for one identical retry.
    async fn run_approved(self: &Arc<Self>, approval: Approval) {
        let now_us = self.recorder.clock().now();
        let consumed = lock(&self.approvals).consume(&approval.id, &approval.asked.session, now_us);
        let approval = match consumed {
            Ok(approval) => approval,
            Err(error) => {
                tracing::warn!(approval = %approval.id, %error, "approval not used");
                return;
            }
        };
        let answer = self.run_stored(&approval).await;
        let stored = encode(&answer)
            .map(|bytes| lock(&self.approvals).store_result(&approval.id, bytes, self.recorder.clock().now()));
        if !matches!(stored, Some(Ok(()))) {
            tracing::warn!(approval = %approval.id, "result of an approved call is not held");
        }
        self.approvals_changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    async fn run_stored(self: &Arc<Self>, approval: &Approval) -> Answer {
        let unusable = |text: &str| {
            let call = vocab::id::CallId::new("unknown");
            Answer::Failed(Failure { call, text: text.to_owned(), may_have_run: false })
        };
        let Ok(stored) = serde_json::from_slice::<StoredCall>(&approval.asked.call.0) else {
            return unusable("the stored call cannot be read");
        };
        let (fulfilled, args_hash) = (stored.fulfilled.clone(), stored.args_hash.clone());
        let Some(call) = stored.revive() else { return unusable("the stored call cannot be read") };
        let Some(routes) = self.routes.get() else { return unusable("no way to the server") };
        let route = match routes.route(&call.session, &call.principal, &call.target).await {
            Ok(route) => route,
            Err(text) => return Answer::Failed(Failure { call: call.id.clone(), text, may_have_run: false }),
        };
        let mut case = match self.reopen(call, route, args_hash, approval, fulfilled) {
            Ok(case) => case,
            Err(answer) => return answer,
        };
        if let Err(stop) = Self::screen(&mut case) {
            return self.stop(&mut case, stop).await;
        }
        let asked_about = &approval.asked.definition;
        if case.columns.definition.as_ref().is_some_and(|definition| definition != asked_about) {
            let (rule, reason) = screening::APPROVED_OTHERWISE;
            let stop = Stop::new(rule, reason);
            return self.stop(&mut case, stop).await;
        }
        let judgement = Self::judge(&mut case);
        Box::pin(self.fulfil(case, judgement)).await
    }

    /// A case for a stored call.
    fn reopen(
        &self,
        call: Call,
        route: Arc<dyn Route>,
        args_hash: String,
        approval: &Approval,
        fulfilled: BTreeSet<String>,
    ) -> Result<Box<Case>, Answer> {
        let snapshot = self.snapshot();
        let clock = self.recorder.clock().clone();
        let now_us = clock.now();
        let (session, _) = self.sessions.enter(&call.session, &call.principal.agent, now_us).map_err(|full| {
            Answer::Failed(Failure { call: call.id.clone(), text: full.to_string(), may_have_run: false })
        })?;
        let tool = snapshot.tool(&call.target).cloned();
        let columns = self.columns(&snapshot, tool.as_deref(), &call, args_hash);
        let in_flight = InFlight::begin(session, &call, clock, now_us);
        let gathered = self.gather(&snapshot, &call, &in_flight.session, fulfilled, approval.discharges());
        let (alive, begins) = (super::Alive::default(), false);
        let asked = AskedBefore { id: approval.id.clone(), definition: approval.asked.definition.clone() };
        let (approved, seen) = (Some(approval.id.clone()), Seen { approved: Some(asked), ..Seen::default() });
        Ok(Box::new(Case { call, route, alive, snapshot, tool, columns, in_flight, begins, approved, gathered, seen }))
    }

    /// An event about an approval, with who said what to it, if somebody did.
    fn approval_record(
        &self,
        kind: Kind,
        approval: &Approval,
        said: Option<(&UserId, &str)>,
    ) -> Result<Vec<u8>, store::LogError> {
        let call = self.stored(approval).map(|(call, args_hash)| {
            let snapshot = self.snapshot();
            let tool = snapshot.tool(&call.target).map(|tool| &**tool);
            let columns = self.columns(&snapshot, tool, &call, args_hash);
            (call, columns)
        });
        let mut recorded = match &call {
            Some((call, columns)) => Recorder::call_event(kind, &mut self.recorder.stamp(), call, columns),
            None => CallEvent::whole(self.recorder.event(kind)),
        };
        let event = &mut recorded.event;
        event.approval = Some((&approval.id).into());
        event.detail.insert("state".to_owned(), format!("{:?}", approval.state).to_lowercase().into());
        if let Some((approver, reason)) = said {
            event.approver = Some(approver.into());
            event.text = (!reason.is_empty()).then(|| reason.into());
        }
        recorded.encode()
    }

    fn stored(&self, approval: &Approval) -> Option<(Call, String)> {
        let stored: StoredCall = serde_json::from_slice(&approval.asked.call.0).ok()?;
        let args_hash = stored.args_hash.clone();
        Some((stored.revive()?, args_hash))
    }
}

/// An id short enough to be typed: 32 random bits, and an id that is taken is refused.
fn approval_id(uuid: &str) -> ApprovalId {
    let tail: String = uuid.chars().rev().take(8).collect::<Vec<char>>().into_iter().rev().collect();
    ApprovalId::new(format!("ap-{tail}"))
}

/// Why nobody is asked: the call is denied.
fn not_asked(error: &RequestError) -> NotAsked {
    match error {
        RequestError::RefusedBefore => NotAsked::RefusedBefore,
        RequestError::TooManyOpen => NotAsked::TooManyOpen,
        RequestError::TooManyThisHour => NotAsked::TooMany,
        RequestError::TooLong | RequestError::Full | RequestError::Id | RequestError::File(_) => NotAsked::NotKept,
    }
}

fn waiting(case: &Case, decision: &Decision, id: ApprovalId, standing: Standing) -> Refusal {
    let asking = decision.reasons.iter().find(|reason| reason.discharged_by.is_none());
    Refusal {
        call: case.call.id.clone(),
        verdict: if standing == Standing::Pending { Verdict::Ask } else { Verdict::Deny },
        rule: asking.map_or_else(|| RuleId::new("approval"), |reason| reason.rule.clone()),
        reason: asking.and_then(|reason| reason.text.as_deref()).map(ToOwned::to_owned),
        schema: Vec::new(),
        allowed: "this very call, once a person has approved it".to_owned(),
        how_to_ask: format!("a person answers with `mortise approvals approve {id}`"),
        ticket: Some(id),
        approval: Some(standing),
    }
}
