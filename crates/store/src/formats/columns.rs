//! The members of an event that leave, flat.
//!
//! It is a list of what may, not of what may not: a member that comes to the record stays here until somebody adds it.
//! Left out on purpose: `text`, `detail` and the texts of reasons and faults, which hold sentences, some of them a
//! person's; and `payloads`, of which a reader of these formats can make nothing.

use std::borrow::Cow;
use vocab::Event;
use vocab::event::Outcome;

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A word, an id, a digest.
    Text(Cow<'a, str>),
    /// A count or a time.
    Number(i64),
    /// Yes.
    Flag(bool),
}

/// What kind of values a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// [`Cell::Text`].
    Text,
    /// [`Cell::Number`].
    Number,
    /// [`Cell::Flag`].
    Flag,
}

/// What a column says about a call when its events disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfCall {
    /// Nothing: it is the event's own.
    Nothing,
    /// What the first event says that says anything.
    First,
    /// What the last one says.
    Last,
    /// What the strictest decision says.
    Strictest,
}

/// A member that leaves.
#[derive(Debug)]
pub struct Column {
    /// Its name: that of the record's member where it is one.
    pub name: &'static str,
    /// Kind of its values.
    pub kind: Type,
    /// How events of one call are put together.
    pub of_call: OfCall,
    /// Its value in an event.
    pub cell: for<'a> fn(&'a Event<'a>) -> Option<Cell<'a>>,
}

impl Cell<'_> {
    /// With its own text.
    #[must_use]
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Number(number) => Cell::Number(number),
            Self::Flag(flag) => Cell::Flag(flag),
        }
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_ref().into(),
            Self::Number(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
        }
    }
}

macro_rules! column {
    ($name:literal, $kind:ident, $of:ident, $cell:expr) => {
        Column { name: $name, kind: Type::$kind, of_call: OfCall::$of, cell: $cell }
    };
}

/// Every column, in the order of a file's columns. A new one comes last: files are read by position, too.
pub static COLUMNS: &[Column] = &[
    column!("t", Number, Nothing, |event| Some(Cell::Number(event.t))),
    column!("type", Text, Nothing, |event| text(event.kind.as_str())),
    column!("id", Text, Nothing, |event| text(&event.id)),
    column!("tenant", Text, First, |event| text(&event.tenant)),
    column!("agent", Text, First, |event| maybe(event.agent.as_ref())),
    column!("parents", Text, First, |event| list(event.parents.iter().map(|parent| parent.as_str()))),
    column!("user", Text, First, |event| maybe(event.user.as_ref())),
    column!("authn", Text, First, |event| word(event.authn.as_ref())),
    column!("tier", Text, First, |event| word(event.tier.as_ref())),
    column!("mode", Text, First, |event| word(event.mode.as_ref())),
    column!("session", Text, First, |event| maybe(event.session.as_ref())),
    column!("run", Text, First, |event| maybe(event.run.as_ref())),
    column!("call", Text, First, |event| maybe(event.call.as_ref())),
    column!("server", Text, First, |event| maybe(event.server.as_ref())),
    column!("tool_name", Text, First, |event| maybe(event.tool_name.as_ref())),
    column!("effect", Text, First, |event| word(event.effect.as_ref())),
    column!("definition", Text, First, |event| maybe(event.definition.as_ref())),
    column!("args_hash", Text, First, |event| maybe(event.args_hash.as_ref())),
    column!("effective_hash", Text, Last, |event| maybe(event.effective_hash.as_ref())),
    column!("purpose_hash", Text, First, |event| maybe(event.purpose_hash.as_ref())),
    column!("confidence", Number, First, |event| event.confidence.map(|percent| Cell::Number(percent.into()))),
    column!("decision", Text, Strictest, |event| event.decision.and_then(|verdict| text(verdict.as_str()))),
    column!("rules", Text, Strictest, |event| list(event.reasons.iter().map(|reason| reason.rule.as_str()))),
    column!("permits", Text, Strictest, |event| list(event.permits.iter().map(|rule| rule.as_str()))),
    column!("would", Text, Strictest, |event| list(event.would.iter().map(|would| would.rule.as_str()))),
    column!("faults", Number, Last, |event| count(event.faults.len())),
    column!("latency_us", Number, First, |event| event.latency_us.map(number)),
    column!("policy_bundle", Text, Strictest, |event| maybe(event.policy_bundle.as_ref())),
    column!("config_revision", Text, First, |event| maybe(event.config_revision.as_ref())),
    column!("approval", Text, Last, |event| maybe(event.approval.as_ref())),
    column!("approver", Text, Last, |event| maybe(event.approver.as_ref())),
    column!("confinement", Text, Last, |event| maybe(event.confinement.as_ref())),
    column!("outcome", Text, Last, |event| event.outcome.map(Outcome::as_str).and_then(text)),
    column!("redactions", Number, Last, |event| match event.redactions.values().sum() {
        0 => None,
        sum => Some(number(sum)),
    }),
    column!("result_bytes", Number, Last, |event| event.result_bytes.map(number)),
    column!("result_hash", Text, Last, |event| maybe(event.result_hash.as_ref())),
    column!("integrity", Text, Last, |event| word(event.labels.as_ref().map(|labels| &labels.integrity))),
    column!("confidentiality", Text, Last, |event| {
        let seen = event.labels.iter().flat_map(|labels| &labels.confidentiality);
        let words: Vec<String> = seen.filter_map(spelt).collect();
        list(words.iter().map(String::as_str))
    }),
    column!("model_id", Text, First, |event| maybe(event.model_id.as_ref())),
    column!("prompt_template", Text, First, |event| maybe(event.prompt_template.as_ref())),
    column!("dev", Flag, First, |event| event.dev.then_some(Cell::Flag(true))),
    column!("mortise_version", Text, First, |event| text(&event.mortise_version)),
];

/// What an event says in its columns, those that say something.
pub fn cells<'a>(event: &'a Event<'a>) -> impl Iterator<Item = (&'static Column, Cell<'a>)> {
    COLUMNS.iter().filter_map(|column| Some((column, (column.cell)(event)?)))
}

fn text(text: &str) -> Option<Cell<'_>> {
    Some(Cell::Text(Cow::Borrowed(text)))
}

fn maybe<'a>(text: Option<&'a Cow<'a, str>>) -> Option<Cell<'a>> {
    text.map(|text| Cell::Text(Cow::Borrowed(text)))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> Option<Cell<'static>> {
    let items: Vec<&str> = items.collect();
    (!items.is_empty()).then(|| Cell::Text(Cow::Owned(items.join("; "))))
}

fn count(items: usize) -> Option<Cell<'static>> {
    (items > 0).then(|| Cell::Number(i64::try_from(items).unwrap_or(i64::MAX)))
}

fn number(number: u64) -> Cell<'static> {
    Cell::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A word of a closed vocabulary, as the record spells it.
fn word<T: serde::Serialize>(word: Option<&T>) -> Option<Cell<'static>> {
    spelt(word?).map(|word| Cell::Text(Cow::Owned(word)))
}

fn spelt<T: serde::Serialize>(word: &T) -> Option<String> {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(word)) => Some(word),
        _ => None,
    }
}
