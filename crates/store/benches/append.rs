//! Durable append of 2 KiB records, closed loop, beside the least one can do on the same disk in the same run.
//!
//! The baseline has the same writers and one thread that gathers what waits, writes it into a zero-filled file and calls
//! `fdatasync`: no frames, no checksums, no tree, no tiles, no checkpoints. Rounds of both alternate, because a disk that
//! others use is not the same disk a minute later.
//!
//! `cargo bench -p mortise-store [-- <directory> [<seconds>]]`
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
    let done = run(&dir, Duration::from_secs_f64(seconds));
    std::fs::remove_dir_all(&dir)?;
    done
}

fn run(dir: &Path, time: Duration) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let signer = Signer::from_seed(KeyName::parse("bench.mortise/log")?, &[1; 32]);
    let options = LogOptions::new("bench.mortise/log");
    let (log, _) = Log::open(&dir.join("log"), &options, signer, &mut |_, _| {})?;
    let (log, raw) = (Arc::new(log), Arc::new(Raw::start(&dir.join("raw"))?));
    conditions(dir, time);
    // The log's segments grow to their full size first.
    measure(&runtime, &log, 64, time)?;

    println!("{:>8} {:>14} {:>14} {:>7}   p50 / p99 of the log, of raw", "writers", "log/s", "raw/s", "ratio");
    for writers in WRITERS {
        let (mut of_log, mut of_raw) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_log.push(measure(&runtime, &log, writers, time)?);
            of_raw.push(measure(&runtime, &raw, writers, time)?);
        }
        let (log, raw) = (median(of_log), median(of_raw));
        let ratio = log.rate / raw.rate;
        println!("{writers:>8} {:>14.0} {:>14.0} {ratio:>7.2}   {log} , {raw}", log.rate, raw.rate);
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
        write!(f, "{:.2?} / {:.2?}", self.p50, self.p99)
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

/// The baseline.
struct Raw {
    queue: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
}

impl Raw {
    fn start(path: &Path) -> std::io::Result<Self> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let zeros = vec![0; 1024 * 1024];
        for _ in 0..SEGMENT_BYTES / zeros.len() as u64 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        let (queue, waiting) = mpsc::channel(1024);
        std::thread::spawn(move || serve(&file, waiting));
        Ok(Self { queue })
    }
}

fn serve(file: &File, mut waiting: mpsc::Receiver<(Vec<u8>, oneshot::Sender<()>)>) {
    let (mut batch, mut bytes, mut offset) = (Vec::new(), Vec::new(), 0);
    while waiting.blocking_recv_many(&mut batch, 512) > 0 {
        bytes.clear();
        for (record, _) in &batch {
            bytes.extend_from_slice(record);
        }
        if offset + bytes.len() as u64 > SEGMENT_BYTES {
            offset = 0;
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
