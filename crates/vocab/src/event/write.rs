//! An event as the bytes of its record.
//!
//! Written member by member: four events of every call are written, and this takes a quarter of what going through a
//! serialiser takes. The members fall into runs of those that all events of one call share and those that are an
//! event's own; [`Shared`] keeps the former written, so that a further event of the call copies them.

use super::{Event, MAX_RECORD_BYTES, RecordError, json};

/// Runs of shared members, each followed by members of the event's own.
const RUNS: usize = 12;

/// Most records are shorter: one allocation instead of several ever larger ones. Less than 1008, beyond which common
/// allocators go their long way.
const USUAL_BYTES: usize = 1000;

/// What a call's events share is mostly shorter.
const USUAL_SHARED_BYTES: usize = 640;

/// The members that all events of one call share, written once: `agent`, `args_hash`, `authn`, `call`,
/// `config_revision`, `definition`, `dev`, `effect`, `mode`, `model_id`, `mortise_version`, `parents`, `policy_bundle`,
/// `run`, `server`, `session`, `tenant`, `tier`, `tool_name`, `user` and `v`.
#[derive(Clone, Debug)]
pub struct Shared {
    bytes: Vec<u8>,
    /// Where each run ends.
    ends: [usize; RUNS],
}

impl Shared {
    /// The shared members of this event.
    #[must_use]
    pub fn of(event: &Event<'_>) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_SHARED_BYTES);
        let mut ends = [0; RUNS];
        for (run, end) in ends.iter_mut().enumerate() {
            event.write_shared(run, &mut bytes);
            *end = bytes.len();
        }
        Self { bytes, ends }
    }
}

impl Event<'_> {
    /// The leaf: the bytes that are hashed, written and proved.
    ///
    /// # Errors
    /// The record is longer than [`MAX_RECORD_BYTES`], or cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let mut out = Vec::with_capacity(USUAL_BYTES);
        for run in 0..RUNS {
            self.write_shared(run, &mut out);
            self.write_own(run, &mut out)?;
        }
        finished(out)
    }

    /// The leaf of an event whose shared members are these; its own [`Shared`] members are not looked at.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes).
    pub fn to_bytes_with(&self, shared: &Shared) -> Result<Vec<u8>, RecordError> {
        let mut out = Vec::with_capacity(USUAL_BYTES);
        let mut start = 0;
        for (run, end) in shared.ends.iter().enumerate() {
            out.extend_from_slice(shared.bytes.get(start..*end).unwrap_or_default());
            start = *end;
            self.write_own(run, &mut out)?;
        }
        finished(out)
    }
}

/// Every member was written with a comma before it; the first one's becomes the opening brace.
fn finished(mut out: Vec<u8>) -> Result<Vec<u8>, RecordError> {
    if let Some(first) = out.first_mut() {
        *first = b'{';
    }
    out.push(b'}');
    if out.len() > MAX_RECORD_BYTES { Err(RecordError::TooLong(out.len())) } else { Ok(out) }
}

/// `,"name":"text"`, if there is a text.
macro_rules! text {
    ($out:ident, $name:literal, $text:expr) => {
        if let Some(text) = $text {
            $out.extend_from_slice(concat!(",\"", $name, "\":\"").as_bytes());
            json::text($out, text);
            $out.push(b'"');
        }
    };
}

/// `,"name":"word"`, if there is a word; one of ours, which has nothing to escape.
macro_rules! word {
    ($out:ident, $name:literal, $word:expr) => {
        if let Some(word) = $word {
            $out.extend_from_slice(concat!(",\"", $name, "\":\"").as_bytes());
            $out.extend_from_slice(word.as_str().as_bytes());
            $out.push(b'"');
        }
    };
}

/// `,"name":12`, if there is a number.
macro_rules! natural {
    ($out:ident, $name:literal, $number:expr) => {
        if let Some(number) = $number {
            $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
            json::natural($out, u64::from(number));
        }
    };
}

/// `,"name":["text"]`, if there are any.
macro_rules! texts {
    ($out:ident, $name:literal, $ids:expr) => {
        if !$ids.is_empty() {
            $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
            json::texts($out, $ids.iter().map(|id| id.as_str()));
        }
    };
}

/// `,"name":` and what is rare enough to go through the serialiser, if there is any.
macro_rules! value {
    ($out:ident, $name:literal, $value:expr) => {
        if !$value.is_empty() {
            $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
            json::value($out, &$value)?;
        }
    };
}

impl Event<'_> {
    fn write_shared(&self, run: usize, out: &mut Vec<u8>) {
        match run {
            0 => text!(out, "agent", &self.agent),
            1 => {
                text!(out, "args_hash", &self.args_hash);
                word!(out, "authn", self.authn);
                text!(out, "call", &self.call);
            }
            2 => text!(out, "config_revision", &self.config_revision),
            3 => text!(out, "definition", &self.definition),
            4 => {
                if self.dev {
                    out.extend_from_slice(b",\"dev\":true");
                }
                word!(out, "effect", self.effect);
            }
            5 => {
                word!(out, "mode", self.mode);
                text!(out, "model_id", &self.model_id);
                text!(out, "mortise_version", Some(&self.mortise_version));
            }
            6 => texts!(out, "parents", self.parents),
            7 => text!(out, "policy_bundle", &self.policy_bundle),
            8 => {
                text!(out, "run", &self.run);
                text!(out, "server", &self.server);
                text!(out, "session", &self.session);
            }
            9 => text!(out, "tenant", Some(&self.tenant)),
            10 => {
                word!(out, "tier", self.tier);
                text!(out, "tool_name", &self.tool_name);
            }
            _ => {
                text!(out, "user", &self.user);
                natural!(out, "v", Some(self.v));
            }
        }
    }

    fn write_payloads(&self, out: &mut Vec<u8>) {
        for (at, payload) in self.payloads.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b",\"payloads\":[{\"bytes\":" } else { b",{\"bytes\":" });
            json::natural(out, payload.bytes);
            word!(out, "class", Some(payload.class));
            text!(out, "digest", Some(&payload.digest));
            text!(out, "key", Some(&payload.key));
            text!(out, "name", Some(&payload.name));
            out.push(b'}');
        }
        if !self.payloads.is_empty() {
            out.push(b']');
        }
    }

    /// What stands between a run of shared members and the next.
    fn write_own(&self, run: usize, out: &mut Vec<u8>) -> Result<(), RecordError> {
        match run {
            0 => {
                text!(out, "approval", &self.approval);
                text!(out, "approver", &self.approver);
            }
            1 => natural!(out, "confidence", self.confidence),
            2 => {
                text!(out, "confinement", &self.confinement);
                word!(out, "decision", self.decision);
            }
            3 => value!(out, "detail", self.detail),
            4 => {
                text!(out, "effective_hash", &self.effective_hash);
                value!(out, "faults", self.faults);
                text!(out, "id", Some(&self.id));
                self.write_labels(out);
                natural!(out, "latency_us", self.latency_us);
            }
            5 => word!(out, "outcome", self.outcome),
            6 => {
                self.write_payloads(out);
                texts!(out, "permits", self.permits);
            }
            7 => {
                text!(out, "prompt_template", &self.prompt_template);
                text!(out, "purpose_hash", &self.purpose_hash);
                value!(out, "reasons", self.reasons);
                value!(out, "redactions", self.redactions);
                natural!(out, "result_bytes", self.result_bytes);
                text!(out, "result_hash", &self.result_hash);
            }
            8 => {
                out.extend_from_slice(b",\"t\":");
                json::number(out, self.t);
            }
            9 => text!(out, "text", &self.text),
            10 => word!(out, "type", Some(self.kind)),
            _ => value!(out, "would", self.would),
        }
        Ok(())
    }

    fn write_labels(&self, out: &mut Vec<u8>) {
        let Some(labels) = &self.labels else { return };
        out.extend_from_slice(b",\"labels\":{\"confidentiality\":");
        json::texts(out, labels.confidentiality.iter().map(|seen| seen.as_str()));
        out.extend_from_slice(b",\"integrity\":\"");
        out.extend_from_slice(labels.integrity.as_str().as_bytes());
        out.extend_from_slice(b"\"}");
    }
}

#[cfg(test)]
mod tests;
