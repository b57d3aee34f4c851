//! Events of a call, written where they can be proved.

use crate::permit::Permit;
use serde_json::Value;
use std::sync::Arc;
use store::Clock;
use store::{Log, LogError, LogHasher};
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
    pub fn event(&self, kind: Kind) -> Event {
        let mut event = Event::new(kind, store::id::new_uuid7(&self.clock), self.clock.now(), &self.tenant);
        event.dev = self.dev;
        event
    }

    /// An event of a call.
    #[must_use]
    pub fn call_event(&self, kind: Kind, call: &Call, columns: &Columns) -> Event {
        let mut event = self.event(kind);
        event.tenant = call.tenant.to_string();
        event.agent = Some(call.principal.agent.to_string());
        event.authn = Some(call.principal.authn);
        event.parents = call.principal.parents.iter().map(ToString::to_string).collect();
        event.user = call.principal.user.as_ref().map(ToString::to_string);
        event.session = Some(call.session.to_string());
        event.run = call.run.as_ref().map(ToString::to_string);
        event.call = Some(call.id.to_string());
        event.server = Some(call.target.server.to_string());
        event.tool_name = Some(call.target.tool_name());
        event.args_hash = Some(columns.args_hash.clone());
        event.tier = columns.tier;
        event.mode = columns.mode;
        event.model_id.clone_from(&columns.model_id);
        event.effect = columns.effect;
        event.definition = columns.definition.as_ref().map(ToString::to_string);
        event.policy_bundle = Some(columns.bundle.to_string());
        event.config_revision = Some(columns.revision.to_string());
        event.dev = columns.dev;
        event
    }

    /// `tool.intent`.
    #[must_use]
    pub fn intent(&self, call: &Call, columns: &Columns) -> Event {
        let mut event = self.call_event(Kind::ToolIntent, call, columns);
        event.confidence = call.confidence;
        event.purpose_hash = call.purpose.as_ref().map(|purpose| self.hash_bytes(purpose.examine().as_bytes()));
        event
    }

    /// `policy.decision`.
    #[must_use]
    pub fn decision(&self, call: &Call, columns: &Columns, decision: &Decision, latency_us: u64) -> Event {
        let mut event = self.call_event(Kind::PolicyDecision, call, columns);
        event.decision = Some(decision.verdict);
        event.reasons.clone_from(&decision.reasons);
        event.permits = decision.permits.iter().map(ToString::to_string).collect();
        event.would.clone_from(&decision.would);
        event.faults.clone_from(&decision.faults);
        event.latency_us = Some(latency_us);
        event
    }

    /// `tool.dispatch`: what leaves, under which permit.
    #[must_use]
    pub fn dispatch(&self, permit: &Permit, columns: &Columns) -> Event {
        let call = &permit.effective;
        let mut event = self.call_event(Kind::ToolDispatch, call, columns);
        event.effective_hash = Some(self.hash_value(call.arguments.examine()));
        event.confinement = Some(permit.confinement.as_str().to_owned());
        event.approval = permit.approval.as_ref().map(ToString::to_string);
        event
    }

    /// `tool.result`.
    #[must_use]
    pub fn result(&self, call: &Call, columns: &Columns, outcome: Outcome, labels: SessionLabels) -> Event {
        let mut event = self.call_event(Kind::ToolResult, call, columns);
        event.outcome = Some(outcome);
        event.labels = Some(labels);
        event
    }

    /// Writes events; returns once they are durable.
    ///
    /// # Errors
    /// The log could not be written: nothing may leave.
    pub async fn durable(&self, events: &[Event]) -> Result<std::ops::Range<u64>, LogError> {
        self.log.append(to_records(events)?).await
    }

    /// Writes events that ride on the next commit.
    ///
    /// # Errors
    /// The log could not be written.
    pub async fn soon(&self, events: &[Event]) -> Result<(), LogError> {
        self.log.append_lazy(to_records(events)?).await
    }
}

fn to_records(events: &[Event]) -> Result<Vec<Vec<u8>>, LogError> {
    let encode = |event: &Event| {
        event.to_bytes().map_err(|error| match error {
            RecordError::TooLong(bytes) => LogError::RecordTooLong(bytes),
            other => LogError::Dead(other.to_string().into()),
        })
    };
    events.iter().map(encode).collect()
}
