//! Times as people write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub(super) const HELP: &str = "`30m`, `12h`, `7d` or `2w` ago, or a date and time in UTC: `2026-11-28`, `2026-11-28T10:00`, `2026-11-28T11:00+01:00`";

/// Microseconds since the epoch. A date without an offset is in UTC, as listings are.
pub(super) fn parse(text: &str, now: i64) -> Option<i64> {
    if let Some(ago) = ago(text) {
        return now.checked_sub(ago);
    }
    let moment = text.parse::<Timestamp>().ok();
    let moment = moment.or_else(|| {
        let civil = text.parse::<DateTime>().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    });
    moment.map(Timestamp::as_microsecond)
}

/// `7d` in microseconds.
fn ago(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(seconds * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn times_are_read() {
        let ten = "2026-11-28T10:00:00Z".parse::<Timestamp>().unwrap().as_microsecond();
        for (text, time) in [
            ("2026-11-28T10:00Z", Some(ten)),
            ("2026-11-28T10:00:00.5Z", Some(ten + 500_000)),
            ("2026-11-28T10:00", Some(ten)),
            ("2026-11-28", Some(ten - 10 * HOUR)),
            ("2026-11-28T11:00+01:00", Some(ten)),
            ("0s", Some(ten)),
            ("90m", Some(ten - 90 * HOUR / 60)),
            ("2d", Some(ten - 48 * HOUR)),
            ("1w", Some(ten - 7 * 24 * HOUR)),
            ("d", None),
            ("-1d", None),
            ("1y", None),
            ("1.5h", None),
            ("99999999999999w", None),
            ("2026-13-01", None),
            ("yesterday", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(parse(text, ten), time, "{text}");
        }
    }
}
