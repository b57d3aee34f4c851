//! Off the way of an append: the tree, its tiles, and checkpoints.

use super::{
    checkpoints::{self, Keep},
    committer::Commit,
    derive::{Derived, Write},
    error::reason,
    keyring,
    layout::Layout,
    lock::Lock,
    options::{ARCHIVE_INTERVAL, DERIVE_EVERY, LogOptions, MIN_CHECKPOINT_SPACING},
    queue::{KillOnExit, Queue},
    rotation::Ring,
};
use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// The one thread that signs for the log.
pub(crate) struct Publisher {
    pub(crate) layout: Layout,
    pub(crate) options: LogOptions,
    pub(crate) ring: Arc<Mutex<Ring>>,
    pub(crate) derived: Derived,
    pub(crate) queue: Arc<Queue>,
    pub(crate) lock: Arc<Lock>,
    /// Size of the newest checkpoint, shown to the log's users.
    pub(crate) sealed: Arc<AtomicU64>,
    pub(crate) published: Instant,
    pub(crate) archived: Option<Instant>,
}

impl Publisher {
    /// Takes durable records until the committer ends, then publishes the last checkpoint.
    pub(crate) fn run(mut self, commits: &Receiver<Commit>) {
        // A defect in this thread must not leave appends waiting for room.
        let _guard = KillOnExit(Arc::clone(&self.queue));
        if let Err(error) = self.follow(commits) {
            self.queue.kill(reason("checkpoints or tiles cannot be written", &error));
        }
    }

    fn follow(&mut self, commits: &Receiver<Commit>) -> io::Result<()> {
        loop {
            match commits.recv_timeout(self.wait()) {
                Ok(commit) => {
                    self.take(commit)?;
                    // Whoever waits at a channel is woken for every commit. Nobody waits for the tree, so it sleeps until
                    // there is work for a while.
                    while !self.is_due()
                        && let Ok(commit) = commits.try_recv()
                    {
                        self.take(commit)?;
                    }
                    std::thread::sleep(DERIVE_EVERY);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
            }
            if self.is_due() {
                self.publish(Keep::UntilNext)?;
            }
        }
    }

    fn take(&mut self, commit: Commit) -> io::Result<()> {
        for record in commit.records {
            let index = self.derived.size();
            let changed = self.ring().take(index, &record).map_err(io::Error::other)?;
            self.derived.push(record, Write::Always)?;
            if changed {
                self.change_keys(index)?;
            }
        }
        self.queue.release(commit.bytes);
        Ok(())
    }

    /// The record at `index` changed the keys: that is kept, and sealed at once. A rotation begins with a checkpoint by both.
    fn change_keys(&mut self, index: u64) -> io::Result<()> {
        let state = self.ring().state.clone();
        keyring::keep(&self.layout, &state.history)?;
        match state.rotation {
            Some(rotation) if rotation.index == index => self.publish(Keep::Handover),
            _ => self.publish(Keep::ForGood),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsealed(&self) -> u64 {
        self.derived.size().saturating_sub(self.sealed.load(Ordering::Relaxed))
    }

    fn is_due(&self) -> bool {
        self.unsealed() > 0 && self.wait().is_zero()
    }

    /// How long until the next checkpoint.
    fn wait(&self) -> Duration {
        let due = match self.unsealed() {
            0 => return Duration::MAX,
            many if many >= self.options.checkpoint_entries => MIN_CHECKPOINT_SPACING,
            _ => self.options.checkpoint_interval,
        };
        due.min(self.options.checkpoint_interval).saturating_sub(self.published.elapsed())
    }

    fn publish(&mut self, keep: Keep) -> io::Result<()> {
        // A directory in the place of ours belongs to somebody else's log.
        if !self.lock.in_place()? {
            return Err(io::Error::other("the log's directory was removed or replaced"));
        }
        let old = self.archived.is_none_or(|archived| archived.elapsed() >= ARCHIVE_INTERVAL);
        let keep = if old && keep == Keep::UntilNext { Keep::ForGood } else { keep };
        self.derived.write_partial(Write::Always)?;
        let (size, root) = (self.derived.size(), self.derived.root()?);
        let ring = self.ring();
        let signers = ring.signing(size, keep == Keep::Handover).map_err(io::Error::other)?;
        checkpoints::publish(&self.layout, &signers, size, root, keep)?;
        drop(ring);
        self.sealed.store(self.derived.size(), Ordering::Release);
        self.published = Instant::now();
        if keep != Keep::UntilNext {
            self.archived = Some(self.published);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let archived = self.layout.archived(self.derived.size()).try_exists()?;
        if self.unsealed() > 0 || !archived { self.publish(Keep::ForGood) } else { Ok(()) }
    }
}
