//! Events of a call, written where they can be proved.

use crate::permit::Permit;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use store::{Clock, Log, LogError, LogHasher};
use vocab::event::{Kind, Outcome, RecordError, SessionLabels};
use vocab::id::{Digest, Tenant};
use vocab::{Call, Decision, Effect, Event, Mode, Tier};

/// Writes events to the log.
#[derive(Clone)]
pub struct Recorder {
    log: Arc<Log>,
    hasher: Arc<LogHasher>,
    clock: Clock,
    tenant: Tenant,
    dev: bool,
}

/// The columns every event of a call shares.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Risk tier and mode of the agent.
    pub tier: Option<Tier>,
    /// How far its rules bind.
    pub mode: Option<Mode>,
    /// Declared model.
    pub model_id: Option<String>,
    /// What the tool does.
    pub effect: Option<Effect>,
    /// Pinned definition.
    pub definition: Option<Digest>,
    /// Policy bundle in force.
    pub bundle: Digest,
    /// Configuration in force.
    pub revision: Digest,
    /// Running with `--dev`.
    pub dev: bool,
    /// Keyed hash of the arguments as received.
    pub args_hash: String,
}

impl Recorder {
    /// A recorder over an open log.
    #[must_use]
    pub const fn new(log: Arc<Log>, hasher: Arc<LogHasher>, clock: Clock, tenant: Tenant) -> Self {
        Self { log, hasher, clock, tenant, dev: false }
    }

    /// A recorder whose every event says whether the gateway runs with `--dev`.
    #[must_use]
    pub fn under_dev(self, dev: bool) -> Self {
        Self { dev, ..self }
    }

    /// The clock events are stamped with.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Keyed hash of a JSON value in canonical form, for the `args_hash` column.
    #[must_use]
    pub fn hash_value(&self, value: &Value) -> String {
        self.hasher.hash(&canon::json::canonical(value))
    }

    /// Keyed hash of bytes as they are.
    #[must_use]
    pub fn hash_bytes(&self, bytes: &[u8]) -> String {
        self.hasher.hash(bytes)
    }

    /// An event with its envelope only.
    #[must_use]
    pub fn event(&self, kind: Kind) -> Event<'_> {
        let mut event = Event::new(kind, store::id::new_uuid7(&self.clock), self.clock.now(), &self.tenant);
        event.dev = self.dev;
        event
    }

    /// An event of a call.
    #[must_use]
    pub fn call_event<'a>(&'a self, kind: Kind, call: &'a Call, columns: &'a Columns) -> Event<'a> {
        let mut event = self.event(kind);
        event.tenant = (&call.tenant).into();
        event.agent = Some((&call.principal.agent).into());
        event.authn = Some(call.principal.authn);
        event.parents = Cow::Borrowed(&call.principal.parents);
        event.user = call.principal.user.as_ref().map(Into::into);
        event.session = Some((&call.session).into());
        event.run = call.run.as_ref().map(Into::into);
        event.call = Some((&call.id).into());
        event.server = Some((&call.target.server).into());
        event.tool_name = Some(call.target.tool_name().into());
        event.args_hash = Some(columns.args_hash.as_str().into());
        event.tier = columns.tier;
        event.mode = columns.mode;
        event.model_id = columns.model_id.as_deref().map(Into::into);
        event.effect = columns.effect;
        event.definition = columns.definition.as_ref().map(Into::into);
        event.policy_bundle = Some((&columns.bundle).into());
        event.config_revision = Some((&columns.revision).into());
        event.dev = columns.dev;
        event
    }

    /// `tool.intent`.
    #[must_use]
    pub fn intent<'a>(&'a self, call: &'a Call, columns: &'a Columns) -> Event<'a> {
        let mut event = self.call_event(Kind::ToolIntent, call, columns);
        event.confidence = call.confidence;
        let purpose = call.purpose.as_ref();
        event.purpose_hash = purpose.map(|purpose| self.hash_bytes(purpose.examine().as_bytes()).into());
        event
    }

    /// `policy.decision`.
    #[must_use]
    pub fn decision<'a>(
        &'a self,
        call: &'a Call,
        columns: &'a Columns,
        decision: &'a Decision,
        latency_us: u64,
    ) -> Event<'a> {
        let mut event = self.call_event(Kind::PolicyDecision, call, columns);
        event.decision = Some(decision.verdict);
        event.reasons = Cow::Borrowed(&decision.reasons);
        event.permits = Cow::Borrowed(&decision.permits);
        event.would = Cow::Borrowed(&decision.would);
        event.faults = Cow::Borrowed(&decision.faults);
        event.latency_us = Some(latency_us);
        event
    }

    /// `tool.dispatch`: what leaves, under which permit. `received` is the call as it came in.
    #[must_use]
    pub fn dispatch<'a>(&'a self, received: &Call, permit: &'a Permit, columns: &'a Columns) -> Event<'a> {
        let call = &permit.effective;
        let mut event = self.call_event(Kind::ToolDispatch, call, columns);
        // What leaves as it came in has the digest it came in with.
        event.effective_hash = Some(match call.is(received) {
            true => columns.args_hash.as_str().into(),
            false => self.hash_value(call.arguments.examine()).into(),
        });
        event.confinement = Some(permit.confinement.as_str().into());
        event.approval = permit.approval.as_ref().map(Into::into);
        event
    }

    /// `tool.result`.
    #[must_use]
    pub fn result<'a>(
        &'a self,
        call: &'a Call,
        columns: &'a Columns,
        outcome: Outcome,
        labels: SessionLabels,
    ) -> Event<'a> {
        let mut event = self.call_event(Kind::ToolResult, call, columns);
        event.outcome = Some(outcome);
        event.labels = Some(labels);
        event
    }

    /// An event as a record, for writing it once what it borrows from is gone.
    ///
    /// # Errors
    /// It is longer than a record may be.
    pub fn encode(event: &Event<'_>) -> Result<Vec<u8>, LogError> {
        event.to_bytes().map_err(|error| match error {
            RecordError::TooLong(bytes) => LogError::RecordTooLong(bytes),
            other => LogError::Dead(other.to_string().into()),
        })
    }

    /// Writes events; returns once they are durable.
    ///
    /// # Errors
    /// The log could not be written: nothing may leave.
    pub fn durable(
        &self,
        events: &[Event<'_>],
    ) -> impl Future<Output = Result<std::ops::Range<u64>, LogError>> + Send + use<> {
        let appending = to_records(events).map(|records| self.log.append(records));
        async move { appending?.await }
    }

    /// Writes what [`encode`](Self::encode) gave; returns once it is durable.
    ///
    /// # Errors
    /// The event has no record, or the log could not be written.
    pub async fn record(&self, record: Result<Vec<u8>, LogError>) -> Result<(), LogError> {
        self.log.append(vec![record?]).await.map(drop)
    }

    /// Writes events that ride on the next commit.
    ///
    /// # Errors
    /// The log could not be written.
    pub fn soon(&self, events: &[Event<'_>]) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let appending = to_records(events).map(|records| self.log.append_lazy(records));
        async move { appending?.await }
    }

    /// Writes what [`encode`](Self::encode) gave; it rides on the next commit.
    ///
    /// # Errors
    /// The event has no record, or the log could not be written.
    pub async fn record_soon(&self, record: Result<Vec<u8>, LogError>) -> Result<(), LogError> {
        self.log.append_lazy(vec![record?]).await
    }
}

fn to_records(events: &[Event<'_>]) -> Result<Vec<Vec<u8>>, LogError> {
    events.iter().map(Recorder::encode).collect()
}
