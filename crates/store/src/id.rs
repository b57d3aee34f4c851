//! Identifiers drawn for events, calls and sessions.

use crate::{clock::Clock, hasher};
use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// A UUIDv7 (RFC 9562, section 5.7) as text. Ids of one process sort by time to about a quarter of a microsecond
/// (section 6.2, method 3: the 12 bits behind the millisecond are its fraction); 61 bits are random.
#[must_use]
pub fn new_uuid7(clock: &Clock) -> String {
    Stamp::take(clock).id()
}

/// One reading of the clock and ids for it: what events that are written together are stamped with.
///
/// Its ids follow one another (RFC 9562, section 6.2, method 2), so that they sort in the order they were drawn in.
#[derive(Debug)]
pub struct Stamp {
    time_us: i64,
    next: u128,
}

impl Stamp {
    /// Reads the clock, once.
    #[must_use]
    pub fn take(clock: &Clock) -> Self {
        Self::new(clock.now(), random_bits())
    }

    /// Microseconds since the epoch, UTC.
    #[must_use]
    pub const fn time_us(&self) -> i64 {
        self.time_us
    }

    /// A further id.
    #[must_use]
    pub fn id(&mut self) -> String {
        let id = hyphenated(self.next);
        self.next = self.next.wrapping_add(1);
        id
    }

    fn new(time_us: i64, random: u64) -> Self {
        let micros = u64::try_from(time_us).unwrap_or(0);
        let (millis, rest) = (micros / 1_000, micros % 1_000);
        let fraction = (rest << 12) / 1_000;
        let high = (millis & 0xffff_ffff_ffff) << 16 | 0x7000 | (fraction & 0x0fff);
        // The highest of the 62 bits is left clear, so that the ids that follow never run into the variant.
        let low = random & (u64::MAX >> 3) | 1 << 63;
        Self { time_us, next: u128::from(high) << 64 | u128::from(low) }
    }
}

/// Groups of 8, 4, 4, 4 and 12 digits.
fn hyphenated(id: u128) -> String {
    let mut text = [b'-'; 36];
    let mut bytes = id.to_be_bytes().into_iter();
    for group in [0..8, 9..13, 14..18, 19..23, 24..36] {
        let (pairs, _) = text.get_mut(group).unwrap_or_default().as_chunks_mut();
        for (pair, byte) in pairs.iter_mut().zip(bytes.by_ref()) {
            *pair = hasher::digits(byte);
        }
    }
    // Digits and hyphens are text.
    std::str::from_utf8(&text).unwrap_or_default().to_owned()
}

/// A keyed hash of a counter, under a key the system draws once for each process: an id has to be unique, not secret, and
/// a call takes three of them.
fn random_bits() -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    KEY.hash_one(DRAWN.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn version_and_variant_stand_where_the_rfc_puts_them() {
        let (clock, _) = Clock::manual(0x0123_4567_89ab * 1_000 + 500);
        let id = new_uuid7(&clock);
        assert!(id.starts_with("01234567-89ab-7800-"), "{id}");
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert_eq!(id.len(), 36);
    }

    #[test]
    fn ids_differ_and_sort_by_time() {
        let (clock, hand) = Clock::manual(1_795_000_000_000_000);
        let mut ids = Vec::new();
        for _ in 0..1_000 {
            hand.advance(1);
            ids.push(new_uuid7(&clock));
        }
        assert!(ids.is_sorted());
        let (clock, _) = Clock::manual(1_795_000_000_000_000);
        let same_time: BTreeSet<String> = (0..1_000).map(|_| new_uuid7(&clock)).collect();
        assert_eq!(same_time.len(), 1_000);
    }

    #[test]
    fn ids_of_one_stamp_sort_as_they_were_drawn() {
        for random in [0, u64::MAX, u64::MAX >> 1, 0x00ff_ffff] {
            let mut stamp = Stamp::new(1_795_000_000_000_999, random);
            let ids: Vec<String> = (0..1_000).map(|_| stamp.id()).collect();
            assert!(ids.array_windows().all(|[a, b]| a < b), "{random:x}");
            assert!(
                ids.iter().all(|id| id.as_bytes()[..19] == ids[0].as_bytes()[..19] && id.as_bytes()[14] == b'7'),
                "{random:x}"
            );
            assert!(ids.iter().all(|id| matches!(id.as_bytes()[19], b'8'..=b'9' | b'a')), "{random:x}");
            assert_eq!(stamp.time_us(), 1_795_000_000_000_999);
        }
    }
}
