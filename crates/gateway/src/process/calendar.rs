//! Which day it is, as far as what is past its time goes by it.
//!
//! A clock that was set far ahead would have everything removed at once, and a removal cannot be taken back. So a day is
//! believed at once only within a week of the last one that was; one further ahead is believed when the clock has gone on
//! showing such days on seven different ones. A clock that is behind removes nothing.

use super::retention::RetentionError;
use serde::{Deserialize, Serialize};
use store::payload::Day;
use store::{StateDir, StateError};

/// The calendar, in the state directory.
const CALENDAR: &str = "calendar.json";
/// Days ahead of the last one believed that are believed at once: a holiday week in which nothing runs.
pub(crate) const STEP_DAYS: i32 = 7;
/// Different days on which a clock has to be further ahead to be believed.
pub(crate) const SEEN_DAYS: usize = 7;

/// The days that were seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calendar {
    /// The last day that was believed.
    pub(crate) believed: Day,
    /// Later ones that were seen since and are not believed yet, ascending.
    pub(crate) ahead: Vec<Day>,
}

impl Calendar {
    /// What is kept of it; where nothing is, the day of the newest record that an earlier gateway left.
    pub(crate) fn read(state: &StateDir, newest: Day) -> Result<Self, RetentionError> {
        let fresh = Self { believed: newest, ahead: Vec::new() };
        // A damaged one begins again with what the log says: that is no later than what was believed, or seen before.
        let bytes = match state.read_summed(CALENDAR) {
            Err(StateError::Damaged(_)) => Some(Vec::new()),
            read => read?,
        };
        let Some(bytes) = bytes else { return Ok(fresh) };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            tracing::warn!(file = CALENDAR, "the file is damaged: days count again from that of the newest record");
            fresh
        }))
    }

    /// Looks at the clock; the day to go by.
    pub(crate) fn look(&mut self, state: &StateDir, today: Day) -> Result<Day, RetentionError> {
        let before = self.clone();
        self.see(today);
        // Kept from the first look on: the newest record may be stamped by a clock that was set back meanwhile.
        if *self != before || state.read(CALENDAR)?.is_none() {
            let bytes = serde_json::to_vec(self).map_err(|_| RetentionError::Damaged(CALENDAR))?;
            state.write_summed(CALENDAR, &bytes)?;
        }
        Ok(today.min(self.believed))
    }

    fn see(&mut self, today: Day) {
        if today <= self.believed.plus(STEP_DAYS) {
            self.ahead.clear();
            self.believed = self.believed.max(today);
            return;
        }
        match self.ahead.last() {
            Some(last) if today == *last => return,
            // It was set back: what it showed counts for nothing.
            Some(last) if today < *last => self.ahead.clear(),
            _ => {}
        }
        self.ahead.push(today);
        if self.ahead.len() >= SEEN_DAYS {
            self.ahead.clear();
            self.believed = today;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Day {
        Day::of(0).plus(20_000 + number)
    }

    #[test]
    fn a_day_far_ahead_is_believed_when_it_has_been_so_for_a_week() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let look = |today: i32| {
            // Read anew each time, as by another gateway.
            Calendar::read(&state, day(0)).unwrap().look(&state, day(today)).unwrap()
        };
        assert_eq!((look(0), look(7), look(6), look(14)), (day(0), day(7), day(6), day(14)));
        // A day more than a week ahead, and for long on that day.
        assert_eq!((look(22), look(22)), (day(14), day(14)));
        for ahead in 23..28 {
            assert_eq!(look(ahead), day(14));
        }
        assert_eq!(look(28), day(28), "on the seventh day");

        // Set ahead by years, noticed after six days, and put right.
        for ahead in 0..6 {
            assert_eq!(look(4_000 + ahead), day(28));
        }
        assert_eq!(look(29), day(29));
        assert_eq!(look(4_007), day(29), "it counts from the beginning");
        // Set from one wrong day back to another.
        assert_eq!((look(5_000), look(4_900)), (day(29), day(29)));
        assert_eq!(Calendar::read(&state, day(0)).unwrap().ahead, [day(4_900)]);
    }

    #[test]
    fn no_flipped_bit_has_another_day_believed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let fresh = Calendar { believed: day(3), ahead: Vec::new() };
        fresh.clone().look(&state, day(5)).unwrap();
        assert_eq!(Calendar::read(&state, day(3)).unwrap().believed, day(5));
        let whole = state.read(CALENDAR).unwrap().unwrap();
        for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            state.write_cache(CALENDAR, &flipped).unwrap();
            assert_eq!(Calendar::read(&state, day(3)).unwrap(), fresh, "byte {at}, bit {bit}");
        }
    }

    #[test]
    fn a_calendar_that_is_lost_begins_with_the_newest_record() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        state.write(CALENDAR, b"{").unwrap();
        assert_eq!(Calendar::read(&state, day(3)).unwrap(), Calendar { believed: day(3), ahead: Vec::new() });
    }
}
