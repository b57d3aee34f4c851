//! Durable append of 2 KiB records, closed loop, beside the least one can do on the same disk in the same run.
//!
//! The baselines have the same writers and one thread that gathers what waits, writes it into a zero-filled file and calls
//! `fdatasync`: no frames, no checksums, no tree, no tiles, no checkpoints. One writes over the same file again and again,
//! which no log can do; the other keeps what it wrote, as a log does, so that zeros are written for every record first.
//! Rounds alternate, because a disk that others use is not the same disk a minute later.
//!
//! `cargo bench -p mortise-store [-- <directory> [<seconds> [<writers>]]]`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use proof::{KeyName, Signer};
use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use store::{Log, LogOptions};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const RECORD_BYTES: usize = 2048;
const ROUNDS: usize = 5;
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
const WRITERS: [usize; 3] = [1, 16, 64];

/// One append that waits until it is durable.
trait Target: Send + Sync + 'static {
    fn append(&self, record: Vec<u8>) -> impl Future<Output = bool> + Send;
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let dir = arguments.first().map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let seconds = arguments.get(1).map_or(Ok(2.0), |text| text.parse())?;
    let dir = dir.join(format!("append-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let only = arguments.get(2).map(|text| text.parse()).transpose()?;
    let done = run(&dir, Duration::from_secs_f64(seconds), only);
    std::fs::remove_dir_all(&dir)?;
    done
}

fn run(dir: &Path, time: Duration, only: Option<usize>) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let signer = Signer::from_seed(KeyName::parse("bench.mortise/log")?, &[1; 32]);
    let options = LogOptions::new("bench.mortise/log");
    let (log, _) = Log::open(&dir.join("log"), &options, signer, &mut |_, _| {})?;
    let log = Arc::new(log);
    let over = Arc::new(Raw::start(dir.join("raw"), Kept::Nothing)?);
    let kept = Arc::new(Raw::start(dir.join("kept"), Kept::Everything)?);
    conditions(dir, time);
    // The log's segments grow to their full size first.
    measure(&runtime, &log, 64, time)?;

    println!("records/s, and p50 / p99 of an append; ratios of the log to each baseline\n");
    println!("| writers | log | raw, written over | ratio | raw, kept | ratio |\n|---:|---|---|---:|---|---:|");
    for writers in WRITERS.into_iter().filter(|writers| only.is_none_or(|only| only == *writers)) {
        let (mut of_log, mut of_over, mut of_kept) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_log.push(measure(&runtime, &log, writers, time)?);
            of_over.push(measure(&runtime, &over, writers, time)?);
            of_kept.push(measure(&runtime, &kept, writers, time)?);
        }
        let (log, over, kept) = (median(of_log), median(of_over), median(of_kept));
        let (to_over, to_kept) = (log.rate / over.rate, log.rate / kept.rate);
        println!("| {writers} | {log} | {over} | {to_over:.2} | {kept} | {to_kept:.2} |");
    }
    log.close()?;
    Ok(())
}

fn conditions(dir: &Path, time: Duration) {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("directory {}, {cores} cores, load {}", dir.display(), read("/proc/loadavg").trim());
    println!("{}", read("/proc/version").trim());
    println!("optimised: {}; {RECORD_BYTES} bytes; {ROUNDS} rounds of {time:?}, medians", !cfg!(debug_assertions));
}

struct Round {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}; {:.2?} / {:.2?}", self.rate, self.p50, self.p99)
    }
}

fn measure<T: Target>(runtime: &Runtime, target: &Arc<T>, writers: usize, time: Duration) -> Outcome<Round> {
    let begin = Instant::now();
    let mut latencies = runtime.block_on(async {
        let tasks: Vec<_> = (0..writers)
            .map(|_| {
                let target = Arc::clone(target);
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while begin.elapsed() < time {
                        let start = Instant::now();
                        if !target.append(vec![b'x'; RECORD_BYTES]).await {
                            return Err("an append failed");
                        }
                        latencies.push(start.elapsed());
                    }
                    Ok(latencies)
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await??);
        }
        Outcome::Ok(all)
    })?;
    let rate = latencies.len() as f64 / begin.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default();
    Ok(Round { rate, p50: at(50), p99: at(99) })
}

/// The round with the median rate.
fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    rounds.swap_remove(rounds.len() / 2)
}

impl Target for Log {
    async fn append(&self, record: Vec<u8>) -> bool {
        Log::append(self, vec![record]).await.is_ok()
    }
}

/// What a baseline keeps of what it wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It writes over the same file.
    Nothing,
    /// It goes on in the next file, which another thread fills while this one is used.
    Everything,
}

/// A baseline.
struct Raw {
    queue: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
}

impl Raw {
    fn start(dir: PathBuf, kept: Kept) -> std::io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let file = fill(&dir, 0)?;
        let (queue, waiting) = mpsc::channel(1024);
        std::thread::spawn(move || serve(&dir, file, kept, waiting));
        Ok(Self { queue })
    }
}

/// A file full of zeros.
fn fill(dir: &Path, number: u64) -> std::io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(dir.join(number.to_string()))?;
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..SEGMENT_BYTES / zeros.len() as u64 {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn serve(dir: &Path, mut file: File, kept: Kept, mut waiting: mpsc::Receiver<(Vec<u8>, oneshot::Sender<()>)>) {
    let next = |number| {
        let dir = dir.to_owned();
        std::thread::spawn(move || fill(&dir, number))
    };
    let (mut batch, mut bytes, mut offset, mut number) = (Vec::new(), Vec::new(), 0, 1);
    let mut spare = (kept == Kept::Everything).then(|| next(number));
    while waiting.blocking_recv_many(&mut batch, 512) > 0 {
        bytes.clear();
        for (record, _) in &batch {
            bytes.extend_from_slice(record);
        }
        if offset + bytes.len() as u64 > SEGMENT_BYTES {
            offset = 0;
            if let Some(filled) = spare.take() {
                // Without the next file nobody is answered any more, and the benchmark ends with an error.
                let Ok(Ok(filled)) = filled.join() else { return };
                (file, number) = (filled, number + 1);
                spare = Some(next(number));
            }
        }
        let written = file.write_all_at(&bytes, offset).and_then(|()| file.sync_data());
        offset += bytes.len() as u64;
        // A reply that is dropped tells the writer of the failure.
        for (_, reply) in batch.drain(..) {
            if written.is_ok() {
                let _ = reply.send(());
            }
        }
    }
}

impl Target for Raw {
    async fn append(&self, record: Vec<u8>) -> bool {
        let (reply, answer) = oneshot::channel();
        self.queue.send((record, reply)).await.is_ok() && answer.await.is_ok()
    }
}
