//! The events of a call, put together: from its intent to its end.

use super::columns::{Cell, Column, OfCall, cells};
use std::collections::{BTreeMap, HashMap};
use vocab::event::Kind;
use vocab::{Event, Verdict};

/// Calls under way at once. There are never so many; in a log that says so, the oldest are given up as they are.
const MAX_OPEN: usize = 16_384;

/// Events of one call that are kept between its intent and its end.
const MAX_STEPS: usize = 32;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// There is a result, and its `outcome` says the rest.
    Result,
    /// It was denied.
    Denied,
    /// A person refused it.
    ApprovalDenied,
    /// Nobody answered in time.
    ApprovalExpired,
    /// It asked for what another call already waits for, and shares that one's end.
    Repeated,
    /// The log does not say.
    Open,
}

impl End {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Denied => "denied",
            Self::ApprovalDenied => "approval_denied",
            Self::ApprovalExpired => "approval_expired",
            Self::Repeated => "repeated",
            Self::Open => "open",
        }
    }
}

/// What columns say, by name.
pub type Cells = Vec<(&'static Column, Cell<'static>)>;

/// Something that happened between intent and end.
#[derive(Clone, Debug)]
pub struct Step {
    /// Index of the event.
    pub index: u64,
    /// When, microseconds since the epoch.
    pub t: i64,
    /// What.
    pub kind: Kind,
    /// What it says.
    pub cells: Cells,
}

/// A call as a whole.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its id.
    pub call: String,
    /// Index of its intent.
    pub first: u64,
    /// Index of its last event.
    pub last: u64,
    /// When it was meant, microseconds since the epoch.
    pub start: i64,
    /// When it ended.
    pub end: i64,
    /// How it ended.
    pub how: End,
    /// What its events say together.
    pub cells: Cells,
    /// What happened in between.
    pub steps: Vec<Step>,
    verdict: Option<Verdict>,
    dispatched: bool,
    /// The approval that it was the first to ask for.
    asked: Option<String>,
}

impl Told {
    /// What a column says.
    #[must_use]
    pub fn cell(&self, name: &str) -> Option<&Cell<'static>> {
        self.cells.iter().find(|(column, _)| column.name == name).map(|(_, cell)| cell)
    }

    /// The text of a column.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.cell(name) {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Why it is not a success: the outcome that is not `ok`, or an end without a result.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match self.how {
            End::Result => self.text("outcome").filter(|outcome| *outcome != "ok"),
            other => Some(other.as_str()),
        }
    }

    fn take(&mut self, index: u64, event: &Event) {
        (self.last, self.end) = (index, event.t);
        let is_stricter = event.kind == Kind::PolicyDecision && event.decision > self.verdict;
        if is_stricter {
            self.verdict = event.decision;
            self.cells.retain(|(column, _)| column.of_call != OfCall::Strictest);
        }
        for (column, cell) in cells(event) {
            let held = self.cells.iter_mut().find(|(held, _)| held.name == column.name);
            match (column.of_call, held) {
                (OfCall::Nothing, _) | (OfCall::First, Some(_)) => {}
                (OfCall::Strictest, _) if !is_stricter => {}
                (_, Some((_, held))) => *held = cell.into_owned(),
                (_, None) => self.cells.push((column, cell.into_owned())),
            }
        }
        if event.kind != Kind::ToolIntent && event.kind != Kind::ToolResult && self.steps.len() < MAX_STEPS {
            let cells = cells(event).map(|(column, cell)| (column, cell.into_owned())).collect();
            self.steps.push(Step { index, t: event.t, kind: event.kind, cells });
        }
        self.dispatched |= event.kind == Kind::ToolDispatch;
        if event.kind == Kind::ApprovalRequested {
            self.asked = event.approval.as_deref().map(str::to_owned);
        }
    }
}

/// Puts calls together. Holds those under way only.
#[derive(Default)]
pub struct Calls {
    /// By index of the intent.
    open: BTreeMap<u64, Told>,
    by_call: HashMap<String, u64>,
}

impl Calls {
    /// Takes the next event; `begins` says whether a call is meant that begins with it. Gives the calls that ended.
    pub fn take(&mut self, index: u64, event: &Event, begins: bool) -> Vec<Told> {
        // Nothing that was not asked about survives its gateway. What was dispatched gets a result that says `unknown`.
        if event.kind == Kind::GatewayStarted {
            let is_lost = |told: &Told| !told.dispatched && told.asked.is_none();
            let lost: Vec<u64> = self.open.iter().filter(|(_, told)| is_lost(told)).map(|(first, _)| *first).collect();
            return lost.into_iter().filter_map(|first| self.close(first, End::Open)).collect();
        }
        let Some(call) = event.call.as_deref() else { return Vec::new() };
        if event.kind == Kind::ToolIntent && begins && !self.by_call.contains_key(call) {
            return self.begin(index, call, event);
        }
        let Some(first) = self.by_call.get(call).copied() else { return Vec::new() };
        let is_repeat = event.kind == Kind::PolicyDecision && self.waits_for_anothers(first, event);
        if let Some(told) = self.open.get_mut(&first) {
            told.take(index, event);
        }
        let how = match (event.kind, event.decision) {
            (Kind::ToolResult, _) => End::Result,
            (Kind::PolicyDecision, Some(Verdict::Deny)) => End::Denied,
            (Kind::ApprovalDenied, _) => End::ApprovalDenied,
            (Kind::ApprovalExpired, _) => End::ApprovalExpired,
            _ if is_repeat => End::Repeated,
            _ => return Vec::new(),
        };
        self.close(first, how).into_iter().collect()
    }

    /// Index of the first intent of a call under way: who begins to read there knows all of them.
    #[must_use]
    pub fn from(&self) -> Option<u64> {
        self.open.keys().next().copied()
    }

    /// What is still under way, as far as it is told.
    pub fn finish(&mut self) -> Vec<Told> {
        self.by_call.clear();
        std::mem::take(&mut self.open).into_values().collect()
    }

    fn begin(&mut self, index: u64, call: &str, event: &Event) -> Vec<Told> {
        let mut told = Told {
            call: call.to_owned(),
            first: index,
            last: index,
            start: event.t,
            end: event.t,
            how: End::Open,
            cells: Vec::new(),
            steps: Vec::new(),
            verdict: None,
            dispatched: false,
            asked: None,
        };
        told.take(index, event);
        self.by_call.insert(call.to_owned(), index);
        self.open.insert(index, told);
        let oldest = self.from().filter(|_| self.open.len() > MAX_OPEN);
        oldest.and_then(|oldest| self.close(oldest, End::Open)).into_iter().collect()
    }

    fn waits_for_anothers(&self, first: u64, event: &Event) -> bool {
        let approval = event.approval.as_deref();
        approval.is_some() && self.open.values().any(|told| told.first != first && told.asked.as_deref() == approval)
    }

    fn close(&mut self, first: u64, how: End) -> Option<Told> {
        let mut told = self.open.remove(&first)?;
        self.by_call.remove(&told.call);
        told.how = how;
        Some(told)
    }
}
