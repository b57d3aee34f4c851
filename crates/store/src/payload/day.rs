//! Days and months, UTC.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const DAY_US: i64 = 86_400_000_000;

/// A day, counted from 1970-01-01. In JSON it is written as it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Day(i32);

/// A month, counted from year 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Day {
    /// The day of a moment, microseconds since the epoch.
    #[must_use]
    pub fn of(t_us: i64) -> Self {
        Self(i32::try_from(t_us.div_euclid(DAY_US)).unwrap_or(i32::MAX))
    }

    /// So many days later, or earlier.
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The first moment after it, microseconds since the epoch.
    #[must_use]
    pub fn end_us(self) -> i64 {
        i64::from(self.0).saturating_add(1).saturating_mul(DAY_US)
    }

    /// Its month.
    #[must_use]
    pub fn month(self) -> Month {
        let (year, month, _) = self.civil();
        Month(year.saturating_mul(12).saturating_add(month - 1))
    }

    /// Year, month from 1, day from 1, in the proleptic Gregorian calendar. A count of days within eras of 400 years that
    /// begin in March, so that the leap day is the last of its year.
    fn civil(self) -> (i32, i32, i32) {
        let shifted = i64::from(self.0) + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let narrow = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        (narrow(year), narrow(month), narrow(day))
    }

    fn of_civil(year: i32, month: i32, day: i32) -> Self {
        let year = i64::from(year) - i64::from(month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = i64::from(if month > 2 { month - 3 } else { month + 9 });
        let of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        Self(i32::try_from(era * 146_097 + of_era - 719_468).unwrap_or(i32::MAX))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map_err(|()| "it is no day")
    }
}

impl FromStr for Day {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-').map(str::parse::<i32>);
        let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) = (parts.next(), parts.next(), parts.next()) else {
            return Err(());
        };
        let inside = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        // What reads differently is another day, or not written as one.
        let found = inside.then(|| Self::of_civil(year, month, day)).ok_or(())?;
        if found.to_string() == text { Ok(found) } else { Err(()) }
    }
}

impl Month {
    /// So many months earlier.
    #[must_use]
    pub const fn minus(self, months: i32) -> Self {
        Self(self.0.saturating_sub(months))
    }
}

impl FromStr for Month {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let day: Day = format!("{text}-01").parse()?;
        Ok(day.month())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_are_named_as_the_calendar_does() {
        assert_eq!(Day::of(0).to_string(), "1970-01-01");
        assert_eq!(Day::of(-1).to_string(), "1969-12-31");
        // 2026-11-28T06:00Z
        let day = Day::of(1_795_845_600_000_000);
        assert_eq!((day.to_string(), day.month().to_string()), ("2026-11-28".to_owned(), "2026-11".to_owned()));
        assert_eq!("2024-02-29".parse::<Day>().unwrap().plus(1).to_string(), "2024-03-01");
        assert_eq!("2026-01-15".parse::<Day>().unwrap().month().minus(1).to_string(), "2025-12");
        let month = day.month();
        assert_eq!(month.to_string().parse::<Month>(), Ok(month));
        assert_eq!((Ok(month.minus(11)), Ok(month.minus(-2))), ("2025-12".parse(), "2027-01".parse()));
        for wrong in ["", "2026", "2026-1", "2026-13", "2026-00", "2026-01-01", "x"] {
            assert_eq!(wrong.parse::<Month>(), Err(()), "{wrong}");
        }
        for wrong in ["", "2023-02-29", "2026-1-01", "2026-13-01", "2026-01-01x", "x", "2026-01", "-026-01-01"] {
            assert_eq!(wrong.parse::<Day>(), Err(()), "{wrong}");
        }
        assert_eq!(Day::of(day.end_us()), day.plus(1));
        assert_eq!(Day::of(day.end_us() - 1), day);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(days in -700_000_i32..2_900_000) {
            let day = Day(days);
            prop_assert_eq!(day.to_string().parse::<Day>(), Ok(day));
        }
    }
}
