//! Appends waiting for the committer.

use super::{
    error::LogError,
    frame::{HEADER_BYTES, MAX_RECORD_BYTES},
    options::{COMMIT_BYTES, LAZY_WAIT, MAX_APPEND_BYTES, QUEUE_BYTES},
};
use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::{Semaphore, oneshot};

/// How an append learns that it is durable.
pub(crate) type Reply = oneshot::Sender<Result<Range<u64>, LogError>>;

/// One append, checked against the limits.
pub(crate) struct Append {
    pub(crate) records: Vec<Vec<u8>>,
    /// Without one, nobody waits.
    pub(crate) reply: Option<Reply>,
    bytes: usize,
}

/// A bounded queue: at most [`QUEUE_BYTES`] are between an append and its tiles.
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    /// Bytes there is room for; taken by an append, given back when it is committed and in the tree. Fair: appends enter in the order in which they began to wait.
    room: Semaphore,
}

/// Held by each thread that serves the queue: a thread that ends early ends the log.
pub(crate) struct KillOnExit(pub(crate) Arc<Queue>);

/// What the committer waits for. Waking a thread costs about as much as writing a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// Nothing: it is busy, and looks by itself.
    No,
    /// Any append.
    ForAny,
    /// An append that somebody waits for.
    ForUrgent,
}

struct State {
    appends: VecDeque<Append>,
    /// How many of them somebody waits for.
    urgent: usize,
    /// When the oldest append that nobody waits for came.
    lazy_since: Option<Instant>,
    /// What the committer is to be woken for.
    waiting: Waiting,
    /// Set once: no further append enters.
    end: Option<LogError>,
}

impl Append {
    pub(crate) fn new(records: Vec<Vec<u8>>, reply: Option<Reply>) -> Result<Self, LogError> {
        if let Some(record) = records.iter().find(|record| record.len() > MAX_RECORD_BYTES) {
            return Err(LogError::RecordTooLong(record.len()));
        }
        let bytes: usize = records.iter().map(|record| HEADER_BYTES + record.len()).sum();
        if bytes > MAX_APPEND_BYTES {
            return Err(LogError::AppendTooLong(bytes));
        }
        // An append of nothing waits in line, too.
        let bytes = bytes.max(HEADER_BYTES);
        Ok(Self { records, reply, bytes })
    }

    pub(crate) fn answer(&mut self, answer: Result<Range<u64>, LogError>) {
        if let Some(reply) = self.reply.take() {
            // Whoever no longer waits does not want to know.
            let _ = reply.send(answer);
        }
    }

    /// Bytes the append takes of the queue.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn permits(&self) -> u32 {
        u32::try_from(self.bytes).unwrap_or(u32::MAX)
    }
}

impl Queue {
    pub(crate) fn new() -> Self {
        let state = State { appends: VecDeque::new(), urgent: 0, lazy_since: None, waiting: Waiting::No, end: None };
        Self { state: Mutex::new(state), arrived: Condvar::new(), room: Semaphore::new(QUEUE_BYTES) }
    }

    /// Waits for room and enters.
    pub(crate) async fn push(&self, append: Append) -> Result<(), LogError> {
        match self.room.acquire_many(append.permits()).await {
            Ok(permits) => permits.forget(),
            Err(_) => return Err(self.end().unwrap_or(LogError::Closed)),
        }
        let mut state = self.lock();
        if let Some(end) = &state.end {
            return Err(end.clone());
        }
        if append.reply.is_some() {
            state.urgent += 1;
        } else {
            state.lazy_since.get_or_insert_with(Instant::now);
        }
        state.appends.push_back(append);
        let wakes = match state.waiting {
            Waiting::No => false,
            Waiting::ForAny => true,
            Waiting::ForUrgent => state.urgent > 0,
        };
        if wakes {
            state.waiting = Waiting::No;
        }
        drop(state);
        if wakes {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for appends and takes those of the next commit, in order. `None`: there will be no more.
    pub(crate) fn take(&self) -> Option<Vec<Append>> {
        let mut state = self.lock();
        loop {
            if state.appends.is_empty() {
                if state.end.is_some() {
                    return None;
                }
                state.waiting = Waiting::ForAny;
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if state.end.is_some() {
                break;
            }
            let wait = match state.lazy_since {
                Some(since) if state.urgent == 0 => LAZY_WAIT.saturating_sub(since.elapsed()),
                _ => break,
            };
            if wait.is_zero() {
                break;
            }
            state.waiting = Waiting::ForUrgent;
            state = self.arrived.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting = Waiting::No;
        Some(state.take_commit())
    }

    /// Gives the room of appends back that are done with.
    pub(crate) fn release(&self, bytes: usize) {
        self.room.add_permits(bytes);
    }

    /// Lets nobody in any more; what is waiting is still committed.
    pub(crate) fn close(&self) {
        self.lock().end.get_or_insert(LogError::Closed);
        self.room.close();
        self.arrived.notify_all();
    }

    /// Fails everything waiting and everything that comes. The first reason stays.
    pub(crate) fn kill(&self, reason: Arc<str>) {
        let mut state = self.lock();
        let dead = LogError::Dead(reason);
        match &state.end {
            Some(LogError::Dead(_)) => {}
            _ => state.end = Some(dead.clone()),
        }
        let waiting = std::mem::take(&mut state.appends);
        drop(state);
        self.room.close();
        self.arrived.notify_all();
        for mut append in waiting {
            append.answer(Err(dead.clone()));
        }
    }

    /// Why nobody is let in any more.
    pub(crate) fn end(&self) -> Option<LogError> {
        self.lock().end.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_commit(&mut self) -> Vec<Append> {
        let mut taken = Vec::with_capacity(self.appends.len());
        let mut bytes = 0;
        while bytes < COMMIT_BYTES
            && let Some(append) = self.appends.pop_front()
        {
            bytes += append.bytes;
            self.urgent -= usize::from(append.reply.is_some());
            taken.push(append);
        }
        self.lazy_since = self.appends.iter().any(|append| append.reply.is_none()).then(Instant::now);
        taken
    }
}

impl Drop for KillOnExit {
    fn drop(&mut self) {
        // In good order the queue is closed, and stays so.
        if self.0.end().is_none() {
            self.0.kill("a thread of the log ended early".into());
        }
    }
}
