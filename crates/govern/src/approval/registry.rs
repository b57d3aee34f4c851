//! All asked calls of a gateway.

use super::answering::{AnswerError, Approvers, answered};
use super::files::{ApprovalFileError, ApprovalFiles};
use super::held::{Held, MAX_RESULT_BYTES};
use super::record::{Answer, Approval, Asked, MAX_CALL_BYTES, State};
use std::collections::BTreeMap;
use thiserror::Error;
use vocab::id::{ApprovalId, SessionId};

/// The hour over which asks of an agent are counted, microseconds.
pub const HOUR_US: i64 = 3_600 * 1_000_000;

/// How long a settled approval is kept, microseconds: a week, far beyond any session a refusal holds for.
pub const KEPT_US: i64 = 7 * 24 * HOUR_US;

/// Most approvals kept at once. Reaching it refuses new asks; old ones make room by [`Approvals::prune`].
pub const MAX_KEPT: usize = 10_000;

/// How much may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskLimits {
    /// Pending asks of one session.
    pub open_per_session: usize,
    /// Asks of one agent within an hour.
    pub per_hour: usize,
}

impl From<crate::project::Ask> for AskLimits {
    fn from(ask: crate::project::Ask) -> Self {
        Self { open_per_session: ask.max_open_per_session, per_hour: ask.max_per_hour }
    }
}

/// All asked calls of a gateway. Time never goes back between calls.
#[derive(Debug)]
pub struct Approvals<F> {
    files: F,
    limits: AskLimits,
    by_id: BTreeMap<ApprovalId, Approval>,
    held: Held,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// People are asked.
    New(ApprovalId),
    /// The same question stands already; an approved one can be consumed at once.
    Same(ApprovalId, State),
}

/// Why nobody is asked. The call is denied.
#[derive(Debug, Error)]
pub enum RequestError {
    /// Somebody refused this call in this session.
    #[error("the same call was refused before")]
    RefusedBefore,
    /// The session has as many open asks as it may.
    #[error("the session has too many open asks")]
    TooManyOpen,
    /// The agent has asked as often as it may.
    #[error("the agent has asked too often within an hour")]
    TooManyThisHour,
    /// The call is longer than [`MAX_CALL_BYTES`].
    #[error("the call is too long to wait")]
    TooLong,
    /// [`MAX_KEPT`] are kept.
    #[error("too many approvals are kept")]
    Full,
    /// The id is taken or no plain name.
    #[error("the approval's id cannot be used")]
    Id,
    /// It could not be kept, so nobody is asked.
    #[error(transparent)]
    File(#[from] ApprovalFileError),
}

/// Why an approval cannot be used.
#[derive(Debug, Error)]
pub enum ConsumeError {
    /// There is none of this id for this session.
    #[error("there is no such approval")]
    Unknown,
    /// It is not approved, no longer, or used.
    #[error("the approval cannot be used")]
    NotApproved(State),
    /// The use could not be kept, so it does not happen.
    #[error(transparent)]
    File(#[from] ApprovalFileError),
}

/// Why a result is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StoreResultError {
    /// There is no consumed approval of this id.
    #[error("there is no such approval")]
    Unknown,
    /// Longer than [`MAX_RESULT_BYTES`].
    #[error("the result is too long to be held")]
    TooLong,
}

impl<F: ApprovalFiles> Approvals<F> {
    /// Opens what was kept. Files that do not open are named: their approvals are as if they had never been.
    ///
    /// # Errors
    /// When the files cannot be listed.
    pub fn open(files: F, limits: AskLimits) -> Result<(Self, Vec<ApprovalId>), ApprovalFileError> {
        let mut by_id = BTreeMap::new();
        let mut damaged = Vec::new();
        for id in files.list()? {
            match files.read(&id).ok().and_then(|bytes| serde_json::from_slice::<Approval>(&bytes).ok()) {
                Some(approval) if approval.id == id => drop(by_id.insert(id, approval)),
                _ => damaged.push(id),
            }
        }
        Ok((Self { files, limits, by_id, held: Held::default() }, damaged))
    }

    /// Takes over changed limits.
    pub const fn set_limits(&mut self, limits: AskLimits) {
        self.limits = limits;
    }

    /// Asks. The same question collapses into the one that stands; another question about the same call takes the
    /// place of an open one.
    ///
    /// # Errors
    /// When nobody may be asked, or asking cannot be kept.
    pub fn request(
        &mut self,
        id: ApprovalId,
        asked: Asked,
        ttl_s: u64,
        now_us: i64,
    ) -> Result<Requested, RequestError> {
        let same_edge = || self.by_id.values().filter(|approval| approval.asked.is_same_edge(&asked));
        if same_edge().any(|approval| approval.state == State::Denied) {
            return Err(RequestError::RefusedBefore);
        }
        let standing = same_edge().find(|approval| is_live(approval, now_us)).cloned();
        if let Some(standing) = &standing
            && standing.asked.is_same_question(&asked)
        {
            return Ok(Requested::Same(standing.id.clone(), standing.state));
        }
        self.check_limits(&id, &asked, standing.as_ref(), now_us)?;
        if let Some(standing) = standing {
            self.keep(Approval { state: State::Expired, ..standing })?;
        }
        let ttl_us = i64::try_from(ttl_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        self.keep(Approval {
            id: id.clone(),
            state: State::Pending,
            asked,
            answers: Vec::new(),
            requested_us: now_us,
            expires_us: now_us.saturating_add(ttl_us),
        })?;
        Ok(Requested::New(id))
    }

    /// Records one person's answer. Whether the person is who he says is established before.
    ///
    /// # Errors
    /// When the answer does not count. The approval stays as it was.
    pub fn answer(&mut self, id: &ApprovalId, answer: Answer, approvers: &Approvers) -> Result<State, AnswerError> {
        let approval = self.by_id.get(id).ok_or(AnswerError::Unknown)?;
        let approval = answered(approval, answer, approvers)?;
        let state = approval.state;
        self.keep(approval)?;
        Ok(state)
    }

    /// Uses an approval, once. The caller then decides the stored call anew with [`Approval::discharges`].
    ///
    /// # Errors
    /// When it is not there, not approved, too old or used, or its use cannot be kept.
    pub fn consume(&mut self, id: &ApprovalId, session: &SessionId, now_us: i64) -> Result<Approval, ConsumeError> {
        let approval = self.by_id.get(id).filter(|approval| approval.asked.session == *session);
        let approval = approval.ok_or(ConsumeError::Unknown)?.clone();
        if approval.state != State::Approved {
            return Err(ConsumeError::NotApproved(approval.state));
        }
        if !approval.is_in_time(now_us) {
            return Err(ConsumeError::NotApproved(State::Expired));
        }
        let consumed = Approval { state: State::Consumed, ..approval };
        self.keep(consumed.clone())?;
        Ok(consumed)
    }

    /// Ends what has waited too long. Gives what has just expired.
    ///
    /// # Errors
    /// When it cannot be kept; what was not kept is tried again next time, and is not usable meanwhile.
    pub fn expire(&mut self, now_us: i64) -> Result<Vec<Approval>, ApprovalFileError> {
        let late = |approval: &&Approval| !approval.state.is_settled() && !approval.is_in_time(now_us);
        let late: Vec<Approval> = self.by_id.values().filter(late).cloned().collect();
        let mut expired = Vec::with_capacity(late.len());
        for approval in late {
            let approval = Approval { state: State::Expired, ..approval };
            self.keep(approval.clone())?;
            expired.push(approval);
        }
        Ok(expired)
    }

    /// Drops what was settled more than [`KEPT_US`] ago.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn prune(&mut self, now_us: i64) -> Result<(), ApprovalFileError> {
        let old = |approval: &Approval| now_us.saturating_sub(approval.expires_us) > KEPT_US;
        self.drop_settled(old)
    }

    /// Drops what is settled of a session that has ended: its refusals no longer bind anybody.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn forget_session(&mut self, session: &SessionId, now_us: i64) -> Result<(), ApprovalFileError> {
        self.held.forget(session);
        // The agent's hourly count outlives the session, or ending sessions would buy more asks.
        let recent = |approval: &Approval| now_us.saturating_sub(approval.requested_us) < HOUR_US;
        self.drop_settled(|approval| approval.asked.session == *session && !recent(approval))
    }

    /// Holds the result of a consumed approval for one identical retry.
    ///
    /// # Errors
    /// When it is too long or there is no such approval.
    pub fn store_result(&mut self, id: &ApprovalId, result: Vec<u8>, now_us: i64) -> Result<(), StoreResultError> {
        let approval = self.by_id.get(id).filter(|approval| approval.state == State::Consumed);
        let approval = approval.ok_or(StoreResultError::Unknown)?;
        if result.len() > MAX_RESULT_BYTES {
            return Err(StoreResultError::TooLong);
        }
        self.held.put(&approval.asked, result, now_us);
        Ok(())
    }

    /// The held result of the same call, once.
    pub fn take_result(&mut self, session: &SessionId, action: &str, args_hash: &str, now_us: i64) -> Option<Vec<u8>> {
        self.held.take(session, action, args_hash, now_us)
    }

    /// One approval.
    #[must_use]
    pub fn find(&self, id: &ApprovalId) -> Option<&Approval> {
        self.by_id.get(id)
    }

    /// All approvals that are kept, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Approval> {
        self.by_id.values()
    }

    /// What waits for people now.
    pub fn pending(&self, now_us: i64) -> impl Iterator<Item = &Approval> {
        self.by_id.values().filter(move |approval| approval.state == State::Pending && is_live(approval, now_us))
    }

    fn check_limits(
        &self,
        id: &ApprovalId,
        asked: &Asked,
        replaced: Option<&Approval>,
        now_us: i64,
    ) -> Result<(), RequestError> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        let text = id.as_str();
        if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) || self.by_id.contains_key(id) {
            return Err(RequestError::Id);
        }
        if asked.call.0.len() > MAX_CALL_BYTES {
            return Err(RequestError::TooLong);
        }
        let open = self.pending(now_us).filter(|approval| approval.asked.session == asked.session);
        let open = open.filter(|approval| replaced.is_none_or(|replaced| replaced.id != approval.id)).count();
        if open >= self.limits.open_per_session {
            return Err(RequestError::TooManyOpen);
        }
        let recent = |approval: &&Approval| now_us.saturating_sub(approval.requested_us) < HOUR_US;
        let by_agent = self.by_id.values().filter(|approval| approval.asked.agent == asked.agent);
        if by_agent.filter(recent).count() >= self.limits.per_hour {
            return Err(RequestError::TooManyThisHour);
        }
        if self.by_id.len() >= MAX_KEPT { Err(RequestError::Full) } else { Ok(()) }
    }

    /// Writes, then believes.
    fn keep(&mut self, approval: Approval) -> Result<(), ApprovalFileError> {
        let bytes = serde_json::to_vec(&approval).map_err(|_| ApprovalFileError::Damaged)?;
        self.files.write(&approval.id, &bytes)?;
        self.by_id.insert(approval.id.clone(), approval);
        Ok(())
    }

    fn drop_settled(&mut self, chosen: impl Fn(&Approval) -> bool) -> Result<(), ApprovalFileError> {
        let settled = self.by_id.values().filter(|approval| approval.state.is_settled() && chosen(approval));
        for id in settled.map(|approval| approval.id.clone()).collect::<Vec<_>>() {
            self.files.remove(&id)?;
            self.by_id.remove(&id);
        }
        Ok(())
    }
}

/// Whether something may still come of it.
fn is_live(approval: &Approval, now_us: i64) -> bool {
    !approval.state.is_settled() && approval.is_in_time(now_us)
}

#[cfg(test)]
mod tests;
