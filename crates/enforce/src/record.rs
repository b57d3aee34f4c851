//! Events of a call, written where they can be proved.

use crate::columns::Columns;
use crate::permit::Permit;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use store::id::Stamp;
use store::{Clock, Log, LogError, LogHasher};
use vocab::event::{Kind, Outcome, RecordError, SessionLabels, Shared};
use vocab::id::Tenant;
use vocab::{Call, Decision, Event};

/// Writes events to the log.
#[derive(Clone)]
pub struct Recorder {
    log: Arc<Log>,
    hasher: Arc<LogHasher>,
    clock: Clock,
    tenant: Tenant,
    dev: bool,
}

/// An event of a call on its way to a record: what the call's events share may have been written before.
#[derive(Debug)]
pub(crate) struct CallEvent<'a> {
    /// Its own members; all of them when nothing was written before.
    pub(crate) event: Event<'a>,
    shared: Option<&'a Shared>,
}

impl<'a> CallEvent<'a> {
    /// An event that has all its members.
    pub(crate) const fn whole(event: Event<'a>) -> Self {
        Self { event, shared: None }
    }

    /// The event as a record.
    ///
    /// # Errors
    /// It is longer than a record may be.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, LogError> {
        match self.shared {
            Some(shared) => self.event.to_bytes_with(shared).map_err(unrecorded),
            None => Recorder::encode(&self.event),
        }
    }
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
        let mut event = stamped(kind, &mut self.stamp(), (&self.tenant).into());
        event.dev = self.dev;
        event
    }

    /// The time of now, for events that are written together.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp::take(&self.clock)
    }

    /// An event of a call. The columns are those of the call or of the one it was made from.
    pub(crate) fn call_event<'a>(kind: Kind, stamp: &mut Stamp, call: &'a Call, columns: &'a Columns) -> CallEvent<'a> {
        let mut event = stamped(kind, stamp, (&call.tenant).into());
        let shared = columns.written_for(call);
        if shared.is_none() {
            columns.fill(&mut event, call);
        }
        if let Some(digest) = &columns.tool_digest {
            event.detail.insert("tool_digest".to_owned(), digest.as_str().into());
        }
        CallEvent { event, shared }
    }

    /// `tool.intent`.
    pub(crate) fn intent<'a>(&self, stamp: &mut Stamp, call: &'a Call, columns: &'a Columns) -> CallEvent<'a> {
        let mut intent = Self::call_event(Kind::ToolIntent, stamp, call, columns);
        intent.event.confidence = call.confidence;
        let purpose = call.purpose.as_ref();
        intent.event.purpose_hash = purpose.map(|purpose| self.hash_bytes(purpose.examine().as_bytes()).into());
        intent
    }

    /// `policy.decision`.
    pub(crate) fn decision<'a>(
        stamp: &mut Stamp,
        call: &'a Call,
        columns: &'a Columns,
        decision: &'a Decision,
        latency_us: u64,
    ) -> CallEvent<'a> {
        let mut decided = Self::call_event(Kind::PolicyDecision, stamp, call, columns);
        decided.event.decision = Some(decision.verdict);
        decided.event.reasons = Cow::Borrowed(&decision.reasons);
        decided.event.permits = Cow::Borrowed(&decision.permits);
        decided.event.would = Cow::Borrowed(&decision.would);
        decided.event.faults = Cow::Borrowed(&decision.faults);
        decided.event.latency_us = Some(latency_us);
        decided
    }

    /// `tool.dispatch`: what leaves, under which permit. `received` is the call as it came in.
    pub(crate) fn dispatch<'a>(
        &self,
        stamp: &mut Stamp,
        received: &Call,
        permit: &'a Permit,
        columns: &'a Columns,
    ) -> CallEvent<'a> {
        let call = &permit.effective;
        let mut dispatch = Self::call_event(Kind::ToolDispatch, stamp, call, columns);
        // What leaves as it came in has the digest it came in with.
        dispatch.event.effective_hash = Some(match call.is(received) {
            true => columns.args_hash.as_str().into(),
            false => self.hash_value(call.arguments.examine()).into(),
        });
        dispatch.event.confinement = Some(permit.confinement.as_str().into());
        dispatch.event.approval = permit.approval.as_ref().map(Into::into);
        dispatch
    }

    /// `tool.result`.
    pub(crate) fn result<'a>(
        stamp: &mut Stamp,
        call: &'a Call,
        columns: &'a Columns,
        outcome: Outcome,
        labels: SessionLabels,
    ) -> CallEvent<'a> {
        let mut result = Self::call_event(Kind::ToolResult, stamp, call, columns);
        result.event.outcome = Some(outcome);
        result.event.labels = Some(labels);
        result
    }

    /// An event as a record, for writing it once what it borrows from is gone.
    ///
    /// # Errors
    /// It is longer than a record may be.
    pub fn encode(event: &Event<'_>) -> Result<Vec<u8>, LogError> {
        event.to_bytes().map_err(unrecorded)
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

    /// Writes what events gave as records, in one commit; returns once they are durable.
    ///
    /// # Errors
    /// An event has no record, or the log could not be written.
    pub(crate) fn records(
        &self,
        records: Result<Vec<Vec<u8>>, LogError>,
    ) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let appending = records.map(|records| self.log.append(records));
        async move { appending?.await.map(drop) }
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

fn stamped<'a>(kind: Kind, stamp: &mut Stamp, tenant: Cow<'a, str>) -> Event<'a> {
    Event::new(kind, stamp.id(), stamp.time_us(), tenant)
}

fn to_records(events: &[Event<'_>]) -> Result<Vec<Vec<u8>>, LogError> {
    events.iter().map(Recorder::encode).collect()
}

fn unrecorded(error: RecordError) -> LogError {
    match error {
        RecordError::TooLong(bytes) => LogError::RecordTooLong(bytes),
        other => LogError::Dead(other.to_string().into()),
    }
}
