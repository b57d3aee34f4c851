//! What checking a bundle found.

use super::Selection;
use crate::log::prune::Removed;
use std::collections::{BTreeMap, BTreeSet};

/// Problems named; the rest is counted.
const MAX_NAMED: usize = 100;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, and where in it.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// Something is not there; otherwise it is not what it should be.
    pub is_missing: bool,
}

/// How far a witness has cosigned the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness.
    pub witness: String,
    /// Records under the checkpoint it cosigned last, of which the bundle's is proved to have grown.
    pub size: u64,
    /// When, seconds since the epoch.
    pub time: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleReport {
    /// The log.
    pub origin: String,
    /// What was asked for, as the manifest says.
    pub selection: Selection,
    /// Records under the checkpoint.
    pub size: u64,
    /// Records proved to be in the log.
    pub proved: u64,
    /// Of these, those that were asked for.
    pub selected: u64,
    /// And those that they are judged by.
    pub supporting: u64,
    /// Whether no record is left out between the first and the last.
    pub is_contiguous: bool,
    /// Records of the log that are not in the bundle.
    pub left_out: u64,
    /// The first hundred stretches of them: from, to, both left out.
    pub gaps: Vec<(u64, u64)>,
    /// Payloads by state.
    pub payloads: BTreeMap<String, u64>,
    /// What retention removed, of what the selected records commit to: class, last day, days kept, and the record that says
    /// so.
    pub removals: BTreeSet<(String, String, u32, u64)>,
    /// Records that say which data keys were destroyed, of what the selected records commit to.
    pub erasures: BTreeSet<u64>,
    /// The removal of records that the log begins after, if there was one.
    pub pruned: Option<Removed>,
    /// Records by which the key that was given, and those behind it, handed over to the next.
    pub handovers: Vec<u64>,
    /// What the witnesses that were given have cosigned.
    pub cosigned: Vec<Cosignature>,
    /// Files with what witnesses cosigned, whoever they are.
    pub witness_files: u64,
    /// How many problems there are.
    pub problems: u64,
    /// Of these, how many are that something is not there.
    pub absent: u64,
    /// The first hundred of them.
    pub named: Vec<Problem>,
}

impl BundleReport {
    /// In a word: `ok`; `missing` where something is not there and nothing else is wrong; `altered`.
    #[must_use]
    pub const fn verdict(&self) -> &'static str {
        match self.problems {
            0 => "ok",
            problems if problems == self.absent => "missing",
            _ => "altered",
        }
    }

    /// The records from `from` up to and without `to` are not there.
    pub(super) fn leave_out(&mut self, from: u64, to: u64) {
        self.left_out += to.saturating_sub(from);
        if from < to && self.gaps.len() < MAX_NAMED {
            self.gaps.push((from, to - 1));
        }
    }

    /// Something is not what it should be.
    pub(super) fn problem(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.name(Problem { place: place.into(), what: what.into(), is_missing: false });
    }

    /// Something is not there.
    pub(super) fn missing(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.absent += 1;
        self.name(Problem { place: place.into(), what: what.into(), is_missing: true });
    }

    fn name(&mut self, problem: Problem) {
        self.problems += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(problem);
        }
    }
}
