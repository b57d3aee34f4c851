//! The story of a call, in order: [`screen`] it, [`judge`] it, [`fulfil`] what the answer obliges to, [`forward`] it,
//! inspect what comes back. [`asking`] is what happens while a person is waited for.

mod answer;
mod asking;
mod case;
mod forward;
mod fulfil;
mod held;
mod judge;
mod keep;
mod screen;
mod text;

pub use answer::{Answer, Failure};
pub use asking::{AnswerError, Answered};
pub use case::{Alive, Submission};
pub use forward::ForwardError;
pub(crate) use screen::UNCERTAIN_AFTER_FAILURES;

use crate::input::InputKeeper;
use crate::record::Recorder;
use crate::room::Room;
use crate::route::Routes;
use crate::session::{Sessions, lock};
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use detect::PseudonymKey;
use govern::approval::{Approvals, SealedApprovals};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use store::payload::PayloadStore;
use tokio::sync::watch;
use vocab::id::AgentId;

/// The transport-free enforcement point.
pub struct Pipeline {
    snapshot: ArcSwap<Snapshot>,
    sessions: Sessions,
    /// Calls per agent over all its sessions; one entry per agent of the inventory, and of the sessions in the log.
    agent_rates: Mutex<HashMap<AgentId, flow::Window>>,
    recorder: Recorder,
    approvals: Mutex<Approvals<SealedApprovals>>,
    /// Counts changes of approvals; holders of a waiting call watch it.
    approvals_changed: watch::Sender<u64>,
    routes: OnceLock<Arc<dyn Routes>>,
    /// Where what is kept apart from records goes; nothing is kept without.
    payloads: OnceLock<Arc<PayloadStore>>,
    keeper: OnceLock<Arc<dyn InputKeeper>>,
    kill_epoch: AtomicU64,
    /// A [`Room`], as its place in their order.
    room: AtomicU8,
    pseudonyms: PseudonymKey,
}

impl Pipeline {
    /// A pipeline over an open log and loaded state.
    #[must_use]
    pub fn new(
        snapshot: Snapshot,
        sessions: Sessions,
        recorder: Recorder,
        approvals: Approvals<SealedApprovals>,
        pseudonyms: PseudonymKey,
    ) -> Self {
        let agent_rates = Mutex::new(sessions.agent_rates(recorder.clock().now()));
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            sessions,
            agent_rates,
            recorder,
            approvals: Mutex::new(approvals),
            approvals_changed: watch::Sender::new(0),
            routes: OnceLock::new(),
            payloads: OnceLock::new(),
            keeper: OnceLock::new(),
            kill_epoch: AtomicU64::new(0),
            room: AtomicU8::new(Room::Enough as u8),
            pseudonyms,
        }
    }

    /// Says how to reach servers for stored calls. Set once, by the process that owns the connections.
    pub fn set_routes(&self, routes: Arc<dyn Routes>) {
        let _ = self.routes.set(routes);
    }

    /// Says where payloads are kept. Set once, by the process that owns the log.
    pub fn set_payloads(&self, payloads: Arc<PayloadStore>) {
        let _ = self.payloads.set(payloads);
    }

    /// Where payloads are kept.
    #[must_use]
    pub fn payloads(&self) -> Option<&Arc<PayloadStore>> {
        self.payloads.get()
    }

    /// What is in force now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another configuration in force, at once and for every later decision. Permits already given under the
    /// one before are stale.
    pub fn install(&self, snapshot: Snapshot) {
        lock(&self.approvals).set_limits(snapshot.project.settings.ask.into());
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Where events go.
    #[must_use]
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The sessions that are open.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Says how much room is left. With none, no call leaves.
    pub fn set_room(&self, room: Room) {
        self.room.store(room as u8, Ordering::Relaxed);
    }

    /// Whether there is less room than this.
    fn has_less_than(&self, room: Room) -> bool {
        self.room.load(Ordering::Relaxed) > room as u8
    }

    /// Makes every permit given so far stale. The `kill` command is not wired to it yet.
    pub fn kill(&self) {
        self.kill_epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes one call through the pipeline. Run it as a task of its own: dropping it half-way would lose the result
    /// of a call that was dispatched.
    pub async fn submit(self: &Arc<Self>, submission: Submission) -> Answer {
        let snapshot = self.snapshot();
        let now_us = self.recorder.clock().now();
        let mut case = match self.open(submission, snapshot, now_us) {
            Ok(case) => case,
            Err(answer) => return answer,
        };
        if let Some(held) = self.take_held(&case, now_us)
            && let Some(answer) = Box::pin(self.answer_with_held(&case, held)).await
        {
            return answer;
        }
        if let Err(stop) = Self::screen(&mut case) {
            return Box::pin(self.stop(&mut case, stop)).await;
        }
        let judgement = Self::judge(&mut case);
        // Failures before this call made the agent uncertain about this one; the next starts with a clean sheet.
        lock(&case.in_flight.session).facts.validated(case.call.action());
        self.fulfil(case, judgement).await
    }
}
