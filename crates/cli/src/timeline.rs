//! Calls as the log tells them: one row a call, made from its events and nothing else.

use crate::output::Output;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use vocab::event::{Kind, Outcome};
use vocab::{Event, Verdict, shown};

/// Calls remembered at once while a log is read; beyond, the older half is forgotten.
const MAX_ROWS: usize = 1_000_000;

/// One call.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Call id.
    pub call: String,
    /// When it arrived, microseconds since the epoch.
    pub t: i64,
    /// Agent.
    pub agent: String,
    /// `server/tool`.
    pub action: String,
    /// The decision.
    pub verdict: Option<Verdict>,
    /// The rule that decided: the leading guard, else the first permit rule.
    pub rule: String,
    /// Where the rule is written.
    pub place: Option<String>,
    /// Its static reason.
    pub reason: Option<String>,
    /// Redactions made.
    pub redactions: BTreeMap<String, u64>,
    /// How the tool was confined.
    pub confinement: Option<String>,
    /// The approval waited for.
    pub approval: Option<String>,
    /// Who answered, and how.
    pub answer: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Index of the decision in the log.
    pub decision_index: Option<u64>,
    /// Index of the last event of the call.
    pub last_index: u64,
    /// Session it belongs to.
    pub session: String,
    /// Whether it was dispatched.
    pub dispatched: bool,
    /// Whether it asked for what another call had asked for already, and shares that one's end.
    pub repeats: bool,
}

/// Reads events in order, keeps rows in order of arrival: the newest ones, where there are very many.
pub struct Timeline {
    rows: Vec<Row>,
    /// Number of each call that is remembered, counted from the log's first.
    by_call: BTreeMap<String, usize>,
    /// Number of the call that requested each approval.
    asked: BTreeMap<String, usize>,
    /// Number of the first row: how many before it were forgotten.
    first: usize,
    most: usize,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { rows: Vec::new(), by_call: BTreeMap::new(), asked: BTreeMap::new(), first: 0, most: MAX_ROWS }
    }
}

impl Timeline {
    /// Takes the next event.
    pub fn read(&mut self, index: u64, event: &Event) {
        let Some(call) = event.call.as_deref() else { return };
        let number = match self.by_call.get(call) {
            Some(number) => *number,
            None => {
                self.make_room();
                let number = self.first + self.rows.len();
                self.rows.push(Row::of(call, index, event));
                self.by_call.insert(call.to_owned(), number);
                number
            }
        };
        if let Some(row) = number.checked_sub(self.first).and_then(|at| self.rows.get_mut(at)) {
            row.take(index, event);
        }
        if event.kind == Kind::ApprovalRequested
            && let Some(approval) = event.approval.as_deref()
        {
            self.asked.insert(approval.to_owned(), number);
        }
        self.note_repeat(number, event);
    }

    /// A call that is decided to wait for an approval which another call has requested is that one once more.
    fn note_repeat(&mut self, number: usize, event: &Event) {
        let Some(approval) = event.approval.as_deref().filter(|_| event.kind == Kind::PolicyDecision) else { return };
        let is_another = self.asked.get(approval).is_some_and(|first| *first != number);
        if is_another && let Some(row) = number.checked_sub(self.first).and_then(|at| self.rows.get_mut(at)) {
            row.repeats = true;
        }
    }

    /// The rows so far.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How many older calls were forgotten.
    pub fn forgotten(&self) -> usize {
        self.first
    }

    fn make_room(&mut self) {
        if self.rows.len() >= self.most {
            let old = self.rows.len().div_ceil(2);
            for row in self.rows.drain(..old) {
                self.by_call.remove(&row.call);
            }
            self.first += old;
            self.asked.retain(|_, number| *number >= self.first);
        }
    }
}

impl Row {
    fn of(call: &str, index: u64, event: &Event) -> Self {
        let part = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        let tool = part(&event.tool_name);
        let server = part(&event.server);
        Self {
            call: call.to_owned(),
            t: event.t,
            agent: part(&event.agent),
            action: store::search::action(&server, &tool),
            verdict: None,
            rule: String::new(),
            place: None,
            reason: None,
            redactions: BTreeMap::new(),
            confinement: None,
            approval: None,
            answer: None,
            outcome: None,
            decision_index: None,
            last_index: index,
            session: part(&event.session),
            dispatched: false,
            repeats: false,
        }
    }

    fn take(&mut self, index: u64, event: &Event) {
        self.last_index = index;
        for (term, count) in &event.redactions {
            *self.redactions.entry(term.clone()).or_default() += count;
        }
        if let Some(approval) = event.approval.as_deref() {
            self.approval = Some(approval.to_owned());
        }
        match event.kind {
            // A call that was approved is decided again: the first answer is the one to show.
            Kind::PolicyDecision if self.decision_index.is_none() => self.decide(index, event),
            Kind::ToolDispatch => {
                self.dispatched = true;
                self.confinement = event.confinement.as_deref().map(ToOwned::to_owned);
            }
            Kind::ToolResult => self.outcome = event.outcome,
            // An intent says nothing more, unless it is all there is: a repeat that got the result of an approved call.
            Kind::ToolIntent if event.text.is_some() => {
                self.repeats = true;
                self.answer = event.text.as_deref().map(ToOwned::to_owned);
            }
            Kind::ApprovalGranted => self.answer = Some(answered("approved by", event)),
            Kind::ApprovalDenied => {
                self.answer = Some(answered("refused by", event));
                self.outcome = Some(Outcome::Refused);
            }
            Kind::ApprovalExpired => {
                self.answer = Some("nobody answered in time".to_owned());
                self.outcome = Some(Outcome::Expired);
            }
            _ => {}
        }
    }

    fn decide(&mut self, index: u64, event: &Event) {
        self.decision_index = Some(index);
        self.verdict = event.decision;
        if event.decision == Some(Verdict::Deny) {
            self.outcome = Some(Outcome::Refused);
        }
        let leading = event.reasons.iter().find(|reason| reason.discharged_by.is_none());
        match leading {
            Some(reason) => {
                self.rule = reason.rule.to_string();
                self.reason = reason.text.as_deref().map(ToOwned::to_owned);
                self.place = reason.place.as_ref().map(|place| format!("{}:{}", place.file, place.line));
            }
            None => self.rule = event.permits.first().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// The row for people: one line, and a second with the reason where there is one.
    pub fn render(&self, output: &Output) -> String {
        let index = self.decision_index.map_or_else(|| "-".to_owned(), |index| format!("#{index}"));
        self.lines(output, &clock_time(self.t), &index)
    }

    /// The same among calls of other days, with the call's id.
    pub fn render_dated(&self, output: &Output) -> String {
        self.lines(output, &date_time(self.t), &self.call)
    }

    /// When, what and how; at the end what it is found by.
    fn lines(&self, output: &Output, time: &str, name: &str) -> String {
        let verdict = self.verdict.map_or_else(|| format!("{:<8}", "-"), |verdict| output.verdict(verdict));
        let mut text = format!(
            "{}  {verdict}  {:<28} {:<34} {:<20} {}",
            output.dim(time),
            shown::name(&self.action),
            shown::name(&self.rule),
            self.end(),
            output.dim(&shown::name(name))
        );
        // Below the action: behind the time, two spaces, the verdict, three spaces.
        let indent = " ".repeat(time.chars().count() + 13);
        for line in self.notes() {
            text.push('\n');
            text.push_str(&indent);
            text.push_str(&output.dim(&shown::line(&line)));
        }
        text
    }

    fn end(&self) -> String {
        let outcome = match (self.outcome, self.dispatched) {
            (Some(outcome), _) => outcome.as_str(),
            (None, false) if self.repeats => "repeat",
            (None, true) => "unknown",
            (None, false) if self.verdict == Some(Verdict::Ask) => "waiting",
            (None, false) => "not run",
        };
        match self.confinement.as_deref() {
            Some("none") | None => outcome.to_owned(),
            Some(confinement) => format!("{outcome} ({})", shown::name(confinement).replace('_', " ")),
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(reason) = &self.reason {
            let place = self.place.as_ref().map(|place| format!("  [{place}]")).unwrap_or_default();
            notes.push(format!("{reason}{place}"));
        }
        let made: Vec<String> =
            self.redactions.iter().filter(|(_, n)| **n > 0).map(|(term, n)| format!("{term} x{n}")).collect();
        if !made.is_empty() {
            notes.push(format!("redacted: {}", made.join(", ")));
        }
        notes.extend(self.answer.clone());
        notes
    }
}

fn answered(how: &str, event: &Event) -> String {
    let who = event.approver.as_deref().unwrap_or("?");
    match &event.text {
        Some(reason) if !reason.is_empty() => format!("{how} {who}: {reason}"),
        _ => format!("{how} {who}"),
    }
}

/// `15:04:05.123` UTC.
pub fn clock_time(t: i64) -> String {
    let of_day = t.rem_euclid(86_400_000_000);
    let (seconds, millis) = (of_day / 1_000_000, of_day / 1_000 % 1_000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `2026-11-28 15:04:05.123` UTC.
pub fn date_time(t: i64) -> String {
    let date = jiff::Timestamp::from_microsecond(t).map(|time| time.strftime("%Y-%m-%d").to_string());
    format!("{} {}", date.unwrap_or_else(|_| "?".to_owned()), clock_time(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Kind) -> Event<'static> {
        let mut event = Event::new(kind, "e", 1, "default");
        event.call = Some("c".into());
        event.server = Some("desk".into());
        event.tool_name = Some("run_script".into());
        event
    }

    #[test]
    fn a_dispatch_without_a_result_is_unknown_and_an_ask_without_a_dispatch_is_not_run() {
        let mut timeline = Timeline::default();
        let mut decision = event(Kind::PolicyDecision);
        decision.decision = Some(Verdict::Ask);
        timeline.read(0, &decision);
        assert_eq!(timeline.rows()[0].end(), "waiting");
        timeline.read(1, &event(Kind::ToolDispatch));
        assert_eq!(timeline.rows()[0].end(), "unknown");
        assert_eq!(timeline.rows()[0].action, "desk/run_script");
    }

    #[test]
    fn of_very_many_calls_the_newest_are_kept() {
        let mut timeline = Timeline { most: 4, ..Timeline::default() };
        let mut calls = |count: u64| {
            for number in 0..count {
                let mut event = event(Kind::ToolIntent);
                event.call = Some(format!("c{number}").into());
                timeline.read(number, &event);
            }
            let kept: Vec<String> = timeline.rows().iter().map(|row| row.call.clone()).collect();
            (timeline.forgotten(), kept.join(" "), timeline.by_call.len())
        };
        assert_eq!(calls(4), (0, "c0 c1 c2 c3".to_owned(), 4));
        assert_eq!(calls(5), (2, "c2 c3 c4".to_owned(), 3));
    }

    #[test]
    fn a_call_that_asks_again_is_a_repeat() {
        let of = |call: &str, kind, approval: Option<&str>| {
            let mut event = event(kind);
            event.call = Some(call.to_owned().into());
            event.approval = approval.map(|approval| approval.to_owned().into());
            event.decision = (kind == Kind::PolicyDecision).then_some(Verdict::Ask);
            event
        };
        let mut timeline = Timeline::default();
        timeline.read(0, &of("first", Kind::PolicyDecision, Some("ap")));
        timeline.read(1, &of("first", Kind::ApprovalRequested, Some("ap")));
        timeline.read(2, &of("second", Kind::PolicyDecision, Some("ap")));
        let mut held = of("third", Kind::ToolIntent, None);
        held.text = Some("answered with the held result of an approved call".into());
        timeline.read(3, &held);
        let ends: Vec<String> = timeline.rows().iter().map(Row::end).collect();
        assert_eq!(ends, ["waiting", "repeat", "repeat"]);
        // The first one, decided again when it runs, is not.
        timeline.read(4, &of("first", Kind::PolicyDecision, Some("ap")));
        assert_eq!(timeline.rows()[0].end(), "waiting");
    }

    #[test]
    fn time_of_day_is_utc() {
        assert_eq!(clock_time(86_400_000_000 + 3_661_002_000), "01:01:01.002");
        assert_eq!(date_time(86_400_000_000 + 3_661_002_000), "1970-01-02 01:01:01.002");
    }
}
