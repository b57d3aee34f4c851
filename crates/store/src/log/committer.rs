//! The one thread that writes records: group commit.

use super::{
    error::LogError,
    lock::Lock,
    manners,
    options::LOOK_EVERY,
    queue::{Append, KillOnExit, Queue},
    segment::SegmentWriter,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
    time::Instant,
};

/// Takes what waits, writes it at once, flushes once, answers.
pub(crate) struct Committer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) writer: SegmentWriter,
    pub(crate) lock: Arc<Lock>,
    /// When the files were last found in their places.
    pub(crate) looked: Option<Instant>,
    /// Number of durable records, shown to the log's users.
    pub(crate) durable: Arc<AtomicU64>,
    /// Durable records, for tiles and checkpoints. Bounded by the room of the queue, which the publisher gives back: a
    /// log that cannot be sealed in time takes no more.
    pub(crate) commits: Sender<Commit>,
}

/// Durable records of one commit.
pub(crate) struct Commit {
    pub(crate) records: Vec<Vec<u8>>,
    /// What they take of the queue's room.
    pub(crate) bytes: usize,
}

impl Committer {
    /// Runs until the queue ends.
    pub(crate) fn run(mut self) {
        // A defect in this thread must not leave callers waiting, nor let them believe.
        let _guard = KillOnExit(Arc::clone(&self.queue));
        manners::interrupt_nobody();
        while let Some(mut appends) = self.queue.take() {
            let start = self.writer.next_index();
            if let Err(reason) = self.commit(&appends) {
                self.queue.kill(Arc::clone(&reason));
                for append in &mut appends {
                    append.answer(Err(LogError::Dead(Arc::clone(&reason))));
                }
                return;
            }
            self.durable.store(self.writer.next_index(), Ordering::Release);
            let mut next = start;
            for append in &mut appends {
                let first = next;
                next += append.records.len() as u64;
                append.answer(Ok(first..next));
            }
            let bytes = appends.iter().map(Append::bytes).sum();
            // Given room at once: this thread would meet the publisher, which frees what it takes, at every growth.
            let mut records = Vec::with_capacity(appends.iter().map(|append| append.records.len()).sum());
            records.extend(appends.into_iter().flat_map(|append| append.records));
            // Without a publisher the queue is dead already.
            let _ = self.commits.send(Commit { records, bytes });
            self.writer.prepare();
        }
    }

    fn commit(&mut self, appends: &[Append]) -> Result<(), Arc<str>> {
        for record in appends.iter().flat_map(|append| &append.records) {
            self.writer.add(record)?;
        }
        self.writer.commit()?;
        self.look()
    }

    /// A log that was removed or replaced is written by nobody who knows.
    fn look(&mut self) -> Result<(), Arc<str>> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.writer.in_place()?;
        match self.lock.in_place() {
            Ok(true) => {
                self.looked = Some(Instant::now());
                Ok(())
            }
            Ok(false) => Err("the log's lock was removed or replaced".into()),
            Err(error) => Err(super::error::reason("the log's lock cannot be examined", &error)),
        }
    }
}
