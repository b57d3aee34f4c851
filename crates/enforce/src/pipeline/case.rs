//! One call on its way, with what is known of it.

use super::judge::Gathered;
use super::{Answer, Pipeline};
use crate::columns::Columns;
use crate::input::Seen;
use crate::record::Recorder;
use crate::refusal::Refusal;
use crate::route::Route;
use crate::session::{Session, lock};
use crate::snapshot::{Snapshot, ToolEntry};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use store::LogError;
use store::clock::Clock;
use store::id::Stamp;
use tokio::sync::Semaphore;
use vocab::event::{Kind, SessionLabels};
use vocab::id::{ApprovalId, RuleId};
use vocab::{Call, Verdict};

/// A call handed in by a transport.
pub struct Submission {
    /// The call.
    pub call: Call,
    /// The way to its server.
    pub route: Arc<dyn Route>,
    /// Whether somebody still waits for the answer.
    pub alive: Alive,
}

/// Whether the caller still waits, as the transport says.
#[derive(Clone, Debug)]
pub struct Alive(Arc<Caller>);

#[derive(Debug)]
struct Caller {
    waits: AtomicBool,
    /// Without permits; closed when the call is withdrawn.
    withdrawn: Semaphore,
}

impl Default for Alive {
    fn default() -> Self {
        Self(Arc::new(Caller { waits: AtomicBool::new(true), withdrawn: Semaphore::new(0) }))
    }
}

impl Alive {
    /// The caller is gone: its connection ended. What it asked for is done all the same.
    pub fn end(&self) {
        self.0.waits.store(false, Ordering::SeqCst);
    }

    /// The caller does not want it any more. A tool that has the call is told so.
    pub fn withdraw(&self) {
        self.end();
        self.0.withdrawn.close();
    }

    /// Whether the caller still waits.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.waits.load(Ordering::SeqCst)
    }

    /// Whether the call was withdrawn.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.0.withdrawn.is_closed()
    }

    /// Resolves when the call is withdrawn.
    pub(super) async fn withdrawn(&self) {
        // There never is a permit: this is the end of waiting for one.
        let _ = self.0.withdrawn.acquire().await;
    }
}

/// A call between arrival and answer. Boxed, because the futures that hand it on would each hold it whole.
pub(super) struct Case {
    pub(super) call: Call,
    pub(super) route: Arc<dyn Route>,
    pub(super) alive: Alive,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) tool: Option<Arc<ToolEntry>>,
    pub(super) columns: Columns,
    pub(super) in_flight: InFlight,
    /// Whether its session begins with it: said in the log before or with the decision.
    pub(super) begins: bool,
    /// The approval that lets a stored call run.
    pub(super) approved: Option<ApprovalId>,
    /// What it is decided on: the guards that the approval discharges and the redaction terms applied before the call was
    /// stored among it.
    pub(super) gathered: Gathered,
    /// What was found on the way.
    pub(super) seen: Seen,
}

/// Counts a call as in flight in its session for as long as it lives.
pub(super) struct InFlight {
    pub(super) session: Arc<Mutex<Session>>,
    call: Call,
    clock: Clock,
    over: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.over {
            lock(&self.session).facts.end_call(self.call.action(), unsigned(self.clock.now()));
        }
    }
}

impl InFlight {
    pub(super) fn begin(session: Arc<Mutex<Session>>, call: &Call, clock: Clock, now_us: i64) -> Self {
        lock(&session).facts.begin_call(call.action(), unsigned(now_us));
        Self { session, call: call.clone(), clock, over: false }
    }

    /// The call is over because it was refused.
    pub(super) fn deny(&mut self) {
        if !self.over {
            lock(&self.session).facts.deny(self.call.action(), unsigned(self.clock.now()));
            self.over = true;
        }
    }

    /// The session's labels now.
    pub(super) fn labels(&self) -> SessionLabels {
        let session = lock(&self.session);
        let labels = session.facts.labels();
        SessionLabels { confidentiality: labels.confidentiality.iter().copied().collect(), integrity: labels.integrity }
    }
}

/// Time for crate `flow`, which counts from the epoch on.
pub(super) fn unsigned(time_us: i64) -> u64 {
    u64::try_from(time_us).unwrap_or(0)
}

impl Pipeline {
    /// The first events of a call: that its session begins, if it does, and the intent.
    pub(super) fn opening(&self, case: &Case, stamp: &mut Stamp) -> Result<Vec<Vec<u8>>, LogError> {
        /// Session, intent, decision, dispatch or approval.
        const MOST: usize = 4;
        let mut records = Vec::with_capacity(MOST);
        if case.begins {
            let start = Recorder::call_event(Kind::SessionStart, stamp, &case.call, &case.columns);
            records.push(start.encode()?);
        }
        records.push(self.recorder.intent(stamp, &case.call, &case.columns).encode()?);
        Ok(records)
    }

    /// Opens the call's session and counts the call.
    pub(super) fn open(
        &self,
        submission: Submission,
        snapshot: Arc<Snapshot>,
        now_us: i64,
    ) -> Result<Box<Case>, Answer> {
        let Submission { call, route, alive } = submission;
        let args_hash = self.recorder.hash_value(call.arguments.examine());
        let entered = self.sessions.enter(&call.session, &call.principal.agent, now_us);
        let (session, begins) = entered.map_err(|full| {
            Answer::Refused(Box::new(Refusal {
                call: call.id.clone(),
                verdict: Verdict::Deny,
                rule: RuleId::new("limits/sessions"),
                reason: Some(full.to_string()),
                schema: Vec::new(),
                allowed: "calls of sessions that are open".to_owned(),
                how_to_ask: "ask the operator to end idle sessions".to_owned(),
                ticket: None,
                approval: None,
            }))
        })?;
        let tool = snapshot.tool(&call.target).cloned();
        let columns = self.columns(&snapshot, tool.as_deref(), &call, args_hash);
        let in_flight = InFlight::begin(session, &call, self.recorder.clock().clone(), now_us);
        self.count(&snapshot, &call, now_us);
        let gathered = self.gather(&snapshot, &call, &in_flight.session, BTreeSet::new(), Vec::new());
        let (approved, seen) = (None, Seen::default());
        Ok(Box::new(Case { call, route, alive, snapshot, tool, columns, in_flight, begins, approved, gathered, seen }))
    }

    /// What the events of a call share.
    pub(super) fn columns(
        &self,
        snapshot: &Snapshot,
        tool: Option<&ToolEntry>,
        call: &Call,
        args_hash: String,
    ) -> Columns {
        Columns::of(snapshot, tool, call, args_hash, |name| self.recorder.hash_value(name))
    }

    /// Counts the call for its agent, over all its sessions. Only agents of the inventory are counted, so the table
    /// is as large as the inventory.
    fn count(&self, snapshot: &Snapshot, call: &Call, now_us: i64) {
        if snapshot.knows_agent(&call.principal.agent) {
            let mut rates = lock(&self.agent_rates);
            // Known in all but the first call, which alone has to keep the name.
            match rates.get_mut(&call.principal.agent) {
                Some(rate) => rate.hit(unsigned(now_us)),
                None => {
                    rates.entry(call.principal.agent.clone()).or_insert_with(flow::Window::minute).hit(unsigned(now_us))
                }
            }
        }
    }
}
