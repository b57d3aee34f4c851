//! Which calls of a log were left open.

use std::collections::BTreeMap;
use vocab::{
    Event, Verdict,
    event::{Kind, Outcome},
};

/// What may have happened to a call without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallState {
    /// Decided, never dispatched: it did not run.
    NotRun,
    /// Dispatched, without a result: nobody knows whether it ran.
    Unknown,
}

/// Follows calls from decision to result. Holds the open ones only.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    open: BTreeMap<String, CallState>,
    /// The call that waits for each open approval. Another one that waits for it is that one once more.
    asked: BTreeMap<String, String>,
    /// Results that say themselves that nobody knows.
    closed_unknown: u64,
}

impl Calls {
    pub(crate) fn see(&mut self, event: &Event) {
        let Some(call) = event.call.as_deref() else { return };
        let asks = event.approval.as_deref();
        if let Some(approval) = asks {
            match event.kind {
                Kind::ApprovalRequested => drop(self.asked.insert(approval.to_owned(), call.to_owned())),
                Kind::ToolResult | Kind::ApprovalDenied | Kind::ApprovalExpired => drop(self.asked.remove(approval)),
                Kind::PolicyDecision if self.asked.get(approval).is_some_and(|first| first != call) => return,
                _ => {}
            }
        }
        match (event.kind, event.decision) {
            (Kind::PolicyDecision, Some(Verdict::Deny)) => {
                self.open.remove(call);
            }
            (Kind::PolicyDecision, _) => self.open(call, CallState::NotRun),
            (Kind::ToolDispatch, _) => self.open(call, CallState::Unknown),
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

    fn open(&mut self, call: &str, state: CallState) {
        match self.open.get_mut(call) {
            Some(known) => *known = state,
            None => drop(self.open.insert(call.to_owned(), state)),
        }
    }

    fn count(&self, state: CallState) -> u64 {
        self.open.values().filter(|open| **open == state).count() as u64
    }
}
