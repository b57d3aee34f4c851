//! Indexing a log and searching it, beside the least that both could do in the same run: reading every event.
//!
//! The log has calls of 20 agents with 40 tools; a twentieth is denied, a twentieth asked about. Files are in the page
//! cache; every search opens the index anew, as a command does.
//!
//! `cargo bench -p mortise-store --bench search [-- <directory> [<events>]]`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use proof::{KeyName, Signer};
use std::{
    error::Error,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use store::search::{Facet, Filter, SearchIndex, Space};
use store::{Log, LogOptions, LogReader};
use vocab::{
    Authn, Confidentiality, Effect, Event, Integrity, Mode, Reason, Tier, Verdict,
    event::{Kind, Outcome, SessionLabels},
    id::RuleId,
};

type Failure = Box<dyn Error + Send + Sync>;

const ORIGIN: &str = "bench.mortise/log";
const EVENTS: u64 = 200_000;
/// Searches of each kind.
const ROUNDS: usize = 21;
/// Calls of a page.
const PAGE: usize = 50;
/// Records of one append.
const BATCH: u64 = 512;
const KINDS: [Kind; 4] = [Kind::ToolIntent, Kind::PolicyDecision, Kind::ToolDispatch, Kind::ToolResult];
const DIGEST: &str = "sha256:4322363ab5574436a325220b4e33fb6079449afcd7ac6c9f734f6f466dd187c4";
/// When the first event was, and how far they are apart: 10 million are 116 days.
const BEGIN: i64 = 1_785_000_000_000_000;
const STEP: i64 = 1_000_000;

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
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let dir = arguments.first().map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let events = arguments.get(1).map_or(Ok(EVENTS), |text| text.parse())?;
    let dir = dir.join(format!("search-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = run(&dir, events / KINDS.len() as u64 * KINDS.len() as u64);
    std::fs::remove_dir_all(&dir)?;
    done
}

fn run(dir: &Path, events: u64) -> Result<(), Failure> {
    let (log_dir, index_dir) = (dir.join("log"), dir.join("search"));
    let log = Writer::open(&log_dir)?;
    let bytes = log.write(0, events)?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("one thread of {cores}, optimised: {}; files in the page cache", !cfg!(debug_assertions));
    println!("{events} events of {} bytes on average, {} calls\n", bytes / events.max(1), events / 4);

    let read = time(|| {
        for record in LogReader::open(&log_dir)?.iter_from(0) {
            std::hint::black_box(Event::from_bytes(&record?.bytes)?);
        }
        Ok(())
    })?;
    forget_peak();
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
        log.write(events + round * 4, 4)?;
        caught.push(time(|| {
            SearchIndex::new(&index_dir, &log_dir)?.catch_up(&mut |_| {})?;
            Ok(())
        })?);
    }
    let (middle, greatest) = (milliseconds(median(&caught)), milliseconds(caught.iter().max().copied()));
    println!("\nreading one more call into it: {middle:.1} ms, at most {greatest:.1} ms\n");

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
            milliseconds(pages.iter().max().copied()),
            milliseconds(median(&counted)),
        );
    }
    Ok(())
}

/// A log that is written to.
struct Writer {
    log: Log,
    runtime: tokio::runtime::Runtime,
}

impl Writer {
    fn open(dir: &Path) -> Result<Self, Failure> {
        let signer = Signer::from_seed(KeyName::parse(ORIGIN)?, &[1; 32]);
        let (log, _) = Log::open(dir, &LogOptions::new(ORIGIN), signer, &mut |_, _| {})?;
        Ok(Self { log, runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()? })
    }

    /// Appends events from a number on; gives their bytes.
    fn write(&self, from: u64, count: u64) -> Result<u64, Failure> {
        let mut bytes = 0;
        let mut at = from;
        while at < from + count {
            let end = (at + BATCH).min(from + count);
            let records = (at..end).map(record).collect::<Result<Vec<_>, _>>()?;
            bytes += records.iter().map(|record| record.len() as u64).sum::<u64>();
            self.runtime.block_on(self.log.append(records))?;
            at = end;
        }
        Ok(bytes)
    }
}

/// One of the four events of a call, with every column that a gateway fills. Four of each call, whatever was decided:
/// what matters here is how many there are.
fn record(number: u64) -> Result<Vec<u8>, Failure> {
    let (call, step) = (number / KINDS.len() as u64, number % KINDS.len() as u64);
    // Neighbours have little to do with each other (the multiplier is that of Knuth's MMIX generator).
    let mixed = call.wrapping_mul(6_364_136_223_846_793_005).rotate_left(31);
    let (agent, tool, dice) = (mixed % 20, mixed / 20 % 40, mixed / 800 % 20);
    let kind = KINDS.get(usize::try_from(step)?).copied().unwrap_or(Kind::ToolIntent);
    let time = BEGIN + i64::try_from(number)? * STEP;
    let mut event = Event::new(kind, format!("01a2043c-f5db-7b12-a5de-{number:012x}"), time, "default");
    event.agent = Some(format!("agent-{agent:02}").into());
    event.args_hash = Some(format!("hmac-sha256:{number:064x}").into());
    event.authn = Some(Authn::Local);
    event.call = Some(format!("01a2043c-0000-7b12-a5de-{call:012x}").into());
    event.config_revision = Some(DIGEST.into());
    event.definition = Some(DIGEST.into());
    event.effect = Some(Effect::ReversibleWrite);
    event.mode = Some(Mode::Enforce);
    event.policy_bundle = Some(DIGEST.into());
    event.server = Some(format!("server-{}", tool % 5).into());
    event.session = Some(format!("01a2043c-0001-7b12-a5de-{:012x}", call / 50).into());
    event.tier = Some(Tier::High);
    event.tool_name = Some(format!("tool_{tool:02}").into());
    match kind {
        Kind::PolicyDecision => {
            let verdict = match dice {
                0 => Verdict::Deny,
                1 => Verdict::Ask,
                _ => Verdict::Allow,
            };
            event.decision = Some(verdict);
            if verdict == Verdict::Allow {
                event.permits = vec![RuleId::new(format!("roles/role-{}", tool % 10))].into();
            } else {
                let rule = if agent % 2 == 0 { "guards/even".to_owned() } else { format!("guards/odd-{}", tool % 30) };
                let text = Some("refunds above the limit wait for somebody of the desk".into());
                event.reasons =
                    vec![Reason { rule: RuleId::new(rule), verdict, text, place: None, discharged_by: None }].into();
            }
            event.latency_us = Some(41);
        }
        Kind::ToolDispatch => {
            event.effective_hash.clone_from(&event.args_hash);
            event.confinement = Some("none".into());
        }
        Kind::ToolResult => {
            event.outcome = Some(Outcome::Ok);
            event.result_bytes = Some(212);
            event.result_hash = Some(format!("hmac-sha256:{number:064x}").into());
            event.labels = Some(SessionLabels {
                confidentiality: vec![Confidentiality::Private],
                integrity: Integrity::ThirdParty,
            });
        }
        _ => {}
    }
    Ok(event.to_bytes()?)
}

fn time(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

fn milliseconds(time: Option<Duration>) -> f64 {
    time.unwrap_or_default().as_secs_f64() * 1e3
}

/// A line of `/proc/self/status`, KiB; 0 where there is none.
fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The greatest memory is counted from here on. Where the kernel does not allow it, what writing the log took is in it.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
