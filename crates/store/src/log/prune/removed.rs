//! What a removal of records is, in the record that tells of it and in the file beside the log.

use crate::payload::Day;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use vocab::{
    Event,
    event::{Kind, PayloadClass},
};

/// The class of records, beside those of payloads.
pub(crate) const RECORDS: &str = "records";

/// A removal of the beginning of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removed {
    /// Index of the first record that was left.
    pub first: u64,
    /// When, microseconds since the epoch.
    pub t: i64,
    /// The day of the newest record that went.
    pub through: Day,
    /// For how many days records had to be kept.
    pub days: u32,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { t, through, days, .. } = self;
        write!(f, "pruned on {}: records up to {through} had been kept for {days} days", Day::of(*t))
    }
}

/// For how long things are to be kept, as records state it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Stated(std::collections::BTreeMap<String, u32>);

impl Stated {
    /// Takes in what a record says.
    pub(crate) fn hear(&mut self, event: &Event<'_>) {
        if !matches!(event.kind, Kind::GatewayStarted | Kind::ConfigChanged) {
            return;
        }
        let Some(stated) = event.detail.get("retention_days").and_then(Value::as_object) else { return };
        for name in [RECORDS].into_iter().chain(PayloadClass::ALL.map(PayloadClass::as_str)) {
            let days = stated.get(name).and_then(Value::as_u64).and_then(|days| u32::try_from(days).ok());
            if let Some(days) = days {
                self.0.insert(name.to_owned(), days);
            }
        }
    }

    /// Days of one class.
    pub(crate) fn of(&self, class: &str) -> Option<u32> {
        self.0.get(class).copied()
    }

    /// For how long a record is kept: as long as anything that it may commit to. `None` where nothing was stated.
    pub(crate) fn of_records(&self) -> Option<u32> {
        let payloads = PayloadClass::ALL.into_iter().filter_map(|class| self.of(class.as_str()));
        Some(payloads.fold(self.of(RECORDS)?, u32::max))
    }
}
