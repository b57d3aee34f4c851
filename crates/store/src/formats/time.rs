//! Times as people and spreadsheets read them.

/// RFC 3339 in UTC with microseconds; empty when no calendar has the time.
pub(super) fn rfc3339(us: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_microsecond(us) else { return String::new() };
    format!("{time:.6}")
}

/// Milliseconds since the epoch.
pub(super) const fn milliseconds(us: i64) -> i64 {
    us.div_euclid(1_000)
}

/// Nanoseconds since the epoch; the epoch for what is before.
pub(super) fn nanoseconds(us: i64) -> u64 {
    u64::try_from(us).unwrap_or_default().saturating_mul(1_000)
}
