//! The only place that reads the system's clock.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

/// Microseconds since the epoch, UTC, never going backwards within a process, and never standing still.
///
/// When the system's clock is set back, the clock goes on from where it was, as fast as time passes: events of one process
/// keep their order, and nothing that is granted for a while is granted for longer. Across processes no such promise is made;
/// `verify` counts the steps back it finds.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    /// How far ahead of the time that has passed the system's clock has ever been.
    ahead: Arc<AtomicI64>,
}

/// The time a test sets: the system's clock, and the time that has passed.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<(AtomicI64, AtomicI64)>);

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
        let hand = ManualClock(Arc::new((AtomicI64::new(micros), AtomicI64::new(0))));
        (Self::over(Source::Manual(hand.clone())), hand)
    }

    /// Microseconds since the epoch, UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        let (now, passed) = match &self.source {
            Source::System => (system_micros(), passed_micros()),
            Source::Manual(ManualClock(hand)) => (hand.0.load(Ordering::SeqCst), hand.1.load(Ordering::SeqCst)),
        };
        let ahead = now.saturating_sub(passed);
        self.ahead.fetch_max(ahead, Ordering::SeqCst).max(ahead).saturating_add(passed)
    }

    fn over(source: Source) -> Self {
        Self { source, ahead: Arc::new(AtomicI64::new(i64::MIN)) }
    }
}

impl ManualClock {
    /// Sets the system's clock, backwards too. No time passes.
    pub fn set(&self, micros: i64) {
        self.0.0.store(micros, Ordering::SeqCst);
    }

    /// Lets time pass.
    pub fn advance(&self, micros: i64) {
        self.0.0.fetch_add(micros, Ordering::SeqCst);
        self.0.1.fetch_add(micros, Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place others are sent to")]
fn system_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 shows 1970.
    since.ok().and_then(|since| i64::try_from(since.as_micros()).ok()).unwrap_or(0)
}

/// Microseconds since something in this process first asked. Nobody can set these.
fn passed_micros() -> i64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    i64::try_from(FIRST.elapsed().as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_goes_on_from_where_it_was_and_no_slower() {
        for back in [600, 86_400_000_000, 365 * 86_400_000_000] {
            let start = 1_795_000_000_000_000;
            let (clock, hand) = Clock::manual(start);
            assert_eq!(clock.now(), start);
            hand.set(start - back);
            assert_eq!(clock.now(), start);
            hand.advance(700);
            assert_eq!((clock.now(), clock.clone().now()), (start + 700, start + 700));
            // Put right again, it is where it would have been; set ahead, it is ahead.
            hand.set(start + 700);
            assert_eq!(clock.now(), start + 700);
            hand.set(start + 5_000);
            assert_eq!(clock.now(), start + 5_000);
        }
    }

    #[test]
    fn the_system_shows_microseconds_of_this_century() {
        let now = Clock::system().now();
        assert!((946_684_800_000_000..4_102_444_800_000_000).contains(&now), "{now}");
    }
}
