//! The only place that reads the system's clock.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Microseconds since the epoch, UTC, never going backwards within a process.
///
/// When the system's clock is set back, the clock stands still until the system has caught up: events of one process
/// keep their order. Across processes no such promise is made; `verify` counts the steps back it finds.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    latest: Arc<AtomicI64>,
}

/// The time a test sets.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(ManualClock),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::over(Source::System)
    }

    /// A clock that shows what the second value is set to, clamped like the system's.
    #[must_use]
    pub fn manual(micros: i64) -> (Self, ManualClock) {
        let hand = ManualClock(Arc::new(AtomicI64::new(micros)));
        (Self::over(Source::Manual(hand.clone())), hand)
    }

    /// Microseconds since the epoch, UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        let now = match &self.source {
            Source::System => system_micros(),
            Source::Manual(hand) => hand.0.load(Ordering::SeqCst),
        };
        self.latest.fetch_max(now, Ordering::SeqCst).max(now)
    }

    fn over(source: Source) -> Self {
        Self { source, latest: Arc::new(AtomicI64::new(0)) }
    }
}

impl ManualClock {
    /// Sets the time, backwards too.
    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }

    /// Moves the time on.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place others are sent to")]
fn system_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 shows 1970.
    since.ok().and_then(|since| i64::try_from(since.as_micros()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_stands_still() {
        let (clock, hand) = Clock::manual(1_000);
        assert_eq!(clock.now(), 1_000);
        hand.set(400);
        assert_eq!(clock.now(), 1_000);
        assert_eq!(clock.clone().now(), 1_000);
        hand.advance(700);
        assert_eq!(clock.now(), 1_100);
    }

    #[test]
    fn the_system_shows_microseconds_of_this_century() {
        let now = Clock::system().now();
        assert!((946_684_800_000_000..4_102_444_800_000_000).contains(&now), "{now}");
    }
}
