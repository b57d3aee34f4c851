//! An event from the bytes of its record.
//!
//! Mortise writes records in one form: members in order, nothing between them, each once. A record in that form is read
//! member by member, in a fraction of the time that a general parser takes, which is most of what verifying a log costs.
//! Any other is left to the general parser. It accepts whatever is read here, with the same outcome; the tests hold one
//! against the other.

use super::{Event, Kind, RecordError};
use serde::Deserialize;
use serde::de::{IntoDeserializer, value};
use std::borrow::Cow;

impl<'a> Event<'a> {
    /// Reads a leaf back.
    ///
    /// # Errors
    /// The bytes are not an event of a version this Mortise knows.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, RecordError> {
        // Once for all of it, instead of once for each text.
        let text = std::str::from_utf8(bytes).map_err(|error| RecordError::Unreadable(error.to_string()))?;
        match written_form(text) {
            Some(event) => Ok(event),
            None => general_form(text),
        }
    }
}

/// Half of the levels that the general parser goes down: with no more opening brackets than that, none can be too deep.
const MAX_OPENINGS: usize = 64;

/// Reads an event with its members in any order and any spelling JSON has for them.
fn general_form(text: &str) -> Result<Event<'_>, RecordError> {
    serde_json::from_str(text).map_err(|error| RecordError::Unreadable(error.to_string()))
}

/// `event.name = Some(text)`, if a text of that name comes next.
macro_rules! text {
    ($reader:ident, $event:ident.$field:ident) => {
        if $reader.takes(concat!("\"", stringify!($field), "\":\"")) {
            $event.$field = Some(Cow::Borrowed($reader.text()?));
        }
    };
}

/// `event.name = Some(word)`, if a word of that name comes next.
macro_rules! word {
    ($reader:ident, $event:ident.$field:ident) => {
        if $reader.takes(concat!("\"", stringify!($field), "\":\"")) {
            $event.$field = Some($reader.word()?);
        }
    };
}

/// `event.name = Some(12)`, if a number of that name comes next.
macro_rules! natural {
    ($reader:ident, $event:ident.$field:ident) => {
        if $reader.takes(concat!("\"", stringify!($field), "\":")) {
            $event.$field = Some($reader.natural()?);
        }
    };
}

/// `event.name = value`, if a value of that name comes next; one that is rare enough to go through the general parser.
macro_rules! value {
    ($reader:ident, $event:ident.$field:ident) => {
        if $reader.takes(concat!("\"", stringify!($field), "\":")) {
            $event.$field = $reader.value()?;
        }
    };
}

/// Reads an event in the form in which [`to_bytes`](Event::to_bytes) writes it, without a text that has to be escaped.
/// `None`: it has another form, or is no event.
fn written_form(text: &str) -> Option<Event<'_>> {
    // With neither of these, a text is what stands between two quotation marks. Every byte is looked at, whatever the
    // earlier ones are: many at a time.
    if text.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == b'\\')) {
        return None;
    }
    let mut reader = Reader { rest: text.strip_prefix('{')?, is_at_end: false };
    let mut event = Event::new(Kind::ToolIntent, "", 0, "");
    text!(reader, event.agent);
    text!(reader, event.approval);
    text!(reader, event.approver);
    text!(reader, event.args_hash);
    word!(reader, event.authn);
    text!(reader, event.call);
    natural!(reader, event.confidence);
    text!(reader, event.config_revision);
    text!(reader, event.confinement);
    word!(reader, event.decision);
    text!(reader, event.definition);
    value!(reader, event.detail);
    value!(reader, event.dev);
    word!(reader, event.effect);
    text!(reader, event.effective_hash);
    if reader.takes("\"faults\":") {
        event.faults = Cow::Owned(reader.value()?);
    }
    event.id = reader.required_text("\"id\":\"")?;
    value!(reader, event.labels);
    natural!(reader, event.latency_us);
    word!(reader, event.mode);
    text!(reader, event.model_id);
    event.mortise_version = reader.required_text("\"mortise_version\":\"")?;
    word!(reader, event.outcome);
    if reader.takes("\"parents\":") {
        event.parents = Cow::Owned(reader.value()?);
    }
    if reader.takes("\"payloads\":") {
        event.payloads = reader.value()?;
    }
    if reader.takes("\"permits\":") {
        event.permits = Cow::Owned(reader.value()?);
    }
    text!(reader, event.policy_bundle);
    text!(reader, event.prompt_template);
    text!(reader, event.purpose_hash);
    if reader.takes("\"reasons\":") {
        event.reasons = Cow::Owned(reader.value()?);
    }
    value!(reader, event.redactions);
    natural!(reader, event.result_bytes);
    text!(reader, event.result_hash);
    text!(reader, event.run);
    text!(reader, event.server);
    text!(reader, event.session);
    event.t = reader.takes("\"t\":").then(|| reader.natural())??;
    event.tenant = reader.required_text("\"tenant\":\"")?;
    text!(reader, event.text);
    word!(reader, event.tier);
    text!(reader, event.tool_name);
    event.kind = reader.takes("\"type\":\"").then(|| reader.word())??;
    text!(reader, event.user);
    event.v = reader.takes("\"v\":").then(|| reader.natural())??;
    if reader.takes("\"would\":") {
        event.would = Cow::Owned(reader.value()?);
    }
    reader.is_at_end.then_some(event)
}

/// A place in a record: at a member's name, or behind the closing brace.
struct Reader<'a> {
    rest: &'a str,
    is_at_end: bool,
}

impl<'a> Reader<'a> {
    /// Moves behind `beginning`, if that is what comes next.
    #[inline]
    fn takes(&mut self, beginning: &str) -> bool {
        match self.rest.strip_prefix(beginning) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The text whose opening quotation mark was taken.
    fn text(&mut self) -> Option<&'a str> {
        let (text, rest) = self.rest.split_once('"')?;
        self.next(rest)?;
        Some(text)
    }

    fn required_text(&mut self, beginning: &str) -> Option<Cow<'a, str>> {
        if self.takes(beginning) { self.text().map(Cow::Borrowed) } else { None }
    }

    /// The word of a closed vocabulary whose opening quotation mark was taken.
    fn word<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let word: value::BorrowedStrDeserializer<'a, value::Error> = value::BorrowedStrDeserializer::new(self.text()?);
        T::deserialize(word.into_deserializer()).ok()
    }

    fn natural<T: std::str::FromStr>(&mut self) -> Option<T> {
        let end = self.rest.find([',', '}'])?;
        let (digits, rest) = self.rest.split_at_checked(end)?;
        // Rust reads signs and leading zeros, too.
        let is_natural =
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
        let number = if is_natural { digits.parse().ok()? } else { return None };
        self.next(rest)?;
        Some(number)
    }

    fn value<T: Deserialize<'a>>(&mut self) -> Option<T> {
        // The general parser counts levels from the record's own brace on. What could come near its limit is left to it.
        let opening = |byte: &u8| matches!(byte, b'{' | b'[');
        if self.rest.bytes().filter(|byte| opening(byte)).take(MAX_OPENINGS).count() == MAX_OPENINGS {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter();
        let value = values.next()?.ok()?;
        let rest = self.rest.get(values.byte_offset()..)?;
        self.next(rest)?;
        Some(value)
    }

    /// Moves behind what follows a value: to the next member, or to the end of the record.
    fn next(&mut self, rest: &'a str) -> Option<()> {
        self.is_at_end = rest == "}";
        self.rest = if self.is_at_end { "" } else { rest.strip_prefix(',')? };
        Some(())
    }
}

#[cfg(test)]
mod tests;
