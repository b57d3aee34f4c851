//! Sessions: one run of an agent, with its labels and counters.

use flow::{Rate, Repeats, SessionFacts, Window};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vocab::id::{AgentId, SessionId};

/// Sessions kept at once. A new one beyond it evicts the longest idle; if none is idle, the call is refused.
pub const MAX_SESSIONS: usize = 4_096;

/// What is known of one session.
pub struct Session {
    /// Counters and sticky labels.
    pub facts: SessionFacts,
    /// How often each guard has refused.
    pub repeats: Repeats,
    /// The agent it belongs to.
    pub agent: AgentId,
}

impl Session {
    /// For how long nothing has happened, microseconds; `None` while a call is in flight.
    fn idle_us(&self, now_us: i64) -> Option<u64> {
        self.facts.idle_since().map(|since| u64::try_from(now_us).unwrap_or(0).saturating_sub(since))
    }
}

/// All sessions of a gateway.
pub struct Sessions {
    /// Locked for look-ups only; each session has its own lock.
    table: Mutex<HashMap<SessionId, Arc<Mutex<Session>>>>,
    idle_us: u64,
    capacity: usize,
    /// What sessions have done that are not in the table, and until when one of them may come back.
    forgotten: Option<(SessionFacts, i64)>,
}

/// No room for a further session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_SESSIONS} sessions are open and none is idle")]
pub struct TooManySessions;

impl Sessions {
    /// An empty table. A session idle for `idle_us` microseconds starts anew.
    #[must_use]
    pub fn new(idle_us: u64) -> Self {
        Self::with_capacity(idle_us, MAX_SESSIONS)
    }

    pub(crate) fn with_capacity(idle_us: u64, capacity: usize) -> Self {
        Self { table: Mutex::new(HashMap::new()), idle_us, capacity, forgotten: None }
    }

    /// Until then a session begins with these facts: it may be one that there was no room to remember.
    pub(crate) fn begin_as(&mut self, facts: SessionFacts, until_us: i64) {
        self.forgotten = Some((facts, until_us));
    }

    /// The session, and whether it begins now.
    ///
    /// # Errors
    /// The table is full of sessions that are not idle.
    pub fn enter(
        &self,
        id: &SessionId,
        agent: &AgentId,
        now_us: i64,
    ) -> Result<(Arc<Mutex<Session>>, bool), TooManySessions> {
        let mut table = lock(&self.table);
        if let Some(session) = table.get(id) {
            if lock(session).idle_us(now_us).is_none_or(|idle_us| idle_us < self.idle_us) {
                return Ok((Arc::clone(session), false));
            }
            table.remove(id);
        }
        if table.len() >= self.capacity {
            self.evict(&mut table, now_us)?;
        }
        let forgotten = self.forgotten.as_ref().filter(|(_, until_us)| now_us < *until_us);
        let session = Session {
            facts: forgotten
                .map_or_else(|| SessionFacts::new(u64::try_from(now_us).unwrap_or(0)), |(facts, _)| facts.clone()),
            repeats: Repeats::default(),
            agent: agent.clone(),
        };
        let session = Arc::new(Mutex::new(session));
        table.insert(id.clone(), Arc::clone(&session));
        Ok((session, true))
    }

    /// The session, if it is open.
    #[must_use]
    pub fn find(&self, id: &SessionId) -> Option<Arc<Mutex<Session>>> {
        lock(&self.table).get(id).cloned()
    }

    /// The calls of the last minute by agent, over all its sessions: what a restart knows of them. Each counts from its
    /// session's latest call on, so that none is forgotten too early.
    pub(crate) fn agent_rates(&self, now_us: i64) -> HashMap<AgentId, Window> {
        let now_us = u64::try_from(now_us).unwrap_or(0);
        let mut rates = HashMap::new();
        for session in lock(&self.table).values() {
            let session = lock(session);
            let rate = rates.entry(session.agent.clone()).or_insert_with(Window::minute);
            for _ in 0..session.facts.all().rate(Rate::PerMinute, now_us) {
                rate.hit(session.facts.last_seen_us());
            }
        }
        rates
    }

    /// How many sessions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.table).len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn evict(&self, table: &mut HashMap<SessionId, Arc<Mutex<Session>>>, now_us: i64) -> Result<(), TooManySessions> {
        let idle = table.iter().filter_map(|(id, session)| {
            let idle_us = lock(session).idle_us(now_us).filter(|idle_us| *idle_us >= self.idle_us)?;
            Some((idle_us, id.clone()))
        });
        let (_, longest) = idle.max_by_key(|(idle_us, _)| *idle_us).ok_or(TooManySessions)?;
        table.remove(&longest);
        Ok(())
    }
}

/// A lock whose holder panicked is still a lock: the data are counters and sets that are valid after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;
    const HALF_HOUR: u64 = 30 * 60_000_000;

    #[test]
    fn a_session_lasts_until_it_has_been_idle_long_enough() {
        let sessions = Sessions::new(HALF_HOUR);
        let (id, agent) = (SessionId::new("s"), AgentId::new("a"));
        assert!(sessions.enter(&id, &agent, 0).unwrap().1);
        assert!(!sessions.enter(&id, &agent, 30 * MINUTE - 1).unwrap().1);
        assert!(sessions.enter(&id, &agent, 31 * MINUTE).unwrap().1);
    }

    #[test]
    fn a_full_table_refuses_rather_than_forgets_a_live_session() {
        let sessions = Sessions::with_capacity(HALF_HOUR, 2);
        let agent = AgentId::new("a");
        for name in ["one", "two"] {
            sessions.enter(&SessionId::new(name), &agent, 0).unwrap();
        }
        let third = SessionId::new("three");
        assert!(matches!(sessions.enter(&third, &agent, MINUTE), Err(TooManySessions)));
        assert!(sessions.enter(&third, &agent, 31 * MINUTE).is_ok());
        assert_eq!(sessions.len(), 2);
    }
}
