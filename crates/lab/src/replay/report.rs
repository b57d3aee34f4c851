//! What a replay found. As large as what it found, up to a bound, and not as the log.

use super::compare::{Change, Side};
use serde::Serialize;
use std::collections::BTreeMap;
use vocab::Verdict;

/// Different groups and different reasons that are told apart; further ones are counted together. Far more than a person
/// reads, and a few hundred kilobytes.
const MAX_KINDS: usize = 512;

/// Under which the reasons and groups beyond the bound are counted.
const OTHERS: &str = "others";

/// How a call was decided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// On its document: everything that was read then.
    Exact,
    /// On its record: the document is gone, and no rule looks at what was only there.
    FromFacts,
}

impl How {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::FromFacts => "from facts",
        }
    }
}

/// Counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Decisions looked at.
    pub decisions: u64,
    /// Decided again on their document.
    pub exact: u64,
    /// Decided again on their record.
    pub from_facts: u64,
    /// Of these two, those decided again under an earlier configuration than the present one: the one that decided then.
    pub earlier: u64,
    /// Not decided again.
    pub not_replayable: u64,
    /// Of these, those whose document is not the one that the record commits to.
    pub altered: u64,
    /// Decided again with another answer. Of other policies, only what would be done otherwise: another verdict, or other
    /// redactions.
    pub differences: u64,
    /// Decided again by other policies with the same answer, for other reasons.
    pub other_reasons: u64,
}

/// A call that came out otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Index of the decision in the log.
    pub index: u64,
    /// The call.
    pub call: String,
    /// When, microseconds since the epoch.
    pub t: i64,
    /// The agent.
    pub agent: String,
    /// What was called, as an action.
    pub action: String,
    /// How it was decided again.
    pub how: How,
    /// What makes the difference.
    pub change: Change,
    /// The answer then.
    pub then: Side,
    /// The answer now.
    pub now: Side,
}

/// Differences of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The rule that makes the difference.
    pub rule: String,
    /// The verdict then.
    pub from: Verdict,
    /// The verdict now.
    pub to: Verdict,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Difference>,
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The bundle in force, or the one that was asked about.
    pub bundle: String,
    /// The configuration it belongs to.
    pub revision: String,
    /// Counts.
    pub summary: Summary,
    /// When the first and the last decision was made, microseconds since the epoch.
    pub span_us: Option<(i64, i64)>,
    /// Differences: those with another verdict first, then the most frequent.
    pub groups: Vec<Group>,
    /// Why calls were not decided again, and how many.
    pub not_replayable: BTreeMap<String, u64>,
    /// The first calls whose document was altered: index and call.
    pub altered: Vec<(u64, String)>,
}

impl Report {
    pub(super) fn new(bundle: String, revision: String) -> Self {
        Self {
            bundle,
            revision,
            summary: Summary::default(),
            span_us: None,
            groups: Vec::new(),
            not_replayable: BTreeMap::new(),
            altered: Vec::new(),
        }
    }

    pub(super) fn look(&mut self, t: i64) {
        self.summary.decisions += 1;
        let (first, last) = self.span_us.unwrap_or((t, t));
        self.span_us = Some((first.min(t), last.max(t)));
    }

    pub(super) fn count(&mut self, how: How) {
        match how {
            How::Exact => self.summary.exact += 1,
            How::FromFacts => self.summary.from_facts += 1,
        }
    }

    pub(super) fn not_replayable(&mut self, why: String) {
        self.summary.not_replayable += 1;
        let is_known = self.not_replayable.len() < MAX_KINDS || self.not_replayable.contains_key(&why);
        *self.not_replayable.entry(if is_known { why } else { OTHERS.to_owned() }).or_default() += 1;
    }

    pub(super) fn altered(&mut self, index: u64, call: &str, examples: usize) {
        self.summary.altered += 1;
        if self.altered.len() < examples {
            self.altered.push((index, call.to_owned()));
        }
    }

    /// Takes in a difference; `is_other` where what is done is otherwise, and not only why.
    pub(super) fn differs(&mut self, found: Difference, is_other: bool, examples: usize) {
        match is_other {
            true => self.summary.differences += 1,
            false => self.summary.other_reasons += 1,
        }
        let is_of = |group: &Group| {
            group.rule == found.change.rule && group.from == found.change.from && group.to == found.change.to
        };
        let place = self.groups.iter().position(is_of);
        let group = match place.and_then(|place| self.groups.get_mut(place)) {
            Some(group) => group,
            None => {
                let is_full = self.groups.len() >= MAX_KINDS;
                let rule = if is_full { OTHERS.to_owned() } else { found.change.rule.clone() };
                let (from, to) = (found.change.from, found.change.to);
                let other = |group: &&mut Group| group.rule == OTHERS && group.from == from && group.to == to;
                if let Some(group) = self.groups.iter_mut().find(other).filter(|_| is_full) {
                    group.count += 1;
                    return;
                }
                self.groups.push(Group { rule, from, to, count: 0, examples: Vec::new() });
                let Some(group) = self.groups.last_mut() else { return };
                group
            }
        };
        group.count += 1;
        if group.examples.len() < examples {
            group.examples.push(found);
        }
    }

    pub(super) fn finished(mut self) -> Self {
        // First what is done otherwise, then what is done for other reasons.
        let key = |group: &Group| (group.from == group.to, std::cmp::Reverse(group.count));
        self.groups.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.rule.cmp(&b.rule)));
        self
    }
}
