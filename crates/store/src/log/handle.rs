//! The open log.

use super::{
    checkpoints::{self, Keep},
    committer::Committer,
    derive::Derived,
    error::{LogError, OpenError},
    identity,
    layout::Layout,
    lock::{Lock, LockError},
    medium::{Disk, Medium},
    options::{FIRST_SEGMENT_BYTES, LogOptions},
    pace::Pace,
    publisher::Publisher,
    queue::{Append, Queue},
    recovery::{Recovered, Recovery, recover},
    scan::Tail,
    segment::{Position, SegmentWriter},
};
use crate::atomic;
use proof::Signer;
use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Instant,
};
use tokio::sync::oneshot;

/// A log open for appending. Exactly one in the system at a time has a given directory open.
///
/// Two threads serve it: one commits, one derives tiles and signs checkpoints. Dropping it closes it.
pub struct Log {
    queue: Arc<Queue>,
    durable: Arc<AtomicU64>,
    sealed: Arc<AtomicU64>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Log {
    /// Opens the log in `dir`, or begins one there. Blocks: every record is read, and its place and checksum are checked;
    /// the hashes of the newest ones are checked against the newest checkpoint, those of all by [`verify`](crate::verify()).
    ///
    /// `visit` sees every record with its index, so that the caller rebuilds its state in the same pass. On an error
    /// what it saw must be thrown away.
    ///
    /// # Errors
    /// Another process has it open; it is another log; records are missing or altered; the file system fails.
    pub fn open(
        dir: &Path,
        options: &LogOptions,
        signer: Signer,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(Self, Recovery), OpenError> {
        Self::open_on(Arc::new(Disk), dir, options, signer, visit)
    }

    pub(crate) fn open_on(
        medium: Arc<dyn Medium>,
        dir: &Path,
        options: &LogOptions,
        signer: Signer,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(Self, Recovery), OpenError> {
        options.check()?;
        let layout = Layout::new(dir);
        for dir in [dir.to_owned(), layout.segment_dir(), layout.tile_dir(), layout.archive()] {
            atomic::create_dir(&dir).map_err(|error| io_error(dir, error))?;
        }
        let lock = Lock::take(&layout.lock()).map_err(|error| match error {
            LockError::Held(pid) => OpenError::Locked { pid },
            LockError::Io(error) => io_error(layout.lock(), error),
        })?;
        let segments_failed = |error| io_error(layout.segment_dir(), error);
        let fill_first = || medium.fill(&layout.spare(), options.segment_bytes.min(FIRST_SEGMENT_BYTES), &Pace::free());
        // A new log waits for the disk for its names and for its first segment: for both at once.
        let is_new = !layout.origin().try_exists().map_err(|error| io_error(layout.origin(), error))?;
        let (recovered, filled) = std::thread::scope(|scope| {
            let filling = is_new.then(|| std::thread::Builder::new().spawn_scoped(scope, fill_first).ok()).flatten();
            let claimed = identity::claim(&layout, &options.origin, &signer);
            let recovered = claimed.and_then(|()| recover(&layout, &signer.verifier(), visit));
            (
                recovered,
                filling.map(|filling| filling.join().unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))),
            )
        });
        let Recovered { recovery, mut derived, end } = recovered?;
        let segment = match end.segment {
            Some(first) => first,
            None => {
                filled.unwrap_or_else(fill_first).map_err(segments_failed)?;
                medium.name(&layout.spare(), &layout.segment(0)).map_err(segments_failed)?;
                0
            }
        };
        if let Tail::Torn(bytes) = end.tail {
            // A commit that was never finished goes before anything is written in its place.
            let torn = medium.open(&layout.segment(segment));
            torn.and_then(|mut file| file.erase(bytes, end.offset)).map_err(segments_failed)?;
        }
        if !layout.checkpoint().try_exists().map_err(|error| io_error(layout.checkpoint(), error))? {
            derived
                .root()
                .and_then(|root| checkpoints::publish(&layout, &signer, derived.size(), root, Keep::UntilNext))
                .map_err(|error| io_error(layout.checkpoint(), error))?;
        }
        let at = Position { segment, offset: end.offset, next: end.size, epoch: recovery.epoch };
        let writer =
            SegmentWriter::open(layout.clone(), medium, options.segment_bytes, &at).map_err(segments_failed)?;
        let log = Self::start(layout, options, signer, Arc::new(lock), writer, derived, recovery.sealed)
            .map_err(|error| io_error(dir.to_owned(), error))?;
        Ok((log, recovery))
    }

    /// Appends records, one after the other, with nothing in between. Resolves when they are durable.
    ///
    /// Appends enter the log in the order in which their futures are first polled. A future that is dropped after that
    /// may or may not have appended.
    pub fn append(&self, records: Vec<Vec<u8>>) -> impl Future<Output = Result<Range<u64>, LogError>> + Send + use<> {
        let queue = Arc::clone(&self.queue);
        async move {
            let (reply, answer) = oneshot::channel();
            queue.push(Append::new(records, Some(reply))?).await?;
            // The committer answers every append it takes, unless its thread is gone.
            answer.await.unwrap_or_else(|_| Err(queue.end().unwrap_or(LogError::Closed)))
        }
    }

    /// Appends records that ride on the next commit, at most [`LAZY_WAIT`](super::LAZY_WAIT) later. Resolves when they
    /// have their place in the log: whatever is appended afterwards comes after them, and is not durable before they
    /// are.
    pub fn append_lazy(&self, records: Vec<Vec<u8>>) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let queue = Arc::clone(&self.queue);
        async move { queue.push(Append::new(records, None)?).await }
    }

    /// Resolves when everything appended before is durable.
    pub fn flush(&self) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let nothing = self.append(Vec::new());
        async move { nothing.await.map(|_| ()) }
    }

    /// Number of durable records.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Number of records under the newest checkpoint.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.sealed.load(Ordering::Acquire)
    }

    /// Why nothing can be appended any more.
    #[must_use]
    pub fn failure(&self) -> Option<LogError> {
        self.queue.end()
    }

    /// Lets nothing be appended any more, for this reason: what the log says is contradicted from outside.
    pub fn condemn(&self, reason: &str) {
        self.queue.kill(reason.into());
    }

    /// Commits what waits, publishes the last checkpoint and gives the log free. Blocks until that is done.
    ///
    /// # Errors
    /// The log had failed, or fails now.
    pub fn close(&self) -> Result<(), LogError> {
        self.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                self.queue.kill("a thread of the log ended early".into());
            }
        }
        match self.queue.end() {
            Some(dead @ LogError::Dead(_)) => Err(dead),
            _ => Ok(()),
        }
    }

    fn start(
        layout: Layout,
        options: &LogOptions,
        signer: Signer,
        lock: Arc<Lock>,
        writer: SegmentWriter,
        derived: Derived,
        sealed: u64,
    ) -> io::Result<Self> {
        let log = Self {
            queue: Arc::new(Queue::new()),
            durable: Arc::new(AtomicU64::new(derived.size())),
            sealed: Arc::new(AtomicU64::new(sealed)),
            threads: Mutex::new(Vec::new()),
        };
        let (commits, durable_commits) = mpsc::channel();
        let publisher = Publisher {
            layout,
            options: options.clone(),
            signer,
            derived,
            queue: Arc::clone(&log.queue),
            lock: Arc::clone(&lock),
            sealed: Arc::clone(&log.sealed),
            published: Instant::now(),
            archived: None,
        };
        let committer = Committer {
            queue: Arc::clone(&log.queue),
            writer,
            lock,
            looked: None,
            durable: Arc::clone(&log.durable),
            commits,
        };
        let threads = [
            std::thread::Builder::new().name("log-commit".to_owned()).spawn(move || committer.run())?,
            std::thread::Builder::new()
                .name("log-publish".to_owned())
                .spawn(move || publisher.run(&durable_commits))?,
        ];
        log.threads.lock().unwrap_or_else(PoisonError::into_inner).extend(threads);
        Ok(log)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "log closed");
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log({} records, {} sealed)", self.size(), self.sealed())
    }
}

fn io_error(path: PathBuf, source: io::Error) -> OpenError {
    OpenError::Io { path, source }
}
