//! Durable append of 2 KiB records, closed loop, beside the least one can do on the same disk in the same run, and beside
//! three databases that one could keep records in instead.
//!
//! The raw baselines have the same writers and one thread that gathers what waits, writes it into a zero-filled file and calls
//! `fdatasync`: no frames, no checksums, no tree, no tiles, no checkpoints. One writes over the same file again and again,
//! which no log can do; the other keeps what it wrote, as a log does, so that zeros are written for every record first.
//! The databases have that one thread, too, which is the fastest way to use them: what waits is one transaction.
//! Rounds alternate, because a disk that others use is not the same disk a minute later.
//!
//! `cargo bench -p mortise-store [-- <directory> [<seconds> [<writers>]]]`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

#[expect(dead_code, reason = "each benchmark uses some of it")]
mod measured;
#[expect(dead_code, reason = "each benchmark uses some of it")]
mod peers;

use measured::Failure;
use peers::{Fjall, Peer, Redb, Sqlite};
use proof::{KeyName, Signer};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use store::{Log, LogOptions};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

const RECORD_BYTES: usize = 2048;
const ROUNDS: usize = 5;
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
const WRITERS: [usize; 3] = [1, 16, 64];
/// Records that wait, and records of one batch.
const WAITING: usize = 1024;
const BATCH: usize = 512;

/// One append that waits until it is durable.
trait Target: Send + Sync + 'static {
    fn append(&self, record: Vec<u8>) -> impl Future<Output = bool> + Send;
}

/// A round of one target: how many writers, for how long.
type Measure = Box<dyn Fn(&Runtime, usize, Duration) -> Result<Round, Failure>>;

fn main() -> Result<(), Failure> {
    let arguments = measured::arguments();
    let seconds = arguments.get(1).map_or(Ok(1.0), |text| text.parse())?;
    let only = arguments.get(2).map(|text| text.parse()).transpose()?;
    measured::in_a_folder(arguments.first(), "append", |dir| run(dir, Duration::from_secs_f64(seconds), only))
}

fn run(dir: &Path, time: Duration, only: Option<usize>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let signer = Signer::from_seed(KeyName::parse("bench.mortise/log")?, &[1; 32]);
    let options = LogOptions::new("bench.mortise/log");
    let (log, _) = Log::open(&dir.join("log"), &options, signer, &mut |_, _| {})?;
    let log = Arc::new(log);
    let targets: [(String, Measure); 6] = [
        ("the log".to_owned(), measuring(Arc::clone(&log))),
        ("raw, written over".to_owned(), measuring(Arc::new(Raw::start(dir.join("raw"), Kept::Nothing)?))),
        ("raw, kept".to_owned(), measuring(Arc::new(Raw::start(dir.join("kept"), Kept::Everything)?))),
        (Sqlite::name(), measuring(Arc::new(Batched::start::<Sqlite>(&dir.join("sqlite"))?))),
        (Redb::name(), measuring(Arc::new(Batched::start::<Redb>(&dir.join("redb"))?))),
        (Fjall::name(), measuring(Arc::new(Batched::start::<Fjall>(&dir.join("fjall"))?))),
    ];
    println!("{}; {}", measured::directory(dir), measured::conditions());
    println!(
        "{RECORD_BYTES} bytes a record; {ROUNDS} rounds of {time:?} each in turns, the one with the median rate\n"
    );
    // Files grow to what they are in use first.
    for (_, measure) in &targets {
        measure(&runtime, 64, time)?;
    }
    println!("| writers | what | records/s | p50 | p99 | the log, as a multiple |\n|---:|---|---:|---:|---:|---:|");
    for writers in WRITERS.into_iter().filter(|writers| only.is_none_or(|only| only == *writers)) {
        let mut rounds = targets.each_ref().map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for ((_, measure), rounds) in targets.iter().zip(&mut rounds) {
                rounds.push(measure(&runtime, writers, time)?);
            }
        }
        let mut of_log = None;
        for ((name, _), rounds) in targets.iter().zip(rounds) {
            let Round { rate, p50, p99 } = median(rounds);
            let multiple = *of_log.get_or_insert(rate) / rate;
            println!("| {writers} | {name} | {rate:.0} | {p50:.2?} | {p99:.2?} | {multiple:.2} |");
        }
    }
    log.close()?;
    Ok(())
}

struct Round {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

fn measuring<T: Target>(target: Arc<T>) -> Measure {
    Box::new(move |runtime, writers, time| measure(runtime, &target, writers, time))
}

fn measure<T: Target>(runtime: &Runtime, target: &Arc<T>, writers: usize, time: Duration) -> Result<Round, Failure> {
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
        Result::<_, Failure>::Ok(all)
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

/// A record, and who waits for it. A reply that is dropped tells of a failure.
type Waiting = (Vec<u8>, oneshot::Sender<()>);

async fn waited(queue: &mpsc::Sender<Waiting>, record: Vec<u8>) -> bool {
    let (reply, answer) = oneshot::channel();
    queue.send((record, reply)).await.is_ok() && answer.await.is_ok()
}

/// A baseline.
struct Raw {
    queue: mpsc::Sender<Waiting>,
}

impl Raw {
    fn start(dir: PathBuf, kept: Kept) -> std::io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let file = fill(&dir, 0)?;
        let (queue, waiting) = mpsc::channel(WAITING);
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

fn serve(dir: &Path, mut file: File, kept: Kept, mut waiting: mpsc::Receiver<Waiting>) {
    let next = |number| {
        let dir = dir.to_owned();
        std::thread::spawn(move || fill(&dir, number))
    };
    let (mut batch, mut bytes, mut offset, mut number) = (Vec::new(), Vec::new(), 0, 1);
    let mut spare = (kept == Kept::Everything).then(|| next(number));
    while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
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
        waited(&self.queue, record).await
    }
}

/// A database with one thread that appends what waits as one batch.
struct Batched {
    queue: Option<mpsc::Sender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

impl Batched {
    fn start<P: Peer>(dir: &Path) -> Result<Self, Failure> {
        let mut peer = P::open(dir)?;
        let (queue, mut waiting) = mpsc::channel::<Waiting>(WAITING);
        let thread = std::thread::spawn(move || {
            let mut batch = Vec::new();
            while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
                let appended = peer.append(batch.iter().map(|(record, _)| record.as_slice()));
                for (_, reply) in batch.drain(..) {
                    if appended.is_ok() {
                        let _ = reply.send(());
                    }
                }
            }
        });
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }
}

impl Target for Batched {
    async fn append(&self, record: Vec<u8>) -> bool {
        match &self.queue {
            Some(queue) => waited(queue, record).await,
            None => false,
        }
    }
}

impl Drop for Batched {
    fn drop(&mut self) {
        // It is closed before its folder is removed.
        drop(self.queue.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
