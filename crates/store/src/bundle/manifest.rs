//! What a bundle says of itself.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vocab::Event;

/// The format this Mortise writes.
pub(super) const FORMAT: &str = "mortise/audit-bundle/1";

/// Which records an auditor asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Only what this agent did.
    pub agent: Option<String>,
    /// From then on, microseconds since the epoch.
    pub since_us: Option<i64>,
    /// Before then, microseconds since the epoch.
    pub until_us: Option<i64>,
}

impl Selection {
    pub(super) fn takes(&self, event: &Event<'_>) -> bool {
        self.agent.as_deref().is_none_or(|agent| event.agent.as_deref() == Some(agent))
            && self.since_us.is_none_or(|since| event.t >= since)
            && self.until_us.is_none_or(|until| event.t < until)
    }
}

/// `manifest.json`. Nothing of it is believed: it says where to look, and the proofs say what is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The bundle's format.
    pub format: String,
    /// The Mortise that wrote it.
    pub mortise_version: String,
    /// The log.
    pub origin: String,
    /// Records under the checkpoint.
    pub size: u64,
    /// What was asked for.
    pub selection: Selection,
    /// Records that were asked for.
    pub selected: u64,
    /// Further records that are needed to judge them by.
    pub supporting: u64,
    /// Whether the records in here are all that the log has from the first to the last of them. Otherwise they are some of
    /// them: each is proved, and that there are no others is not.
    pub is_contiguous: bool,
    /// How many payloads are in which state.
    pub payloads: BTreeMap<String, u64>,
    /// Index of the record that tells of what was disclosed. (The record of the export itself names the digest of this file.)
    pub exported: Option<u64>,
    /// SHA-256 of every other file, by path.
    pub files: BTreeMap<String, String>,
}

/// A line of `payloads.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PayloadLine {
    pub(super) index: u64,
    pub(super) name: String,
    pub(super) class: String,
    pub(super) digest: String,
    pub(super) state: String,
    /// The record because of which it is not there.
    pub(super) because: Option<u64>,
}
