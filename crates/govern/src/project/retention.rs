//! `[retention]` and `[storage]`: how long what the log holds is kept, and how much room it may take.

use super::complaints::Complaints;
use super::settings::number;
use serde::Deserialize;
use std::ops::RangeInclusive;
use toml::Spanned;
use vocab::event::PayloadClass;

/// Days that records may be kept. At least six months, which the law asks of who runs a high-risk system: Regulation (EU)
/// 2024/1689, articles 19 and 26. At most a hundred years.
pub const RECORD_DAYS: RangeInclusive<u64> = 183..=36_525;

/// Days that payloads may be kept.
pub const PAYLOAD_DAYS: RangeInclusive<u64> = 1..=36_525;

/// What `max_bytes` may be: below 64 MiB no segment fits.
pub const STORAGE_BYTES: RangeInclusive<u64> = 64 * 1024 * 1024..=1 << 50;

/// How many whole days something is kept after the day it was written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Records.
    pub records_days: u32,
    /// What decisions were made on, raw.
    pub decision_input_days: u32,
    /// What was said and done, redacted.
    pub trace_text_days: u32,
}

/// Days that belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Records for the legal minimum, payloads for a week.
    Minimal,
    /// Records for two years, payloads for a month.
    #[default]
    Standard,
    /// Records for ten years, decisions for the legal minimum and two weeks, text for three months.
    Long,
}

impl Preset {
    const fn retention(self) -> Retention {
        let (records_days, decision_input_days, trace_text_days) = match self {
            Self::Minimal => (183, 7, 7),
            Self::Standard => (731, 30, 30),
            Self::Long => (3_653, 197, 90),
        };
        Retention { records_days, decision_input_days, trace_text_days }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Preset::default().retention()
    }
}

impl Retention {
    /// How long payloads of a class are kept.
    #[must_use]
    pub const fn of(&self, class: PayloadClass) -> u32 {
        match class {
            PayloadClass::DecisionInput => self.decision_input_days,
            PayloadClass::TraceText => self.trace_text_days,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRetention {
    preset: Preset,
    records_days: Option<Spanned<u64>>,
    decision_input_days: Option<Spanned<u64>>,
    trace_text_days: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStorage {
    max_bytes: Option<Spanned<u64>>,
}

pub(crate) fn retention(raw: RawRetention, complaints: &mut Complaints<'_>) -> Retention {
    let preset = raw.preset.retention();
    let mut days = |given, preset: u32, within| {
        u32::try_from(number(given, u64::from(preset), within, complaints)).unwrap_or(preset)
    };
    Retention {
        records_days: days(raw.records_days, preset.records_days, RECORD_DAYS),
        decision_input_days: days(raw.decision_input_days, preset.decision_input_days, PAYLOAD_DAYS),
        trace_text_days: days(raw.trace_text_days, preset.trace_text_days, PAYLOAD_DAYS),
    }
}

/// Bytes of everything the log keeps; no limit unless said.
pub(crate) fn max_bytes(raw: RawStorage, complaints: &mut Complaints<'_>) -> Option<u64> {
    raw.max_bytes.map(|given| number(Some(given), 0, STORAGE_BYTES, complaints))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::settings::parse;

    #[test]
    fn days_come_from_a_preset_and_single_ones_are_changed() {
        let of = |text: &str| parse(text, "p").unwrap().retention;
        assert_eq!(of(""), Preset::Standard.retention());
        assert_eq!(of("[retention]\npreset = \"long\"\ntrace_text_days = 5").trace_text_days, 5);
        assert_eq!(of("[retention]\nrecords_days = 183").records_days, 183);
        assert_eq!(of("").of(PayloadClass::DecisionInput), 30);
        assert_eq!(parse("[storage]\nmax_bytes = 67108864", "p").unwrap().max_bytes, Some(67_108_864));
    }

    #[test]
    fn records_are_kept_for_six_months_at_least() {
        let found = parse("[retention]\nrecords_days = 182", "p").unwrap_err();
        assert!(found[0].message.contains("182"), "{found:?}");
        for wrong in ["[retention]\npreset = \"none\"", "[retention]\ndays = 1", "[storage]\nmax_bytes = 1"] {
            assert!(parse(wrong, "p").is_err(), "{wrong}");
        }
    }
}
