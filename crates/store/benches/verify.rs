//! Verifying a whole log on one core, beside the least that verification does on the same bytes in the same run: read the
//! segments, hash the leaves, read the events.
//!
//! The log is what a gateway writes for allowed calls: intent, decision, dispatch, result.
//!
//! `cargo bench -p mortise-store --bench verify [-- <directory> [<events>]]`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use proof::{KeyName, Signer, TILE_WIDTH, leaf_hash, leaf_hashes};
use std::{
    error::Error,
    hint::black_box,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use store::{Log, LogOptions, Verdict, verify};
use vocab::{
    Authn, Confidentiality, Effect, Event, Integrity, Mode, Tier,
    event::{Kind, Outcome, SessionLabels},
    id::RuleId,
};

type Failure = Box<dyn Error + Send + Sync>;

const ORIGIN: &str = "bench.mortise/log";
const EVENTS: u64 = 200_000;
const ROUNDS: usize = 5;
/// Records of one append.
const BATCH: usize = 512;
/// What an allowed call leaves.
const KINDS: [Kind; 4] = [Kind::ToolIntent, Kind::PolicyDecision, Kind::ToolDispatch, Kind::ToolResult];
const DIGEST: &str = "sha256:4322363ab5574436a325220b4e33fb6079449afcd7ac6c9f734f6f466dd187c4";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let dir = arguments.first().map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let events = arguments.get(1).map_or(Ok(EVENTS), |text| text.parse())?;
    let dir = dir.join(format!("verify-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = run(&dir, events);
    std::fs::remove_dir_all(&dir)?;
    done
}

fn run(dir: &Path, events: u64) -> Result<(), Failure> {
    let records = (0..events).map(record).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = records.iter().map(Vec::len).sum();
    let signer = Signer::from_seed(KeyName::parse(ORIGIN)?, &[1; 32]);
    let vkey = signer.verifier().to_vkey();
    write(dir, signer, &records)?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("one thread of {cores}, optimised: {}; files in the page cache", !cfg!(debug_assertions));
    println!("{events} events of {} bytes on average; medians of {ROUNDS} rounds\n", bytes / records.len().max(1));

    let (mut verified, mut read, mut parsed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut hashed, mut together) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        verified.push(time(|| {
            let report = verify(dir, Some(&vkey))?;
            match report.verdict {
                Verdict::Ok if report.events == events && report.unknown == 0 => Ok(()),
                _ => Err(format!("the log does not verify: {report:?}").into()),
            }
        })?);
        read.push(time(|| read_all(&dir.join("seg")))?);
        hashed.push(time(|| {
            for record in &records {
                black_box(leaf_hash(record));
            }
            Ok(())
        })?);
        together.push(time(|| {
            for bundle in records.chunks(usize::from(TILE_WIDTH)) {
                black_box(leaf_hashes(bundle));
            }
            Ok(())
        })?);
        parsed.push(time(|| {
            for record in &records {
                black_box(Event::from_bytes(record)?);
            }
            Ok(())
        })?);
    }
    println!("| what | events/s | MB/s |\n|---|---:|---:|");
    for (what, times) in [
        ("verify", verified),
        ("read the segments, nothing else", read),
        ("hash the leaves one by one, nothing else", hashed),
        ("hash the leaves of a bundle at once, nothing else", together),
        ("read the events, nothing else", parsed),
    ] {
        let took = median(times).as_secs_f64();
        println!("| {what} | {:.0} | {:.0} |", events as f64 / took, bytes as f64 / took / 1e6);
    }
    Ok(())
}

fn write(dir: &Path, signer: Signer, records: &[Vec<u8>]) -> Result<(), Failure> {
    let (log, _) = Log::open(dir, &LogOptions::new(ORIGIN), signer, &mut |_, _| {})?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for batch in records.chunks(BATCH) {
        runtime.block_on(log.append(batch.to_vec()))?;
    }
    log.close()?;
    Ok(())
}

/// One of the four events of a call, with every column that a gateway fills.
fn record(number: u64) -> Result<Vec<u8>, Failure> {
    let (call, step) = (number / KINDS.len() as u64, number % KINDS.len() as u64);
    let kind = KINDS.get(usize::try_from(step)?).copied().unwrap_or(Kind::ToolIntent);
    let time = 1_795_000_000_000_000 + i64::try_from(number)?;
    let mut event = Event::new(kind, format!("01a2043c-f5db-7b12-a5de-{number:012x}"), time, "default");
    event.agent = Some("support-bot".into());
    event.args_hash = Some(format!("hmac-sha256:{number:064x}").into());
    event.authn = Some(Authn::Local);
    event.call = Some(format!("01a2043c-0000-7b12-a5de-{call:012x}").into());
    event.config_revision = Some(DIGEST.into());
    event.definition = Some(DIGEST.into());
    event.effect = Some(Effect::ReversibleWrite);
    event.mode = Some(Mode::Enforce);
    event.policy_bundle = Some(DIGEST.into());
    event.server = Some("desk".into());
    event.session = Some("01a2043c-0001-7b12-a5de-000000000001".into());
    event.tier = Some(Tier::High);
    event.tool_name = Some("desk/close_ticket".into());
    match kind {
        Kind::PolicyDecision => {
            event.decision = Some(vocab::Verdict::Allow);
            event.permits = vec![RuleId::new("roles/support/tickets")].into();
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

fn read_all(dir: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(dir)? {
        black_box(std::fs::read(entry?.path())?);
    }
    Ok(())
}

fn time(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
