//! What the log says about the sessions that were open when it was last written: the log is the state.
//!
//! Counters and labels of a session that is still within its idle time come back as they were. A dispatch without a
//! result is *unknown*: the call is never run again, and its session carries the worst labels from then on.

use crate::record::Recorder;
use crate::session::{Sessions, lock};
use flow::Labels;
use std::collections::HashMap;
use vocab::event::{Kind, Outcome, SessionLabels};
use vocab::id::{AgentId, ServerId, SessionId};
use vocab::{Confidentiality, Event, Integrity, Label, Verdict};

/// Dispatches without a result that are remembered by name. There cannot be more than calls in flight.
const MAX_UNFINISHED: usize = 65_536;

/// Reads recovered events in order and remembers what has to outlive a restart.
#[derive(Default)]
pub struct Recovery {
    unfinished: HashMap<String, Event>,
    recent: Vec<Touch>,
    horizon_us: i64,
    unreadable: u64,
}

/// One event of a session that may still be open.
struct Touch {
    session: String,
    agent: String,
    server: Option<String>,
    tool: String,
    t: i64,
    kind: Kind,
    refused: bool,
    labels: Option<SessionLabels>,
}

impl Recovery {
    /// Remembers sessions whose last event is at or after `horizon_us`.
    #[must_use]
    pub fn since(horizon_us: i64) -> Self {
        Self { horizon_us, ..Self::default() }
    }

    /// Takes the next record of the log.
    pub fn read(&mut self, record: &[u8]) {
        let Ok(event) = Event::from_bytes(record) else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        self.follow(&event);
        if event.t >= self.horizon_us {
            self.touch(&event);
        }
    }

    fn follow(&mut self, event: &Event) {
        let Some(call) = event.call.clone() else { return };
        match event.kind {
            Kind::ToolDispatch if self.unfinished.len() < MAX_UNFINISHED => {
                self.unfinished.insert(call, event.clone());
            }
            Kind::ToolResult => {
                self.unfinished.remove(&call);
            }
            _ => {}
        }
    }

    fn touch(&mut self, event: &Event) {
        let relevant = matches!(event.kind, Kind::ToolIntent | Kind::PolicyDecision | Kind::ToolResult);
        let (Some(session), Some(agent), true) = (&event.session, &event.agent, relevant) else { return };
        self.recent.push(Touch {
            session: session.clone(),
            agent: agent.clone(),
            server: event.server.clone(),
            tool: action(event),
            t: event.t,
            kind: event.kind,
            refused: event.decision == Some(Verdict::Deny),
            labels: event.labels.clone(),
        });
    }

    /// How many records were not events of a version this Mortise knows.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Puts sessions back as they were, and returns the events that close what nobody knows the end of.
    #[must_use]
    pub fn restore(mut self, sessions: &Sessions, recorder: &Recorder) -> Vec<Event> {
        for touch in std::mem::take(&mut self.recent) {
            restore_touch(sessions, &touch);
        }
        let mut unfinished: Vec<Event> = self.unfinished.into_values().collect();
        unfinished.sort_by_key(|event| event.t);
        unfinished.into_iter().map(|dispatch| close_unknown(sessions, recorder, dispatch)).collect()
    }
}

fn restore_touch(sessions: &Sessions, touch: &Touch) {
    let (id, agent) = (SessionId::new(touch.session.as_str()), AgentId::new(touch.agent.as_str()));
    let Ok((session, _)) = sessions.enter(&id, &agent, touch.t) else { return };
    let now_us = u64::try_from(touch.t).unwrap_or(0);
    let mut session = lock(&session);
    match touch.kind {
        Kind::ToolIntent => {
            session.facts.begin_call(&touch.tool, now_us);
            session.facts.end_call(&touch.tool, now_us);
        }
        Kind::PolicyDecision if touch.refused => session.facts.count_denial(),
        _ => {}
    }
    if let Some(labels) = &touch.labels {
        let source = touch.server.as_deref().unwrap_or_default();
        for confidentiality in &labels.confidentiality {
            let label = Label { integrity: labels.integrity, confidentiality: *confidentiality };
            session.facts.absorb(&Labels::of(label, ServerId::new(source)));
        }
    }
}

/// The result event that says that nobody knows.
fn close_unknown(sessions: &Sessions, recorder: &Recorder, dispatch: Event) -> Event {
    let worst = Label { integrity: Integrity::ThirdParty, confidentiality: Confidentiality::Secret };
    if let (Some(session), Some(agent)) = (&dispatch.session, &dispatch.agent) {
        let now_us = recorder.clock().now();
        let (id, agent) = (SessionId::new(session.as_str()), AgentId::new(agent.as_str()));
        if let Ok((session, _)) = sessions.enter(&id, &agent, now_us) {
            let source = ServerId::new(dispatch.server.clone().unwrap_or_default());
            lock(&session).facts.absorb(&Labels::of(worst, source));
        }
    }
    let envelope = recorder.event(Kind::ToolResult);
    let labels = SessionLabels {
        confidentiality: vec![Confidentiality::Private, Confidentiality::Secret],
        integrity: Integrity::ThirdParty,
    };
    Event {
        kind: Kind::ToolResult,
        id: envelope.id,
        t: envelope.t,
        outcome: Some(Outcome::Unknown),
        labels: Some(labels),
        text: Some("dispatched before the gateway ended; nobody knows whether it ran".to_owned()),
        ..dispatch
    }
}

fn action(event: &Event) -> String {
    format!("{}/{}", event.server.as_deref().unwrap_or_default(), event.tool_name.as_deref().unwrap_or_default())
}
