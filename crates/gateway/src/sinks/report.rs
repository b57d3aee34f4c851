//! What is said of a sink: by `mortise doctor`, and on standard error.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a failure that goes on is not said again.
const SAY_AGAIN: Duration = Duration::from_secs(60);

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
    /// Whether it cannot even be tried with what the gateway was started with.
    pub(super) cannot_start: bool,
    /// What was said of its failures on standard error.
    pub(super) said: Said,
    /// What the receiver took and did not want, since the gateway started.
    pub(super) rejected: u64,
    /// Whether it failed while the gateway ends: what is left is sent after the next start.
    pub(super) gave_up: bool,
    /// Records that were pruned before they could be sent, since the gateway started.
    pub(super) pruned: u64,
}

/// The failure that was said last, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(Option<(String, Instant)>);

impl Said {
    /// Whether a failure is to be said now: another one than the last, or that one a minute later.
    pub(super) fn is_news(&mut self, why: &str, now: Instant) -> bool {
        let is_known = |(said, then): &(String, Instant)| said == why && now.duration_since(*then) < SAY_AGAIN;
        if self.0.as_ref().is_some_and(is_known) {
            return false;
        }
        self.0 = Some((why.to_owned(), now));
        true
    }
}

impl Reports {
    pub(super) fn change<T>(&self, name: &str, kind: &'static str, change: impl FnOnce(&mut Report) -> T) -> T {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Report {
            kind,
            next: 0,
            arrived_us: None,
            failure: None,
            cannot_start: false,
            said: Said::default(),
            rejected: 0,
            gave_up: false,
            pruned: 0,
        };
        let report = reports.entry(name.to_owned()).or_insert_with(new);
        report.kind = kind;
        change(report)
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
                "cannot_start": report.cannot_start,
                "rejected": report.rejected,
                "pruned": report.pruned,
            })
        };
        reports.iter().map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_goes_on_is_said_once_a_minute() {
        let (mut said, start) = (Said::default(), Instant::now());
        let after = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let told =
            [("a", 0.0), ("a", 1.0), ("a", 59.9), ("b", 59.9), ("b", 60.0), ("b", 119.8), ("b", 119.9), ("b", 120.0)];
        let told = told.map(|(why, seconds)| said.is_news(why, after(seconds)));
        assert_eq!(told, [true, false, false, true, false, false, true, false]);
    }
}
