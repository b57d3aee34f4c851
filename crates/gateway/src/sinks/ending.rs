//! The end of a gateway, as its sinks see it: for a moment they send what is durable, and no longer.

use super::report::Reports;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a gateway that ends waits for its sinks, all of them together. Whoever starts the next one waits three seconds for
/// this one to let go of the log (`process/open`), so it has to be less than that. What is not sent by then is sent after that
/// start.
pub(crate) const LAST: Duration = Duration::from_secs(2);

/// How often it is looked whether they are done.
const LOOK: Duration = Duration::from_millis(5);

/// The sinks of a gateway.
pub(crate) struct Sinks {
    pub(super) reports: Reports,
    /// Set when the gateway ends: how many records there are.
    ending: watch::Sender<Option<u64>>,
}

impl Default for Sinks {
    fn default() -> Self {
        Self { reports: Reports::default(), ending: watch::Sender::new(None) }
    }
}

impl Sinks {
    /// All of them, in a log of `size` records.
    pub(crate) fn describe(&self, size: u64) -> Vec<Value> {
        self.reports.describe(size)
    }

    /// Has every sink send the first `size` records now, and waits until they did, gave up, or it is `until`.
    pub(crate) async fn finish(&self, size: u64, until: Instant) {
        self.ending.send_replace(Some(size));
        while !self.reports.are_done(size) && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What one sink has to know of the end.
    pub(super) fn watch(&self) -> Ending {
        Ending(self.ending.subscribe())
    }
}

/// The end, as one sink sees it.
pub(super) struct Ending(watch::Receiver<Option<u64>>);

impl Ending {
    /// Whether the gateway ends.
    pub(super) fn has_come(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Sleeps that long, or until there is something to send before the end.
    pub(super) async fn rest(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            // Its sender lives as long as the gateway.
            _ = self.0.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(3_600)
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_who_sends_and_for_nobody_who_cannot() {
        let sinks = Sinks::default();
        sinks.finish(7, far()).await;
        sinks.reports.change("slow", "file", |report| report.next = 6);
        sinks.reports.change("gone", "webhook", |report| report.gave_up = true);
        let begin = Instant::now();
        sinks.finish(7, begin + LAST).await;
        assert!(begin.elapsed() >= LAST, "it had not sent everything");
        sinks.reports.change("slow", "file", |report| report.next = 7);
        let begin = Instant::now();
        sinks.finish(7, far()).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_rests_is_woken_once_for_each_end() {
        let sinks = Sinks::default();
        let mut ending = sinks.watch();
        assert!(!ending.has_come());
        for size in [3, 4] {
            sinks.finish(size, Instant::now()).await;
            let begin = Instant::now();
            ending.rest(Duration::from_secs(60)).await;
            assert!(ending.has_come() && begin.elapsed() < Duration::from_secs(1));
        }
        let begin = Instant::now();
        ending.rest(Duration::from_secs(60)).await;
        assert!(begin.elapsed() >= Duration::from_secs(60), "nothing new to send");
    }
}
