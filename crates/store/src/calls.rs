//! Which calls of a log were left open.

use std::collections::BTreeMap;
use vocab::{
    Event, Verdict,
    event::{Kind, Outcome},
};

/// A call that began and has no end in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The call.
    pub call: String,
    /// Its session, where the event says.
    pub session: Option<String>,
    /// Record of the dispatch, or of the decision where there was none.
    pub index: u64,
    /// What may have happened.
    pub state: CallState,
}

/// What may have happened to an unfinished call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Decided, never dispatched: it did not run.
    NotRun,
    /// Dispatched, without a result: nobody knows whether it ran.
    Unknown,
}

/// Follows calls from decision to result. Holds the open ones only.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    open: BTreeMap<String, Unfinished>,
    /// Results that say themselves that nobody knows.
    closed_unknown: u64,
}

impl Calls {
    pub(crate) fn see(&mut self, index: u64, event: &Event) {
        let Some(call) = &event.call else { return };
        match (event.kind, event.decision) {
            (Kind::PolicyDecision, Some(Verdict::Deny)) => {
                self.open.remove(call);
            }
            (Kind::PolicyDecision, _) => self.open(index, call, event, CallState::NotRun),
            (Kind::ToolDispatch, _) => self.open(index, call, event, CallState::Unknown),
            (Kind::ToolResult, _) => {
                self.closed_unknown += u64::from(event.outcome == Some(Outcome::Unknown));
                self.open.remove(call);
            }
            (Kind::ApprovalDenied | Kind::ApprovalExpired, _) => {
                self.open.remove(call);
            }
            _ => {}
        }
    }

    /// Calls of which nobody knows whether they ran, including those a result says so of.
    pub(crate) fn unknown(&self) -> u64 {
        self.closed_unknown + self.count(CallState::Unknown)
    }

    /// Calls decided and never dispatched.
    pub(crate) fn not_run(&self) -> u64 {
        self.count(CallState::NotRun)
    }

    /// The open calls, in the order of the log.
    pub(crate) fn into_unfinished(self) -> Vec<Unfinished> {
        let mut open: Vec<_> = self.open.into_values().collect();
        open.sort_by_key(|unfinished| unfinished.index);
        open
    }

    fn open(&mut self, index: u64, call: &str, event: &Event, state: CallState) {
        let unfinished = Unfinished { call: call.to_owned(), session: event.session.clone(), index, state };
        self.open.insert(call.to_owned(), unfinished);
    }

    fn count(&self, state: CallState) -> u64 {
        self.open.values().filter(|unfinished| unfinished.state == state).count() as u64
    }
}
