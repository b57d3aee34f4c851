//! Whether the beginning of a log is rightly gone.
//!
//! Records before the first one that is there are `pruned` only where a record says so that a signed checkpoint is over: it
//! has the digest of the file `pruned`, the removal went by the retention that was in force, and the time of the newest record
//! that went was over. What was in force then follows from what the records that are gone had stated last, which that file
//! says, and from those between. Otherwise they are missing.

use super::{Fault, Place};
use crate::{
    log::prune::{RECORDS, Removed, Stated, prefix::Prefix},
    payload::Day,
};
use serde_json::Value;
use vocab::{Event, event::Kind};

/// The beginning of a log, pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedRecords {
    /// Index of the record that tells of it.
    pub index: u64,
    /// The removal that took the last of them.
    pub removed: Removed,
    /// How many removals there had been before.
    pub earlier: u64,
}

/// The index of a record that tells of a removal, and what is wrong with it.
pub(crate) type Judged = (u64, Result<(), String>);

/// What is found on the way about the records that are gone.
pub(crate) struct Gone {
    prefix: Prefix,
    digest: String,
    stated: Stated,
    /// The record that tells of it, and what is wrong with it.
    pub(crate) told: Option<Judged>,
}

impl Gone {
    pub(crate) fn new(prefix: Prefix) -> Self {
        Self { digest: prefix.digest(), stated: prefix.stated.clone(), prefix, told: None }
    }

    /// Takes the next record.
    pub(crate) fn see(&mut self, index: u64, event: &Event<'_>) {
        self.stated.hear(event);
        let is_it = event.kind == Kind::StorePruned
            && event.detail.get("pruned").and_then(Value::as_str) == Some(self.digest.as_str());
        if is_it && self.told.is_none() {
            self.told = Some((index, self.judge(event)));
        }
    }

    fn judge(&self, event: &Event<'_>) -> Result<(), String> {
        let Removed { first, through, days, .. } = &self.prefix.removed;
        let number = |name: &str| event.detail.get(name).and_then(Value::as_u64);
        let text = |name: &str| event.detail.get(name).and_then(Value::as_str);
        let is_the_same = text("class") == Some(RECORDS)
            && number("first") == Some(*first)
            && number("days") == Some(u64::from(*days))
            && text("through") == Some(&through.to_string())
            && text("root") == Some(&self.prefix.root().to_hex());
        if !is_the_same {
            return Err("it says something else than `pruned`".to_owned());
        }
        match self.stated.of_records() {
            Some(in_force) if in_force == *days => {}
            Some(in_force) => return Err(format!("they had to be kept for {in_force} days, not for {days}")),
            None => return Err("for how long they had to be kept was never recorded".to_owned()),
        }
        if Day::of(event.t) <= through.plus(i32::try_from(*days).unwrap_or(i32::MAX)) {
            return Err(format!("the {days} days after {through} were not over"));
        }
        Ok(())
    }

    /// The verdict on them in a log of which `sealed` records are under a checkpoint.
    pub(super) fn finish(self, sealed: u64) -> Result<PrunedRecords, Fault> {
        let last = self.prefix.first.saturating_sub(1);
        let missing =
            |why: String| Err(Fault::missing(Place::Record(0), format!("records 0 to {last} are gone, and {why}")));
        match self.told {
            None => missing("no record says why".to_owned()),
            Some((index, Err(why))) => {
                missing(format!("record {index}, which says that they were pruned, does not bear it out: {why}"))
            }
            Some((index, Ok(()))) if index >= sealed => {
                missing(format!("record {index}, which says that they were pruned, is under no checkpoint"))
            }
            Some((index, Ok(()))) => Ok(PrunedRecords {
                index,
                earlier: self.prefix.forgotten + self.prefix.earlier.len() as u64,
                removed: self.prefix.removed,
            }),
        }
    }
}
