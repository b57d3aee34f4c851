//! The open log.

use super::{
    checkpoints::{self, Keep},
    committer::Committer,
    derive::Derived,
    error::{LogError, OpenError, RotateError},
    identity, keyring,
    layout::Layout,
    lock::{Lock, LockError},
    medium::{Disk, Medium},
    options::{FIRST_SEGMENT_BYTES, LogOptions},
    pace::Pace,
    publisher::Publisher,
    queue::{Append, Queue},
    recovery::{Recovered, Recovery, recover},
    rotation::{Ring, Rotation, Signers},
    scan::Tail,
    segment::{Position, SegmentWriter},
};
use crate::atomic;
use proof::{KeyHistory, Signer};
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
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A log open for appending. Exactly one in the system at a time has a given directory open.
///
/// Two threads serve it: one commits, one derives tiles and signs checkpoints. Dropping it closes it.
pub struct Log {
    queue: Arc<Queue>,
    durable: Arc<AtomicU64>,
    sealed: Arc<AtomicU64>,
    ring: Arc<Mutex<Ring>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How often it is looked whether the checkpoint over a changed key is there.
const SEALED_LOOK: Duration = Duration::from_millis(2);

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
        signers: impl Into<Signers>,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(Self, Recovery), OpenError> {
        Self::open_on(Arc::new(Disk), dir, options, signers, visit)
    }

    pub(crate) fn open_on(
        medium: Arc<dyn Medium>,
        dir: &Path,
        options: &LogOptions,
        signers: impl Into<Signers>,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(Self, Recovery), OpenError> {
        let signers = signers.into();
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
        let (recovered, named, filled) = std::thread::scope(|scope| {
            let filling = is_new.then(|| std::thread::Builder::new().spawn_scoped(scope, fill_first).ok()).flatten();
            let name = || atomic::sync_ancestors(dir);
            let naming = is_new.then(|| std::thread::Builder::new().spawn_scoped(scope, name).ok()).flatten();
            let claimed = identity::claim(&layout, &options.origin, &signers);
            let recovered = claimed.and_then(|first| recover(&layout, &first, visit));
            let named = if is_new { naming.map_or_else(name, ended) } else { Ok(()) };
            (recovered, named, filling.map(ended))
        });
        named.map_err(|error| io_error(dir.to_owned(), error))?;
        let Recovered { recovery, mut derived, end, keys, handover } = recovered?;
        let ring = Ring::new(keys, signers);
        check_present(&ring)?;
        let segment = end.segment.unwrap_or_default();
        if let Tail::Torn(bytes) | Tail::Cut(bytes) = end.tail {
            // A commit that was never finished goes before anything is written in its place.
            let torn = medium.open(&layout.segment(segment));
            torn.and_then(|mut file| file.erase(bytes, end.offset)).map_err(segments_failed)?;
        }
        if ring.state.history.spans().len() > 1 {
            let kept = keyring::keep_if_other(&layout, &ring.state.history);
            kept.map_err(|error| io_error(layout.keys(), error))?;
        }
        let publish = |size, root, keep| {
            let signing = ring.signing(size, keep == Keep::Handover).map_err(io::Error::other);
            let published = signing.and_then(|signers| checkpoints::publish(&layout, &signers, size, root, keep));
            published.map_err(|error| io_error(layout.checkpoint(), error))
        };
        let mut sealed = recovery.sealed;
        if let Some((size, root)) = handover {
            publish(size, root, Keep::Handover)?;
            sealed = size;
        }
        let mut begin: Vec<Box<dyn FnOnce() -> Result<(), OpenError> + Send + '_>> = Vec::new();
        if end.segment.is_none() {
            begin.push(Box::new(|| {
                let filled = filled.unwrap_or_else(fill_first);
                let named = filled.and_then(|()| medium.name(&layout.spare(), &layout.segment(0)));
                named.map_err(segments_failed)
            }));
        }
        if !layout.checkpoint().try_exists().map_err(|error| io_error(layout.checkpoint(), error))? {
            let root = derived.root().map_err(|error| io_error(layout.checkpoint(), error))?;
            let size = derived.size();
            let publish = &publish;
            begin.push(Box::new(move || publish(size, root, Keep::UntilNext)));
        }
        // A new log has neither a segment nor a checkpoint, and neither needs the other.
        atomic::at_once(begin).into_iter().collect::<Result<(), _>>()?;
        let at = Position { segment, offset: end.offset, next: end.size, epoch: recovery.epoch };
        let writer =
            SegmentWriter::open(layout.clone(), medium, options.segment_bytes, &at).map_err(segments_failed)?;
        let log = Self::start(layout, options, ring, Arc::new(lock), writer, derived, sealed)
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

    /// The log's keys, as its newest sealed records say.
    #[must_use]
    pub fn keys(&self) -> KeyHistory {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).state.history.clone()
    }

    /// The rotation of the log's key that is under way.
    #[must_use]
    pub fn rotation(&self) -> Option<Rotation> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).state.rotation.clone()
    }

    /// Appends a record that begins a rotation to this key, as [`begin_rotation`](super::begin_rotation) makes it. Resolves
    /// with its index when a checkpoint by both keys is over it. One at a time.
    ///
    /// # Errors
    /// The record does not begin one now; the log has failed.
    pub fn rotate(&self, next: Signer, record: Vec<u8>) -> impl Future<Output = Result<u64, RotateError>> + Send {
        let fit = self.fits(&record).map(|()| {
            self.ring.lock().unwrap_or_else(PoisonError::into_inner).add(next);
        });
        async move {
            fit?;
            Ok(self.append_sealed(record).await?)
        }
    }

    /// Appends the record that ends the rotation under way, as [`end_rotation`](super::end_rotation) makes it. Resolves when
    /// a checkpoint by the new key alone is over it: then the old key is of no use to the log.
    ///
    /// # Errors
    /// There is no rotation; the log has failed.
    pub fn end_rotation(&self, record: Vec<u8>) -> impl Future<Output = Result<u64, RotateError>> + Send {
        let fit = self.fits(&record);
        async move {
            fit?;
            Ok(self.append_sealed(record).await?)
        }
    }

    fn fits(&self, record: &[u8]) -> Result<(), RotateError> {
        let mut state = self.ring.lock().unwrap_or_else(PoisonError::into_inner).state.clone();
        match state.take(self.size(), record) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RotateError::Unfit("the record is not about it".to_owned())),
            Err(reason) => Err(RotateError::Unfit(reason)),
        }
    }

    /// Appends a record. Resolves with its index when a signed checkpoint is over it.
    ///
    /// # Errors
    /// The log has failed.
    pub async fn append_sealed(&self, record: Vec<u8>) -> Result<u64, LogError> {
        let appended = self.append(vec![record]).await?;
        while self.sealed() < appended.end {
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            tokio::time::sleep(SEALED_LOOK).await;
        }
        Ok(appended.start)
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
        ring: Ring,
        lock: Arc<Lock>,
        writer: SegmentWriter,
        derived: Derived,
        sealed: u64,
    ) -> io::Result<Self> {
        let log = Self {
            queue: Arc::new(Queue::new()),
            durable: Arc::new(AtomicU64::new(derived.size())),
            sealed: Arc::new(AtomicU64::new(sealed)),
            ring: Arc::new(Mutex::new(ring)),
            threads: Mutex::new(Vec::new()),
        };
        let (commits, durable_commits) = mpsc::channel();
        let publisher = Publisher {
            layout,
            options: options.clone(),
            ring: Arc::clone(&log.ring),
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

/// Whether the key that has to sign from here on is at hand.
fn check_present(ring: &Ring) -> Result<(), OpenError> {
    let present = ring.state.history.present().map(proof::Verifier::to_vkey).unwrap_or_default();
    let at_hand: Vec<String> = ring.at_hand();
    if at_hand.contains(&present) {
        return Ok(());
    }
    Err(OpenError::Key { found: at_hand.join("`, `"), expected: present })
}

/// What a thread did that was to wait for the disk.
fn ended(thread: std::thread::ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
}

fn io_error(path: PathBuf, source: io::Error) -> OpenError {
    OpenError::Io { path, source }
}
