//! How long to wait before it is tried again.

use std::time::Duration;

/// After the first failure.
const FIRST: Duration = Duration::from_millis(500);
/// At most: an hour without a receiver costs sixty requests.
const LONGEST: Duration = Duration::from_secs(60);
/// What a receiver may ask for at most.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// The pause after this many failures in a row, at least one. `chance` is any number: half of the pause depends on it, so
/// that many gateways do not come back to one receiver at the same moment.
pub(super) fn pause(failures: u32, asked: Option<Duration>, chance: u64) -> Duration {
    let whole = FIRST.saturating_mul(1_u32 << failures.saturating_sub(1).min(16)).min(LONGEST);
    let part = u32::try_from(chance % 1_000).unwrap_or_default();
    let drawn = whole / 2 + whole / 2 * part / 1_000;
    asked.map_or(drawn, |asked| asked.min(LONGEST_ASKED).max(drawn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_half_of_each_is_chance() {
        for (failures, whole) in [(1, 500), (2, 1_000), (3, 2_000), (8, 60_000), (4_000_000, 60_000)] {
            let whole = Duration::from_millis(whole);
            assert_eq!(pause(failures, None, 0), whole / 2);
            assert!(pause(failures, None, 999) > whole / 10 * 9 && pause(failures, None, 999) < whole);
        }
        assert_eq!(pause(1, Some(Duration::from_secs(7)), 0), Duration::from_secs(7));
        assert_eq!(pause(1, Some(Duration::from_secs(7_000)), 0), LONGEST_ASKED);
        assert_eq!(pause(9, Some(Duration::from_secs(1)), 0), LONGEST / 2);
    }

    #[test]
    fn an_hour_without_a_receiver_costs_few_requests_and_a_minute_after_it() {
        for chance in [0, 500, 999] {
            let (mut passed, mut failures) = (Duration::ZERO, 0);
            while passed < Duration::from_secs(3_600) {
                failures += 1;
                passed += pause(failures, None, chance);
            }
            assert!((60..=130).contains(&failures), "{failures}");
            assert!(pause(failures, None, chance) <= LONGEST);
        }
    }
}
