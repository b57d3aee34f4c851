//! Requests that wait for an answer.

use super::error::UpstreamError;
use crate::jsonrpc::Outcome;
use bytes::Bytes;
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};

/// Requests open at once on one connection.
pub const MAX_PENDING: usize = 1024;

/// What arrives for one request in the end.
pub(super) type Answer = Result<Outcome, UpstreamError>;

/// Where the progress of one request goes, and under which token it was asked for.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) token: Bytes,
    pub(super) sink: mpsc::Sender<Bytes>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Answer>,
    progress: Option<Progress>,
}

/// The open requests of one connection, by the number we gave them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    last: u64,
    waiting: HashMap<u64, Waiting>,
    /// Set once: nothing is opened after the end.
    ended: Option<UpstreamError>,
}

impl Pending {
    pub(super) fn open(&mut self) -> Result<(u64, oneshot::Receiver<Answer>), UpstreamError> {
        if let Some(error) = &self.ended {
            return Err(error.clone().undispatched());
        }
        if self.waiting.len() >= MAX_PENDING {
            return Err(UpstreamError::Busy);
        }
        self.last += 1;
        let (answer, receiver) = oneshot::channel();
        self.waiting.insert(self.last, Waiting { answer, progress: None });
        Ok((self.last, receiver))
    }

    /// Says where progress goes.
    pub(super) fn follow(&mut self, id: u64, progress: Progress) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.progress = Some(progress);
        }
    }

    /// Hands an answer over; `false` when nobody waits for it.
    pub(super) fn answer(&mut self, id: u64, answer: Answer) -> bool {
        let Some(waiting) = self.waiting.remove(&id) else {
            return false;
        };
        // A caller who stopped listening in this very moment is a cancelled one: nothing is lost.
        let _ = waiting.answer.send(answer);
        true
    }

    pub(super) fn forget(&mut self, id: u64) {
        self.waiting.remove(&id);
    }

    pub(super) fn is_open(&self, id: u64) -> bool {
        self.waiting.contains_key(&id)
    }

    pub(super) fn progress(&self, id: u64) -> Option<&Progress> {
        self.waiting.get(&id)?.progress.as_ref()
    }

    /// Ends everything; `false` when it had ended before.
    pub(super) fn end(&mut self, error: &UpstreamError) -> bool {
        if self.ended.is_some() {
            return false;
        }
        self.ended = Some(error.clone());
        for (_, waiting) in self.waiting.drain() {
            let _ = waiting.answer.send(Err(error.clone()));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once() {
        let mut pending = Pending::default();
        let (id, mut answer) = pending.open().unwrap();
        let outcome = Outcome::Result(Bytes::from_static(b"1"));
        assert!(pending.answer(id, Ok(outcome.clone())));
        assert!(!pending.answer(id, Ok(Outcome::Result(Bytes::from_static(b"2")))));
        assert_eq!(answer.try_recv().unwrap(), Ok(outcome));
    }

    #[test]
    fn the_limit_is_inclusive_and_frees_again() {
        let mut pending = Pending::default();
        let open: Vec<_> = (0..MAX_PENDING).map(|_| pending.open().unwrap()).collect();
        assert_eq!(pending.open().unwrap_err(), UpstreamError::Busy);
        pending.forget(open[0].0);
        assert!(pending.open().is_ok());
    }

    #[test]
    fn the_first_end_is_the_reason() {
        let mut pending = Pending::default();
        let (_, mut answer) = pending.open().unwrap();
        assert!(pending.end(&UpstreamError::Died { dispatched: true }));
        assert!(!pending.end(&UpstreamError::Closed { dispatched: true }));
        assert_eq!(answer.try_recv().unwrap(), Err(UpstreamError::Died { dispatched: true }));
        assert_eq!(pending.open().unwrap_err(), UpstreamError::Died { dispatched: false });
    }
}
