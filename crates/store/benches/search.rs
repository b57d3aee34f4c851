//! Indexing a log and searching it, beside the least that both could do in the same run: reading every event.
//!
//! The log has calls of 20 agents with 40 tools; a twentieth is denied, a twentieth asked about. Files are in the page
//! cache; every search opens the index anew, as a command does.
//!
//! `cargo bench -p mortise-store --bench search [-- <directory> [<events>]]`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

#[expect(dead_code, reason = "each benchmark uses some of it")]
mod events;
#[expect(dead_code, reason = "each benchmark uses some of it")]
mod measured;

use events::{BEGIN, KINDS, STEP, Writer, record};
use measured::{Failure, median, memory, time};
use std::{path::Path, time::Duration};
use store::LogReader;
use store::search::{Facet, Filter, SearchIndex, Space};
use vocab::Event;

const EVENTS: u64 = 200_000;
/// Searches of each kind.
const ROUNDS: usize = 21;
/// Calls of a page.
const PAGE: usize = 50;

/// What is searched, and what is particular about it.
const SEARCHES: [(&str, &str); 11] = [
    ("", "everything"),
    ("agent:agent-07", "a twentieth"),
    ("verdict:deny", "a twentieth"),
    ("agent:agent-07 verdict:ask tool:tool_12", "few"),
    ("agent:agent-07 tool:tool_12 rule:guards/*", "few, by a beginning"),
    ("tier:high -rule:roles/*", "nearly everything is taken out"),
    ("rule:guards/even agent:agent-01", "none, of two that are many: every chunk is read"),
    ("refunds", "a word of a reason"),
    ("limit -verdict:ask", "a word, without others"),
    ("since:1d label:private", "the newest day"),
    ("until:100d agent:agent-07", "the oldest"),
];

fn main() -> Result<(), Failure> {
    let arguments = measured::arguments();
    let events = arguments.get(1).map_or(Ok(EVENTS), |text| text.parse())?;
    let whole = KINDS.len() as u64;
    measured::in_a_folder(arguments.first(), "search", |dir| run(dir, events / whole * whole))
}

fn run(dir: &Path, events: u64) -> Result<(), Failure> {
    let (log_dir, index_dir) = (dir.join("log"), dir.join("search"));
    let log = Writer::open(&log_dir)?;
    let bytes = log.write(0, events, record)?;
    println!("one thread; {}; files in the page cache", measured::conditions());
    println!("{events} events of {} bytes on average, {} calls\n", bytes / events.max(1), events / 4);

    let read = time(|| {
        for record in LogReader::open(&log_dir)?.iter_from(0) {
            std::hint::black_box(Event::from_bytes(&record?.bytes)?);
        }
        Ok(())
    })?;
    measured::forget_peak();
    let before = memory("VmRSS");
    let indexed = time(|| {
        let found = SearchIndex::new(&index_dir, &log_dir)?.catch_up(&mut |_| {})?;
        if found == events { Ok(()) } else { Err(format!("{found} of {events} events are in the index").into()) }
    })?;
    let peak = memory("VmHWM").saturating_sub(before);
    let size = std::fs::metadata(index_dir.join("index.sqlite"))?.len();
    println!("| what | events/s | seconds | bytes/event | memory, MiB |\n|---|---:|---:|---:|---:|");
    for (what, took, size, peak) in [
        ("make the index", indexed, size as f64 / events as f64, peak),
        ("read every event, nothing else", read, 0.0, 0),
    ] {
        let seconds = took.as_secs_f64();
        println!(
            "| {what} | {:.0} | {seconds:.1} | {size:.1} | {:.0} |",
            events as f64 / seconds,
            peak as f64 / 1024.0
        );
    }

    let mut caught = Vec::new();
    for round in 0..ROUNDS as u64 {
        log.write(events + round * 4, 4, record)?;
        caught.push(time(|| {
            SearchIndex::new(&index_dir, &log_dir)?.catch_up(&mut |_| {})?;
            Ok(())
        })?);
    }
    let (middle, most) = (milliseconds(median(&caught)), greatest(&caught));
    println!("\nreading one more call into it: {middle:.1} ms, at most {most:.1} ms\n");

    let now = BEGIN + i64::try_from(events)? * STEP;
    println!(
        "| filter | what it selects | page of {PAGE}, ms | at most | calls of it | counted by verdict, ms | calls |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for (text, what) in SEARCHES {
        let filter = Filter::parse(text, now).map_err(|found| format!("{text}: {found:?}"))?;
        let (mut pages, mut counted, mut found, mut total) = (Vec::new(), Vec::new(), 0, 0);
        for _ in 0..ROUNDS {
            pages.push(time(|| {
                let page = SearchIndex::new(&index_dir, &log_dir)?.search(&filter, Space::Calls, PAGE, None)?;
                found = page.hits.len();
                Ok(())
            })?);
            counted.push(time(|| {
                let counts = SearchIndex::new(&index_dir, &log_dir)?.count(&filter, Space::Calls, Facet::Verdict)?;
                total = counts.total;
                Ok(())
            })?);
        }
        println!(
            "| `{text}` | {what} | {:.1} | {:.1} | {found} | {:.1} | {total} |",
            milliseconds(median(&pages)),
            greatest(&pages),
            milliseconds(median(&counted)),
        );
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn greatest(times: &[Duration]) -> f64 {
    milliseconds(times.iter().max().copied().unwrap_or_default())
}
