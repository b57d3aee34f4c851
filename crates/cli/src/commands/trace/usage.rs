//! `mortise trace usage`: what traces cost, by agent and tier.

use super::{payloads, reader};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use govern::project::Retention;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
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

/// Says how many bytes a day each agent's events and payloads take, and how much that comes to when it goes on.
pub fn run(output: &Output, log: &Path, retention: Retention, days: u16) -> Outcome {
    let mut usage: BTreeMap<(String, String), Bytes> = BTreeMap::new();
    let (mut first, mut last) = (None, 0);
    for record in reader(log)?.iter_from(0) {
        let record = record.map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
        let Ok(event) = Event::from_bytes(&record.bytes) else { continue };
        first.get_or_insert(event.t);
        last = event.t.max(last);
        add(&mut usage, &event, record.bytes.len() as u64);
    }
    let Some(first) = first else {
        return Err(Failure::new(Exit::Nothing, "nothing has been recorded for this project yet"));
    };
    // A log of an hour says little about a day: less than a day counts as one.
    let spanned = (last.saturating_sub(first)).max(DAY_US);
    let a_day = |bytes: u64| u64::try_from(u128::from(bytes) * DAY_US as u128 / spanned as u128).unwrap_or(u64::MAX);
    let mut rows = Vec::new();
    for ((agent, tier), bytes) in &usage {
        let kept = [
            (a_day(bytes.records), retention.records_days),
            (a_day(bytes.decision_input), retention.decision_input_days),
            (a_day(bytes.trace_text), retention.trace_text_days),
        ];
        let projected: u64 =
            kept.iter().map(|(bytes, kept)| bytes.saturating_mul(u64::from((*kept).min(u32::from(days))))).sum();
        rows.push((agent, tier, bytes.events, kept.map(|(bytes, _)| bytes), projected));
    }
    if !output.is_human() {
        let value = |row: &(&String, &String, u64, [u64; 3], u64)| {
            let (agent, tier, events, [records, input, text], projected) = row;
            json!({
                "agent": agent, "tier": tier, "events": events, "record_bytes_a_day": records,
                "decision_input_bytes_a_day": input, "trace_text_bytes_a_day": text, "projected_bytes": projected,
            })
        };
        output.json(&json!({ "days": days, "agents": rows.iter().map(value).collect::<Vec<Value>>() }));
        return Ok(Exit::Ok);
    }
    let head = ["agent", "tier", "events", "records/day", "decisions/day", "text/day"];
    output.line(output.dim(&format!(
        "{:<20} {:<9} {:>9} {:>12} {:>14} {:>12} {:>14}",
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
            "{agent:<20} {tier:<9} {events:>9} {:>12} {:>14} {:>12} {:>14}",
            size(records),
            size(input),
            size(text),
            size(projected)
        ));
    }
    if spanned == DAY_US {
        output.message("less than a day has been recorded; it is counted as one");
    }
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

/// A number of bytes for people, in powers of 1024.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut shown = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        unit = next;
        if shown < 1024.0 {
            break;
        }
        if next != "PiB" {
            shown /= 1024.0;
        }
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{shown:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_said_in_powers_of_1024() {
        let said: Vec<String> = [0, 1023, 1024, 1536, 1 << 20, 5 << 30].into_iter().map(size).collect();
        assert_eq!(said, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB"]);
    }
}
