//! What a record commits to and does not contain.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What is kept, how, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadClass {
    /// What a decision was made on, raw. Always encrypted, kept shortly: stored calls and exact replay.
    DecisionInput,
    /// What was said and done, for readers of the trace: redacted before it is hashed.
    TraceText,
}

impl PayloadClass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::DecisionInput, Self::TraceText];

    /// The word in the `class` member.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DecisionInput => "decision_input",
            Self::TraceText => "trace_text",
        }
    }
}

/// A payload kept apart from the record. The record stays valid when the payload is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload<'a> {
    /// Length of the plain text.
    pub bytes: u64,
    /// How it is kept.
    pub class: PayloadClass,
    /// Salted SHA-256 of the plain text, `sha256:` and 64 hexadecimal digits. The salt is kept with the payload and goes
    /// with it, so that what remains here says nothing about a short text.
    #[serde(borrow)]
    pub digest: Cow<'a, str>,
    /// Which data key it is under: whoever destroys that key erases it.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// What it is: `input`, `arguments`, `result`.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

impl Payload<'_> {
    /// With its own texts.
    #[must_use]
    pub fn into_owned(self) -> Payload<'static> {
        let Self { bytes, class, digest, key, name } = self;
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Payload { bytes, class, digest: owned(digest), key: owned(key), name: owned(name) }
    }
}
