//! What was found on the way that neither the configuration nor the session says.

use crate::route::Live;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use vocab::id::{ApprovalId, Digest};

/// What was found on the way. What nobody looked at is absent: a call that was refused earlier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// What the live server said that the tool is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveThen>,
    /// What it said that the dry-run twin is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<LiveThen>,
    /// Whether the arguments point at Mortise's own files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<bool>,
    /// The approval under which the call runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<AskedBefore>,
    /// Why no person could be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<NotAsked>,
    /// Microseconds that the first decision took, when that was too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_us: Option<u64>,
    /// The same of the second, on the redacted arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_again_us: Option<u64>,
    /// What redacting the arguments gave. Pseudonyms are made with a key that is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<Redacted>,
}

/// What a live server said of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveThen {
    /// A tool with this definition.
    Definition(Digest),
    /// Nothing that could be pinned.
    Unpinned,
    /// It does not offer it.
    Absent,
}

/// The approval of a stored call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedBefore {
    /// The approval.
    pub id: ApprovalId,
    /// The definition that the person was shown.
    pub definition: Digest,
}

/// Why no person could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotAsked {
    /// A person refused the same call in this session.
    RefusedBefore,
    /// Too many calls of the session wait.
    TooManyOpen,
    /// The agent asked too often.
    TooMany,
    /// The call could not be stored.
    NotKept,
}

/// Arguments after redactions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redacted {
    /// The terms applied.
    pub terms: BTreeSet<String>,
    /// What was left.
    pub arguments: Value,
}

impl Seen {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl NotAsked {
    /// The rule that refuses, and its reason.
    #[must_use]
    pub const fn rule(self) -> (&'static str, &'static str) {
        match self {
            Self::RefusedBefore => ("approval/refused-before", "a person refused this call in this session"),
            Self::TooManyOpen => ("approval/too-many-open", "too many calls of this session wait for a person"),
            Self::TooMany => ("approval/too-many", "this agent has asked too often within the hour"),
            Self::NotKept => ("approval/not-kept", "the call cannot be kept for a person to look at"),
        }
    }
}

impl From<&Live> for LiveThen {
    fn from(live: &Live) -> Self {
        match live {
            Live::Definition(digest) => Self::Definition(digest.clone()),
            Live::Unpinned => Self::Unpinned,
            Live::Absent => Self::Absent,
        }
    }
}
