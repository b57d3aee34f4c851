//! The most memory that reading a log takes, by the length of the log: it should be the same.
//!
//! The log has calls of four events each, with the document of every decision kept beside it, encrypted. Each thing is done in
//! a process of its own, which says what it held at its peak; one that does nothing stands beside them.
//!
//! `cargo bench -p mortise-lab --bench memory [-- <directory> [<events> ...]]`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a fixture that breaks ends the benchmark"
)]

#[path = "../../store/benches/events/mod.rs"]
#[expect(dead_code, reason = "shared with the benchmarks of the log")]
mod events;
#[path = "../tests/lab/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of suites, which use other parts of it")]
mod fixture;
#[path = "../../store/benches/measured/mod.rs"]
#[expect(dead_code, reason = "shared with the benchmarks of the log")]
mod measured;
mod past;

use enforce::{Snapshot, StoredInputs};
use events::{BEGIN, KINDS, ORIGIN, STEP, Writer};
use lab::replay::{Aim, Replay, Selection};
use measured::Failure;
use std::path::Path;
use std::process::Command;
use store::payload::{Content, Day, Owner, PayloadStore};
use store::search::SearchIndex;
use store::{Clock, Keys, LogReader, Verdict, formats};
use vocab::Event;
use vocab::event::{Kind, PayloadClass};

const SIZES: [u64; 3] = [50_000, 200_000, 800_000];
/// What tells a process that it is to do one thing, and say what it took.
const APART: &str = "--apart";

/// What is done with a log, and how.
type Work = (&'static str, fn(&Path, u64) -> Result<(), Failure>);
const WORK: [Work; 6] = [
    ("nothing", |_, _| Ok(())),
    ("verify the records", records),
    ("verify what is kept beside them", payloads),
    ("make the search index", index),
    ("export `jsonl`", export),
    ("replay, exact", replay),
];

fn main() -> Result<(), Failure> {
    let arguments = measured::arguments();
    if let [first, what, dir, events] = &*arguments
        && first == APART
    {
        let (_, work) = WORK.iter().find(|(name, _)| name == what).ok_or("nobody does this")?;
        work(Path::new(dir), events.parse()?)?;
        println!("{}", measured::peak_mib());
        return Ok(());
    }
    let sizes = arguments.iter().skip(1).map(|size| size.parse()).collect::<Result<Vec<u64>, _>>()?;
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    measured::in_a_folder(arguments.first(), "memory", |dir| run(dir, &sizes))
}

fn run(dir: &Path, sizes: &[u64]) -> Result<(), Failure> {
    println!("{}\n", measured::conditions());
    let titles: Vec<String> = sizes.iter().map(|size| format!("{size} events")).collect();
    let mut rows = WORK.map(|_| Vec::new());
    let mut log = Growing::open(dir)?;
    for size in sizes {
        log.grow(*size)?;
        for ((what, _), row) in WORK.iter().zip(&mut rows) {
            row.push(apart(what, dir, log.size)?);
        }
    }
    println!("the most memory held at once, MiB\n\n| what | {} |", titles.join(" | "));
    println!("|---|{}", "---:|".repeat(sizes.len()));
    for ((what, _), row) in WORK.iter().zip(rows) {
        let row: Vec<String> = row.iter().map(|peak| format!("{peak:.1}")).collect();
        println!("| {what} | {} |", row.join(" | "));
    }
    Ok(())
}

/// Does one thing in a process of its own; the most memory it held, MiB.
fn apart(what: &str, dir: &Path, events: u64) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args([APART, what]).arg(dir).arg(events.to_string()).output()?;
    if !output.status.success() {
        return Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// A log that grows, with what is kept beside it.
struct Growing {
    log: Writer,
    payloads: PayloadStore,
    clock: store::clock::ManualClock,
    now: i64,
    runtime: tokio::runtime::Runtime,
    snapshot: Snapshot,
    size: u64,
}

impl Growing {
    fn open(dir: &Path) -> Result<Self, Failure> {
        let log_dir = dir.join("log");
        let log = Writer::open(&log_dir)?;
        let keys = Keys::open(&dir.join("keys"), ORIGIN)?;
        let (clock, hands) = Clock::manual(BEGIN);
        let payloads = PayloadStore::new(&log_dir, &keys, clock, 64 * 1024 * 1024);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { log, payloads, clock: hands, now: BEGIN, runtime, snapshot: present(), size: 0 })
    }

    /// Until it has so many events, or a few less: whole calls. Everything is durable then.
    fn grow(&mut self, events: u64) -> Result<(), Failure> {
        let until = events / KINDS.len() as u64 * KINDS.len() as u64;
        let Self { log, payloads, clock, now, runtime, snapshot, size } = self;
        let mut kept = Kept { payloads, clock, now, runtime, snapshot };
        log.write(*size, until.saturating_sub(*size), |number| kept.record(number))?;
        kept.settle()?;
        *size = until.max(*size);
        Ok(())
    }
}

struct Kept<'a> {
    payloads: &'a PayloadStore,
    clock: &'a store::clock::ManualClock,
    now: &'a mut i64,
    runtime: &'a tokio::runtime::Runtime,
    snapshot: &'a Snapshot,
}

impl Kept<'_> {
    /// One of the events of a call; with a decision its document is kept.
    fn record(&mut self, number: u64) -> Result<Vec<u8>, Failure> {
        let call = usize::try_from(number / KINDS.len() as u64)?;
        let t = BEGIN + i64::try_from(number)? * STEP;
        let mut event = events::event(number)?;
        if event.kind != Kind::PolicyDecision {
            event.call = Some(past::call(call).into());
            return Ok(event.to_bytes()?);
        }
        let (mut event, input) = past::decision(self.snapshot, call, t)?;
        if Day::of(t) != Day::of(*self.now) {
            self.settle()?;
        }
        self.clock.advance(t - *self.now);
        *self.now = t;
        let bytes = input.to_bytes();
        let kept = self.keep(&bytes)?;
        event.payloads.clone_from(&kept.payloads);
        self.runtime.block_on(self.payloads.write_soon(kept))?;
        Ok(event.to_bytes()?)
    }

    fn keep(&self, bytes: &[u8]) -> Result<store::payload::Kept, Failure> {
        let owner = Owner { tenant: "default".to_owned(), subject: "ada".to_owned() };
        let contents = [Content { name: "input", bytes }];
        Ok(self.payloads.seal(&owner, PayloadClass::DecisionInput, &contents)?)
    }

    /// Waits until what was kept is durable. (It is behind the others, and no record speaks of it.)
    fn settle(&self) -> Result<(), Failure> {
        let last = self.keep(b"{}")?;
        Ok(self.runtime.block_on(self.payloads.write(last))?)
    }
}

fn present() -> Snapshot {
    fixture::snapshot_of(&fixture::files())
}

fn records(dir: &Path, events: u64) -> Result<(), Failure> {
    let report = store::verify(&dir.join("log"), None)?;
    let is_whole = report.verdict == Verdict::Ok && report.events == events;
    if is_whole { Ok(()) } else { Err(format!("{report:?}").into()) }
}

fn payloads(dir: &Path, events: u64) -> Result<(), Failure> {
    let log = dir.join("log");
    let keys = store::ReadingKeys::read(&dir.join("keys"))?.ok_or("no keys")?.data_keys(&log);
    let report = store::verify_payloads(&log, Some(&keys))?;
    let is_whole = report.opened == events / KINDS.len() as u64;
    if is_whole { Ok(()) } else { Err(format!("{report:?}").into()) }
}

fn index(dir: &Path, events: u64) -> Result<(), Failure> {
    let place = dir.join(format!("search-{}", std::process::id()));
    let found = SearchIndex::new(&place, &dir.join("log"))?.catch_up(&mut |_| {})?;
    std::fs::remove_dir_all(&place)?;
    if found == events { Ok(()) } else { Err(format!("{found} of {events}").into()) }
}

fn export(dir: &Path, events: u64) -> Result<(), Failure> {
    let file = dir.join(format!("events-{}.jsonl", std::process::id()));
    let format = formats::named("jsonl").ok_or("no such format")?;
    let (log, selection) = (dir.join("log"), formats::Selection::default());
    let job = formats::Job { log, file: file.clone(), format, selection, with_index: false };
    let done = job.run(false, |_| Ok(()))?;
    std::fs::remove_file(file)?;
    if done.rows == events { Ok(()) } else { Err(format!("{} of {events}", done.rows).into()) }
}

fn replay(dir: &Path, events: u64) -> Result<(), Failure> {
    let log = dir.join("log");
    let keys = store::ReadingKeys::read(&dir.join("keys"))?.ok_or("no keys")?.data_keys(&log);
    let (snapshot, inputs) = (present(), StoredInputs::new(&log, keys));
    let selection = Selection { since_us: None, agent: None, examples: 3 };
    let mut replay = Replay::new(&snapshot, &|_| None, Aim::Same, selection, &inputs, None);
    for record in LogReader::open(&log)?.iter_from(0) {
        let record = record?;
        replay.take(record.index, &Event::from_bytes(&record.bytes)?);
    }
    let summary = replay.finish().summary;
    if summary.exact == events / KINDS.len() as u64 { Ok(()) } else { Err(format!("{summary:?}").into()) }
}
