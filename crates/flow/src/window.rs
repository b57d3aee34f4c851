//! How often something happened lately.

/// Parts of a window's span that are counted apart.
pub const BUCKETS: usize = 60;

/// One more than [`BUCKETS`]: the oldest part is left only when all of it is older than the span, so a window never
/// counts less than the hits of its span, and at most those of one part (1/60) more.
const RING: usize = BUCKETS + 1;

/// A sliding count over a fixed span, in 61 counters however many the hits.
///
/// When time goes backwards, hits are counted at the latest time seen and nothing is forgotten; after a leap forwards
/// and back they stay until that time comes. Both err on the side of counting too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Counters, the one of slot `s` at `s % RING`.
    ring: [u32; RING],
    /// Microseconds of one slot, at least 1.
    width_us: u64,
    /// The latest slot: `now_us / width_us` at the latest time seen.
    latest: u64,
}

impl Window {
    /// A window over this many microseconds (rounded up to a multiple of 60), empty.
    #[must_use]
    pub const fn new(span_us: u64) -> Self {
        let width_us = span_us.div_ceil(BUCKETS as u64);
        Self { ring: [0; RING], width_us: if width_us == 0 { 1 } else { width_us }, latest: 0 }
    }

    /// A window over one minute.
    #[must_use]
    pub const fn minute() -> Self {
        Self::new(60 * 1_000_000)
    }

    /// A window over one hour.
    #[must_use]
    pub const fn hour() -> Self {
        Self::new(3600 * 1_000_000)
    }

    /// Counts one.
    pub fn hit(&mut self, now_us: u64) {
        let slot = now_us / self.width_us;
        if slot > self.latest {
            // However long nothing happened, clearing RING slots clears them all.
            for passed in (self.latest + 1..=slot).take(RING) {
                if let Some(counter) = self.ring.get_mut(index(passed)) {
                    *counter = 0;
                }
            }
            self.latest = slot;
        }
        if let Some(counter) = self.ring.get_mut(index(self.latest)) {
            *counter = counter.saturating_add(1);
        }
    }

    /// How many were counted within the span before `now_us`.
    #[must_use]
    pub fn count(&self, now_us: u64) -> u64 {
        let slot = (now_us / self.width_us).max(self.latest);
        if slot == self.latest {
            // The ring holds the slots of the span that ends with the latest, and no others.
            return self.ring.iter().copied().map(u64::from).sum();
        }
        let oldest = slot.saturating_sub(BUCKETS as u64);
        // Slots after `latest` have not been cleared yet: what their counters hold is older than the span.
        (oldest..=self.latest).map(|slot| self.ring.get(index(slot)).copied().map_or(0, u64::from)).sum()
    }
}

/// The place of a slot's counter.
const fn index(slot: u64) -> usize {
    (slot % RING as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_hit_counts_for_the_span_and_at_most_one_part_more() {
        let mut window = Window::minute();
        window.hit(1000 * SECOND + 999_999);
        assert_eq!(window.count(1000 * SECOND + 999_999), 1);
        assert_eq!(window.count(1060 * SECOND + 999_999), 1);
        assert_eq!(window.count(1061 * SECOND), 0);
    }

    #[test]
    fn time_going_backwards_lowers_nothing() {
        let mut window = Window::minute();
        window.hit(1000 * SECOND);
        window.hit(10 * SECOND);
        assert_eq!(window.count(0), 2);
        assert_eq!(window.count(1000 * SECOND), 2);
    }

    #[test]
    fn the_ends_of_time_are_times() {
        let mut window = Window::new(0);
        window.hit(0);
        window.hit(u64::MAX);
        assert_eq!(window.count(u64::MAX), 1);
        window.hit(u64::MAX);
        assert_eq!(window.count(0), 2);
        let mut window = Window::new(u64::MAX);
        window.hit(0);
        window.hit(u64::MAX);
        assert_eq!(window.count(u64::MAX), 2);
    }

    #[test]
    fn counters_stop_at_their_end() {
        let mut window = Window::minute();
        window.ring[0] = u32::MAX;
        window.hit(0);
        assert_eq!(window.count(0), u64::from(u32::MAX));
    }

    proptest! {
        /// Against the list of all hits: never fewer than in the span, never more than in the span and one part.
        #[test]
        fn between_the_span_and_one_part_more(
            span in 1..5000_u64,
            steps in proptest::collection::vec(0..400_u64, 0..200),
            after in 0..6000_u64,
        ) {
            let mut window = Window::new(span);
            let (mut now, mut hits) = (0, Vec::new());
            for step in steps {
                now += step;
                window.hit(now);
                hits.push(now);
            }
            now += after;
            let within = |age: u64| hits.iter().filter(|hit| now - **hit <= age).count() as u64;
            let width = span.div_ceil(BUCKETS as u64);
            let count = window.count(now);
            prop_assert!(count >= within(span), "{count} of {}", within(span));
            prop_assert!(count <= within(width * (BUCKETS as u64 + 1)));
        }

        #[test]
        fn no_count_falls_when_time_does_not_advance(times in proptest::collection::vec(any::<u64>(), 1..50), span in any::<u64>()) {
            let mut window = Window::new(span);
            let mut latest = 0;
            for time in times {
                latest = latest.max(time);
                let before = window.count(latest);
                window.hit(time);
                prop_assert_eq!(window.count(latest), before + 1);
                prop_assert!(window.count(time) >= window.count(latest));
            }
        }
    }
}
