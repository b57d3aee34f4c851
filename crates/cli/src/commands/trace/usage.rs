//! `mortise trace usage`: what traces cost, by agent and tier, and what is kept apart from them now.

use super::{payloads, reader};
use crate::failure::{Failure, Outcome};
use crate::output::{Output, counted, size};
use govern::project::Retention;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use store::payload::{Day, Unit};
use vocab::event::PayloadClass;
use vocab::{Event, Exit};

const DAY_US: i64 = 86_400_000_000;
/// What a record takes beside its bytes: its frame, and its leaf and tree hashes in tiles.
const BESIDE_A_RECORD: u64 = 24 + 33;
/// What a payload takes beside its text: salt, digest, and the sealed block's head, nonce and tag.
const BESIDE_A_PAYLOAD: u64 = 32 + 4 + 32 + 20 + 13 + 16 + 25;

/// Bytes of one agent.
#[derive(Clone, Copy, Default)]
struct Bytes {
    events: u64,
    records: u64,
    decision_input: u64,
    trace_text: u64,
}

/// What is kept of a class now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OnDisk {
    days: u64,
    packed_days: u64,
    /// Bytes of the texts, as records say.
    texts: u64,
    /// Bytes of the files.
    files: u64,
    /// Bytes of packed days as they were written, and as they are.
    packed: (u64, u64),
}

/// Says how many bytes a day each agent's events and payloads take, and how much that comes to when it goes on.
pub fn run(output: &Output, log: &Path, retention: Retention, days: u16) -> Outcome {
    let mut usage: BTreeMap<(String, String), Bytes> = BTreeMap::new();
    let (mut first, mut last) = (None, 0);
    let mut said = Said::new();
    for record in reader(log)?.iter_from(0) {
        let record = record?;
        let Ok(event) = Event::from_bytes(&record.bytes) else { continue };
        first.get_or_insert(event.t);
        last = event.t.max(last);
        add(&mut usage, &event, record.bytes.len() as u64);
        for payload in &event.payloads {
            let of = said.entry((payload.class, Day::of(event.t))).or_default();
            *of = (of.0 + 1, of.1 + payload.bytes);
        }
    }
    let units = store::payload::units(log)?;
    let on_disk = PayloadClass::ALL.map(|class| (class, on_disk(&units, &said, class)));
    let packed = |class| on_disk.iter().find(|(of, _)| *of == class).map_or((0, 0), |(_, found)| found.packed);
    let Some(first) = first else {
        return Err(Failure::new(Exit::Nothing, "nothing has been recorded for this project yet"));
    };
    // A log of an hour says little about a day: less than a day counts as one.
    let spanned = (last.saturating_sub(first)).max(DAY_US);
    let a_day = |bytes: u64| u64::try_from(u128::from(bytes) * DAY_US as u128 / spanned as u128).unwrap_or(u64::MAX);
    let mut rows = Vec::new();
    for ((agent, tier), bytes) in &usage {
        let kept = [
            (a_day(bytes.records), retention.records_days, (0, 0)),
            (a_day(bytes.decision_input), retention.decision_input_days, packed(PayloadClass::DecisionInput)),
            (a_day(bytes.trace_text), retention.trace_text_days, packed(PayloadClass::TraceText)),
        ];
        let projected = kept.map(|(bytes, kept, packed)| after(bytes, kept.min(u32::from(days)), packed));
        let projected = projected.into_iter().fold(0, u64::saturating_add);
        rows.push((agent, tier, bytes.events, kept.map(|(bytes, ..)| bytes), projected));
    }
    if !output.is_human() {
        let value = |row: &(&String, &String, u64, [u64; 3], u64)| {
            let (agent, tier, events, [records, input, text], projected) = row;
            json!({
                "agent": agent, "tier": tier, "events": events, "record_bytes_a_day": records,
                "decision_input_bytes_a_day": input, "trace_text_bytes_a_day": text, "projected_bytes": projected,
            })
        };
        let kept = on_disk.map(|(class, found)| {
            json!({
                "class": class.as_str(), "days": found.days, "packed_days": found.packed_days,
                "text_bytes": found.texts, "stored_bytes": found.files,
            })
        });
        let agents = rows.iter().map(value).collect::<Vec<Value>>();
        output.json(&json!({ "days": days, "agents": agents, "payloads": kept }));
        return Ok(Exit::Ok);
    }
    let head = ["agent", "tier", "events", "records a day", "inputs a day", "text a day"];
    output.line(output.dim(&format!(
        "{:<20} {:<9} {:>9} {:>14} {:>14} {:>12} {:>14}",
        head[0],
        head[1],
        head[2],
        head[3],
        head[4],
        head[5],
        format!("in {days} days")
    )));
    for (agent, tier, events, [records, input, text], projected) in rows {
        output.line(format!(
            "{agent:<20} {tier:<9} {events:>9} {:>14} {:>14} {:>12} {:>14}",
            size(records),
            size(input),
            size(text),
            size(projected)
        ));
    }
    for (class, found) in on_disk.iter().filter(|(_, found)| found.days > 0) {
        output.line(in_words(*class, found));
    }
    output.message(match spanned {
        DAY_US => "less than a day has been recorded; it is counted as one".to_owned(),
        _ => format!("a day is the average of {}", counted((spanned / DAY_US).unsigned_abs(), "day")),
    });
    Ok(Exit::Ok)
}

fn add(usage: &mut BTreeMap<(String, String), Bytes>, event: &Event<'_>, length: u64) {
    let agent = event.agent.as_deref().unwrap_or("(gateway)").to_owned();
    let tier = event.tier.map(vocab::Tier::as_str).unwrap_or_default().to_owned();
    let bytes = usage.entry((agent, tier)).or_default();
    let count = |class| event.payloads.iter().filter(|payload| payload.class == class).count() as u64;
    bytes.events += 1;
    bytes.records += length + BESIDE_A_RECORD;
    for (class, sum) in
        [(PayloadClass::DecisionInput, &mut bytes.decision_input), (PayloadClass::TraceText, &mut bytes.trace_text)]
    {
        *sum += payloads::bytes_of(event, class) + count(class) * BESIDE_A_PAYLOAD;
    }
}

/// Of each class and day, how many payloads records speak of, and bytes of their texts.
type Said = BTreeMap<(PayloadClass, Day), (u64, u64)>;

fn on_disk(units: &[Unit], said: &Said, class: PayloadClass) -> OnDisk {
    let mut found = OnDisk::default();
    for unit in units.iter().filter(|unit| unit.class == class) {
        let (count, texts) = said.get(&(class, unit.day)).copied().unwrap_or_default();
        found.days += 1;
        found.texts += texts;
        found.files += unit.bytes;
        if unit.packed > 0 && unit.packed == unit.bytes {
            found.packed_days += 1;
            found.packed.0 += texts + count * BESIDE_A_PAYLOAD;
            found.packed.1 += unit.packed;
        }
    }
    found
}

/// What so many days take: the last one as it is written, those before it packed as well as earlier ones were.
fn after(a_day: u64, days: u32, (written, packed): (u64, u64)) -> u64 {
    let earlier = u128::from(a_day) * u128::from(days.saturating_sub(1));
    let earlier = if written == 0 { earlier } else { earlier * u128::from(packed) / u128::from(written) };
    let last = if days == 0 { 0 } else { a_day };
    u64::try_from(earlier).unwrap_or(u64::MAX).saturating_add(last)
}

fn in_words(class: PayloadClass, found: &OnDisk) -> String {
    let days = |count: u64| counted(count, "day");
    let packed = match found.packed {
        (_, 0) => String::new(),
        (written, packed) => {
            format!("; {} packed, to {} from {}", days(found.packed_days), size(packed), size(written))
        }
    };
    let (texts, files) = (size(found.texts), size(found.files));
    let what = if class == PayloadClass::DecisionInput { "inputs" } else { "text" };
    format!("{}: {} kept, {texts} of {what} in {files} of files{packed}", class.as_str(), days(found.days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_projected_by_what_packing_saved() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let unit = |text: &str, bytes, packed| Unit { class: PayloadClass::TraceText, day: day(text), bytes, packed };
        let units = [unit("2026-11-01", 100, 100), unit("2026-11-02", 150, 50), unit("2026-11-03", 1_000, 0)];
        let said = units.iter().map(|unit| ((unit.class, unit.day), (2, 300))).collect();
        let found = on_disk(&units, &said, PayloadClass::TraceText);
        let packed = (300 + 2 * BESIDE_A_PAYLOAD, 100);
        assert_eq!(found, OnDisk { days: 3, packed_days: 1, texts: 900, files: 1_250, packed });
        let words = "trace_text: 3 days kept, 900 B of text in 1.2 KiB of files; 1 day packed, to 100 B from 584 B";
        assert_eq!(in_words(PayloadClass::TraceText, &found), words);
        assert_eq!(on_disk(&units, &said, PayloadClass::DecisionInput), OnDisk::default());
        assert_eq!(after(1_000, 30, (400, 100)), 1_000 + 29 * 250);
        assert_eq!(after(1_000, 30, (0, 0)), 30_000, "nothing was packed yet");
        assert_eq!((after(1_000, 0, (400, 100)), after(1_000, 1, (400, 100))), (0, 1_000));
    }
}
