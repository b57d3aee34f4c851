//! What the log says about the sessions that were open when it was last written: the log is the state.
//!
//! Counters and labels of a session that is still within its idle time come back as they were. A dispatch without a
//! result is *unknown*: the call is never run again, and its session carries the worst labels from then on.
//!
//! What is kept while reading is bounded by what a gateway keeps anyway: [`MAX_SESSIONS`](crate::session::MAX_SESSIONS)
//! sessions, and the calls in flight. A session for which there is no room, because the log tells of more open ones than
//! that, is not told from the others without room: until the last of them has been idle long enough, every session that
//! begins begins with the counters of all of them together and with the worst labels.

use crate::record::Recorder;
use crate::session::{Session, Sessions, lock};
use flow::{Labels, SessionFacts, Sources};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use vocab::event::{Kind, Outcome, SessionLabels};
use vocab::id::{AgentId, ServerId, SessionId};
use vocab::{Confidentiality, Event, Integrity, Label, Verdict};

/// Dispatches without a result that are remembered by name. There cannot be more than calls in flight.
const MAX_UNFINISHED: usize = 65_536;

/// Nothing a call may have read is worse.
const WORST: Label = Label { integrity: Integrity::ThirdParty, confidentiality: Confidentiality::Secret };

/// Reads recovered events in order and remembers what has to outlive a restart.
pub struct Recovery {
    /// Records of dispatches, by call.
    unfinished: HashMap<String, Vec<u8>>,
    sessions: Sessions,
    /// All sessions without room, as one, and when the last of them was seen.
    beyond: Option<(SessionFacts, i64)>,
    idle_us: u64,
    horizon_us: i64,
    unreadable: u64,
}

/// The members of an event that a restart needs. The others are not looked at: a log is read to its end at every start.
#[derive(Deserialize)]
struct Brief<'a> {
    #[serde(borrow)]
    agent: Option<Text<'a>>,
    #[serde(borrow)]
    call: Option<Text<'a>>,
    decision: Option<Verdict>,
    #[serde(rename = "type")]
    kind: Kind,
    labels: Option<SessionLabels>,
    #[serde(borrow)]
    server: Option<Text<'a>>,
    #[serde(borrow)]
    session: Option<Text<'a>>,
    t: i64,
    #[serde(borrow)]
    tool_name: Option<Text<'a>>,
}

/// Text that is borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The kinds that a restart needs to know of.
const RELEVANT: [Kind; 4] = [Kind::ToolIntent, Kind::PolicyDecision, Kind::ToolDispatch, Kind::ToolResult];

/// What a record is and when it was written, found without reading the others of its members: most of a log is too old
/// to matter, and a log is read to its end at every start.
///
/// Events are written as JSON without layout, by the order of their names. There a comma followed by an unescaped quote
/// only begins the name of a member (in a text that quote would end it, and no name follows), so what is found is a
/// member; and one of the event itself, not of something in it, because no bracket stands between it and the end of
/// the record, or its beginning. Where that is not so, nothing is found, and the record is read as a whole.
struct Glance<'a> {
    t: i64,
    kind: &'a [u8],
}

impl<'a> Glance<'a> {
    fn at(record: &'a [u8]) -> Option<Self> {
        const TIME: &[u8] = b",\"t\":";
        let mut members = record.strip_suffix(b"}")?;
        let mut last = &[][..];
        // From comma to comma: there are few, and the time is one of the last members.
        while !last.starts_with(TIME) {
            let (before, _) = members.split_at_checked(members.iter().rposition(|byte| *byte == b',')?)?;
            last = record.get(before.len()..record.len().checked_sub(1)?)?;
            members = before;
        }
        let members = Some(last).filter(|members| is_flat(members))?;
        let (t, _) = until(members.strip_prefix(TIME)?, b',')?;
        let (kind, _) = until(after(members, b",\"type\":\"")?, b'"')?;
        Some(Self { t: std::str::from_utf8(t).ok()?.parse().ok()?, kind })
    }

    /// The call that a record is of.
    fn call(record: &'a [u8]) -> Option<&'a str> {
        const CALL: &[u8] = b",\"call\":\"";
        let members = record.strip_prefix(b"{")?;
        let value = after(members, CALL)?;
        let before = members.len().checked_sub(value.len())?.checked_sub(CALL.len())?;
        let first = members.get(..before).filter(|first| is_flat(first))?;
        let (call, _) = until(value, b'"')?;
        // What is escaped is left to somebody who knows how.
        let is_plain = !first.is_empty() && !call.contains(&b'\\');
        std::str::from_utf8(call).ok().filter(|_| is_plain)
    }
}

fn is_flat(members: &[u8]) -> bool {
    !members.iter().any(|byte| matches!(byte, b'{' | b'[' | b'}' | b']'))
}

fn until(bytes: &[u8], end: u8) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.iter().position(|byte| *byte == end)?)
}

/// What follows the first place of `what`, which begins with a comma.
fn after<'a>(mut bytes: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    loop {
        (_, bytes) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == b',')?)?;
        if let Some(found) = bytes.strip_prefix(what) {
            return Some(found);
        }
        bytes = bytes.get(1..)?;
    }
}

impl Recovery {
    /// Remembers sessions that are not idle at `now_us`, where idle is one without an event for `idle_us` microseconds.
    #[must_use]
    pub fn new(idle_us: u64, now_us: i64) -> Self {
        Self::into_sessions(Sessions::new(idle_us), idle_us, now_us)
    }

    fn into_sessions(sessions: Sessions, idle_us: u64, now_us: i64) -> Self {
        let horizon_us = now_us.saturating_sub(signed(idle_us));
        Self { unfinished: HashMap::new(), sessions, beyond: None, idle_us, horizon_us, unreadable: 0 }
    }

    /// Takes the next record of the log.
    pub fn read(&mut self, record: &[u8]) {
        match Glance::at(record) {
            Some(Glance { kind, .. }) if !RELEVANT.iter().any(|relevant| relevant.as_str().as_bytes() == kind) => {}
            Some(glance) if glance.t < self.horizon_us => self.read_old(glance.kind, record),
            _ => self.read_whole(record),
        }
    }

    /// Of an event that is too old for its session, only whether a call has begun or ended matters.
    fn read_old(&mut self, kind: &[u8], record: &[u8]) {
        let kind = [Kind::ToolDispatch, Kind::ToolResult].into_iter().find(|known| known.as_str().as_bytes() == kind);
        match (kind, Glance::call(record)) {
            (None, _) => {}
            (Some(kind), Some(call)) => self.follow(kind, call, record),
            (Some(_), None) => self.read_whole(record),
        }
    }

    fn read_whole(&mut self, record: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Brief<'_>>(record) else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        if let Some(Text(call)) = &event.call {
            self.follow(event.kind, call, record);
        }
        if event.t >= self.horizon_us {
            self.touch(&event);
        }
    }

    fn follow(&mut self, kind: Kind, call: &str, record: &[u8]) {
        match kind {
            Kind::ToolDispatch if self.unfinished.len() < MAX_UNFINISHED => {
                self.unfinished.insert(call.to_owned(), record.to_vec());
            }
            Kind::ToolResult => {
                self.unfinished.remove(call);
            }
            _ => {}
        }
    }

    fn touch(&mut self, event: &Brief<'_>) {
        let relevant = matches!(event.kind, Kind::ToolIntent | Kind::PolicyDecision | Kind::ToolResult);
        let (Some(Text(session)), Some(Text(agent)), true) = (&event.session, &event.agent, relevant) else { return };
        let entered = self.sessions.enter(&SessionId::new(&**session), &AgentId::new(&**agent), event.t);
        match entered {
            Ok((session, _)) => {
                let Session { facts, .. } = &mut *lock(&session);
                event.restore(facts);
            }
            Err(_) => {
                let (facts, last) = self.beyond.get_or_insert_with(|| {
                    let mut facts = SessionFacts::new(unsigned(event.t));
                    facts.absorb(&Labels { sources: Sources::Any, ..Labels::of(WORST, ServerId::new("")) });
                    (facts, event.t)
                });
                event.restore(facts);
                *last = event.t.max(*last);
            }
        }
    }

    /// How many calls were dispatched and have no result so far.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// How many of the records that had to be read as a whole were not events of a version this Mortise knows.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The sessions as they were, and the events that close what nobody knows the end of.
    #[must_use]
    pub fn restore(self, recorder: &Recorder) -> (Sessions, Vec<Event<'static>>) {
        let mut sessions = self.sessions;
        if let Some((facts, last)) = self.beyond {
            sessions.begin_as(facts, last.saturating_add(signed(self.idle_us)));
        }
        let dispatches =
            self.unfinished.into_values().filter_map(|record| Event::from_bytes(&record).ok().map(Event::into_owned));
        let mut dispatches: Vec<_> = dispatches.collect();
        dispatches.sort_by_key(|event| event.t);
        let closed = dispatches.into_iter().map(|dispatch| close_unknown(&sessions, recorder, dispatch)).collect();
        (sessions, closed)
    }
}

impl Brief<'_> {
    /// Counts the event, and shows the session what it had seen.
    fn restore(&self, facts: &mut SessionFacts) {
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|Text(text)| text.to_string()).unwrap_or_default();
        match self.kind {
            Kind::ToolIntent => {
                let tool = format!("{}/{}", text(&self.server), text(&self.tool_name));
                facts.begin_call(&tool, unsigned(self.t));
                facts.end_call(&tool, unsigned(self.t));
            }
            Kind::PolicyDecision if self.decision == Some(Verdict::Deny) => facts.count_denial(),
            _ => {}
        }
        if let Some(labels) = &self.labels {
            for confidentiality in &labels.confidentiality {
                let label = Label { integrity: labels.integrity, confidentiality: *confidentiality };
                facts.absorb(&Labels::of(label, ServerId::new(text(&self.server))));
            }
        }
    }
}

/// The result event that says that nobody knows.
fn close_unknown(sessions: &Sessions, recorder: &Recorder, dispatch: Event<'static>) -> Event<'static> {
    if let (Some(session), Some(agent)) = (&dispatch.session, &dispatch.agent) {
        let now_us = recorder.clock().now();
        let (id, agent) = (SessionId::new(&**session), AgentId::new(&**agent));
        if let Ok((session, _)) = sessions.enter(&id, &agent, now_us) {
            let source = ServerId::new(dispatch.server.as_deref().unwrap_or_default());
            lock(&session).facts.absorb(&Labels::of(WORST, source));
        }
    }
    let envelope = recorder.event(Kind::ToolResult);
    let labels = SessionLabels {
        confidentiality: vec![Confidentiality::Private, Confidentiality::Secret],
        integrity: Integrity::ThirdParty,
    };
    Event {
        kind: Kind::ToolResult,
        id: envelope.id.into_owned().into(),
        t: envelope.t,
        outcome: Some(Outcome::Unknown),
        labels: Some(labels),
        text: Some("dispatched before the gateway ended; nobody knows whether it ran".into()),
        ..dispatch
    }
}

fn unsigned(us: i64) -> u64 {
    u64::try_from(us).unwrap_or(0)
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use store::{Clock, Keys, Log, LogOptions};
    use vocab::id::Tenant;

    const MINUTE: i64 = 60_000_000;
    const IDLE: u64 = 30 * 60_000_000;
    const NOW: i64 = 1_795_000_000_000_000;

    fn recorder(dir: &std::path::Path) -> Recorder {
        let keys = Keys::open(&dir.join("keys"), "mortise.test").unwrap();
        let options = LogOptions::new("mortise.test");
        let (log, _) = Log::open(&dir.join("log"), &options, keys.signer().unwrap(), &mut |_, _| {}).unwrap();
        Recorder::new(Arc::new(log), Arc::new(keys.hasher()), Clock::system(), Tenant::default())
    }

    fn event<'a>(kind: Kind, session: &'a str, call: &'a str, t: i64) -> Event<'a> {
        let mut event = Event::new(kind, format!("event {call} {t}"), t, "default");
        event.session = Some(session.into());
        event.agent = Some("bot".into());
        event.server = Some("desk".into());
        event.tool_name = Some("close".into());
        event.call = Some(call.into());
        event
    }

    fn read(recovery: &mut Recovery, event: &Event<'_>) {
        recovery.read(&event.to_bytes().unwrap());
    }

    fn with_labels<'a>(mut event: Event<'a>, confidentiality: Confidentiality) -> Event<'a> {
        event.labels = Some(SessionLabels { confidentiality: vec![confidentiality], integrity: Integrity::ThirdParty });
        event
    }

    fn secret() -> Labels {
        Labels::of(WORST, ServerId::new("desk"))
    }

    fn facts(sessions: &Sessions, name: &str) -> Option<SessionFacts> {
        sessions.find(&SessionId::new(name)).map(|session| lock(&session).facts.clone())
    }

    /// A member that is renamed in the event must be renamed here: nothing else would notice.
    #[test]
    fn what_is_read_is_what_is_written() {
        let mut whole = with_labels(event(Kind::PolicyDecision, "s", "c", 7), Confidentiality::Private);
        whole.decision = Some(Verdict::Ask);
        let bytes = whole.to_bytes().unwrap();
        let brief: Brief<'_> = serde_json::from_slice(&bytes).unwrap();
        let texts = [&brief.agent, &brief.call, &brief.server, &brief.session, &brief.tool_name];
        assert_eq!(texts.map(|text| &*text.as_ref().unwrap().0), ["bot", "c", "desk", "s", "close"]);
        assert!(texts.iter().all(|text| matches!(text.as_ref().unwrap().0, Cow::Borrowed(_))));
        assert_eq!((brief.decision, brief.kind, brief.t), (whole.decision, whole.kind, whole.t));
        assert_eq!(brief.labels, whole.labels);
    }

    /// Texts of agents, servers and ourselves, with everything in them that looks like something else.
    const TEXTS: [&str; 6] = [
        "plain",
        ",\"t\":1,\"type\":\"tool.result\",\"call\":\"x\"",
        "\\\",\"t\":1,",
        "ends with a comma,",
        "{\"t\":1}",
        "\u{e9}\n\\",
    ];

    #[test]
    fn a_glance_sees_what_is_written_or_nothing() {
        let (mut seen, mut called) = (0, 0);
        for kind in RELEVANT.into_iter().chain([Kind::GatewayStarted, Kind::SessionStart, Kind::ApprovalRequested]) {
            for text in TEXTS {
                for shape in 0..8 {
                    let mut event = event(kind, text, if shape & 1 == 0 { "01a2" } else { text }, -7);
                    event.agent = Some(text.into());
                    event.text = (shape & 2 == 0).then(|| text.into());
                    event.user = (shape & 4 == 0).then(|| text.into());
                    event.detail.insert("t".to_owned(), serde_json::json!({"t": 1, "type": "x", "call": text}));
                    if shape & 6 == 6 {
                        event.would =
                            vec![vocab::Would { rule: vocab::id::RuleId::new(text), verdict: Verdict::Deny }].into();
                    }
                    let bytes = event.to_bytes().unwrap();
                    if let Some(glance) = Glance::at(&bytes) {
                        assert_eq!((glance.t, glance.kind), (-7, kind.as_str().as_bytes()), "{text}");
                        seen += 1;
                    }
                    if let Some(call) = Glance::call(&bytes) {
                        assert_eq!(Some(call), event.call.as_deref(), "{text}");
                        called += 1;
                    }
                }
            }
        }
        assert!(seen > 100 && called > 100, "{seen} {called}: it is worth looking");
        for broken in [
            "",
            "{}",
            "{\"a\":1,\"t\":5}",
            "{\"a\":1,\"t\":x,\"type\":\"y\"}",
            "{\"call\":\"y\"}",
            "{\"a\":1,\"t\":5,\"type\":\"x\",\"would\":[{\"a\":1,\"t\":6,\"type\":\"y\"}]}",
            "{\"a\":{\"b\":1,\"call\":\"y\"},\"v\":1}",
        ] {
            assert!(Glance::at(broken.as_bytes()).is_none() && Glance::call(broken.as_bytes()).is_none(), "{broken}");
        }
    }

    /// Whatever is too old to be read as a whole leaves the same calls open as if it had been.
    #[test]
    fn old_dispatches_are_followed_whatever_is_in_them() {
        let (mut glancing, mut reading) = (Recovery::new(IDLE, NOW), Recovery::new(IDLE, NOW));
        for (number, text) in TEXTS.iter().enumerate() {
            for (call, kinds) in [(*text, 1), ("plain call", 1 + number % 2)] {
                for kind in [Kind::ToolDispatch, Kind::ToolResult].into_iter().take(kinds) {
                    let mut event = event(kind, text, call, NOW - 3_000 * MINUTE);
                    event.text = Some((*text).into());
                    let bytes = event.to_bytes().unwrap();
                    glancing.read(&bytes);
                    reading.read_whole(&bytes);
                }
            }
        }
        assert_eq!(glancing.unfinished, reading.unfinished);
        assert!(glancing.unfinished() >= TEXTS.len());
    }

    #[test]
    fn counters_and_labels_of_open_sessions_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut recovery = Recovery::new(IDLE, NOW);
        let before = NOW - 30 * MINUTE - 1;
        read(&mut recovery, &event(Kind::ToolIntent, "past", "0", before));
        for (call, t) in [("1", NOW - 30 * MINUTE), ("2", NOW - 1)] {
            read(&mut recovery, &event(Kind::ToolIntent, "s \"escaped\"", call, t));
        }
        let mut denied = event(Kind::PolicyDecision, "s \"escaped\"", "2", NOW - 1);
        denied.decision = Some(Verdict::Deny);
        read(&mut recovery, &denied);
        let seen = event(Kind::ToolResult, "s \"escaped\"", "1", NOW - 1);
        read(&mut recovery, &with_labels(seen, Confidentiality::Secret));
        recovery.read(b"{}");
        assert_eq!((recovery.unreadable(), recovery.unfinished()), (1, 0));
        let (sessions, closed) = recovery.restore(&recorder(dir.path()));
        assert_eq!((sessions.len(), closed.len()), (1, 0));
        let facts = facts(&sessions, "s \"escaped\"").unwrap();
        assert_eq!((facts.calls(), facts.denials(), facts.tool("desk/close").calls()), (2, 1, 2));
        assert!(facts.labels().covers(&secret()));
        assert!(!facts.labels().covers(&Labels::of(WORST, ServerId::new("elsewhere"))), "no source is invented");
    }

    #[test]
    fn a_dispatch_without_a_result_is_unknown_once_however_old() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = recorder(dir.path());
        let mut recovery = Recovery::new(IDLE, NOW);
        let old = event(Kind::ToolDispatch, "s", "lost", NOW - 3_000 * MINUTE);
        read(&mut recovery, &old);
        read(&mut recovery, &event(Kind::ToolDispatch, "s", "done", NOW - 2));
        read(&mut recovery, &event(Kind::ToolResult, "s", "done", NOW - 1));
        assert_eq!(recovery.unfinished(), 1);
        let (sessions, closed) = recovery.restore(&recorder);
        assert_eq!(closed.len(), 1);
        assert_eq!((closed[0].call.as_deref(), closed[0].outcome), (Some("lost"), Some(Outcome::Unknown)));
        let facts = facts(&sessions, "s").unwrap();
        assert!(facts.labels().covers(&secret()));
        let mut next = Recovery::new(IDLE, NOW);
        read(&mut next, &old);
        read(&mut next, &closed[0]);
        assert!(next.restore(&recorder).1.is_empty());
    }

    #[test]
    fn sessions_beyond_the_bound_come_back_as_the_worst_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = recorder(dir.path());
        let agent = AgentId::new("bot");
        for (there, beyond) in [(2, 0), (3, 1), (5, 3)] {
            let mut recovery = Recovery::into_sessions(Sessions::with_capacity(IDLE, 2), IDLE, NOW);
            for number in 0..there {
                let name = format!("s{number}");
                read(&mut recovery, &event(Kind::ToolIntent, &name, "1", NOW - 20 * MINUTE + number));
                let result = event(Kind::ToolResult, &name, "1", NOW - 20 * MINUTE + number);
                read(&mut recovery, &with_labels(result, Confidentiality::Public));
            }
            let (sessions, _) = recovery.restore(&recorder);
            assert_eq!(sessions.len(), 2);
            assert_eq!(facts(&sessions, "s1").unwrap().calls(), 1);
            // Those remembered are idle by now, and make room; one that was not comes back before it is idle.
            let back = NOW - 20 * MINUTE + 30 * MINUTE + 1;
            let last = NOW - 20 * MINUTE + there - 1 + 30 * MINUTE;
            let begin = |name: &str, t| {
                let (session, begun) = sessions.enter(&SessionId::new(name), &agent, t).unwrap();
                assert!(begun);
                let facts = lock(&session).facts.clone();
                (facts.calls(), facts.labels().covers(&secret()))
            };
            let expected = if back < last { (beyond, beyond > 0) } else { (0, false) };
            assert_eq!(begin("s2", back), expected, "{there}");
            if beyond > 1 {
                assert_eq!(begin("new", last - 1), (beyond, true));
            }
            assert_eq!(begin("later", last + 40 * MINUTE), (0, false));
        }
    }
}
