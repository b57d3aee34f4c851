//! What is said of a sink: by `mortise doctor`, and on standard error.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is known of each sink at work.
#[derive(Default)]
pub(super) struct Reports(Mutex<BTreeMap<String, Report>>);

/// What is known of one.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) kind: &'static str,
    /// The first record that did not arrive yet.
    pub(super) next: u64,
    /// When a batch arrived last, microseconds since the epoch.
    pub(super) arrived_us: Option<i64>,
    /// Why the last attempt failed, if it did.
    pub(super) failure: Option<String>,
    /// What the receiver took and did not want, since the gateway started.
    pub(super) rejected: u64,
    /// Whether it failed while the gateway ends: what is left is sent after the next start.
    pub(super) gave_up: bool,
    /// Records that were pruned before they could be sent, since the gateway started.
    pub(super) pruned: u64,
}

impl Reports {
    pub(super) fn change(&self, name: &str, kind: &'static str, change: impl FnOnce(&mut Report)) {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Report { kind, next: 0, arrived_us: None, failure: None, rejected: 0, gave_up: false, pruned: 0 };
        let report = reports.entry(name.to_owned()).or_insert_with(new);
        report.kind = kind;
        change(report);
    }

    pub(super) fn keep(&self, is_wanted: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| is_wanted(name));
    }

    /// Whether nobody has anything left to send of the first `size` records, or can.
    pub(super) fn are_done(&self, size: u64) -> bool {
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.values().all(|report| report.gave_up || report.next >= size)
    }

    /// All of them, in a log of `size` records.
    pub(super) fn describe(&self, size: u64) -> Vec<Value> {
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let describe = |(name, report): (&String, &Report)| {
            json!({
                "name": name,
                "kind": report.kind,
                "next": report.next,
                "behind": size.saturating_sub(report.next),
                "arrived_s": report.arrived_us.map(|us| us / 1_000_000),
                "failure": report.failure,
                "rejected": report.rejected,
                "pruned": report.pruned,
            })
        };
        reports.iter().map(describe).collect()
    }
}
