//! Identifiers drawn for events, calls and sessions.

use crate::clock::Clock;
use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// A UUIDv7 (RFC 9562, section 5.7) as text. Ids of one process sort by time to about a quarter of a microsecond
/// (section 6.2, method 3: the 12 bits behind the millisecond are its fraction); 62 bits are random.
#[must_use]
pub fn new_uuid7(clock: &Clock) -> String {
    let micros = u64::try_from(clock.now()).unwrap_or(0);
    let (millis, rest) = (micros / 1_000, micros % 1_000);
    let fraction = (rest << 12) / 1_000;
    let high = (millis & 0xffff_ffff_ffff) << 16 | 0x7000 | (fraction & 0x0fff);
    let low = random_bits() & (u64::MAX >> 2) | 1 << 63;
    hyphenated(u128::from(high) << 64 | u128::from(low))
}

/// Groups of 8, 4, 4, 4 and 12 digits.
fn hyphenated(id: u128) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for place in 0..32 {
        if matches!(place, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        let nibble = (id >> (124 - 4 * place) & 15) as usize;
        text.push(char::from(DIGITS.get(nibble).copied().unwrap_or_default()));
    }
    text
}

/// A keyed hash of a counter, under a key the system draws once for each process: an id has to be unique, not secret, and
/// a call takes five of them.
fn random_bits() -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    KEY.hash_one((std::process::id(), DRAWN.fetch_add(1, Ordering::Relaxed)))
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
}
