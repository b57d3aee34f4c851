//! The tree, grown on a thread of its own while the records are read: hashing the leaves is half of verifying a log, and
//! nothing in reading the next records waits for it.
//!
//! The tree is behind the reader, never ahead. So what it finds stands before whatever the reader found meanwhile, and the
//! verdict is that of one thread which does both.

use super::{Fault, Place, tiles::Tiles};
use crate::log::checkpoints::Stored;
use proof::Hash;
use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Builder, Scope, ScopedJoinHandle},
};

/// Bytes of records that are handed over at once.
const BATCH_BYTES: usize = 128 * 1024;
/// Batches under way: enough that neither thread waits for a few slow records of the other.
const BATCHES: usize = 4;

/// The reader's side.
pub(super) struct Growing<'scope, 'a> {
    batch: Batch,
    batches: SyncSender<Batch>,
    /// Batches that were taken, for the next records.
    empty: Receiver<Batch>,
    thread: ScopedJoinHandle<'scope, Result<Tiles<'a>, Stopped>>,
}

/// The tree has ended early.
pub(super) struct Ended;

/// What stopped the tree.
pub(super) struct Stopped {
    pub(super) fault: Fault,
    /// Records it is over.
    pub(super) records: u64,
}

/// Records one behind the other.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

/// The root that a checkpoint says, and its file.
struct Sealed {
    size: u64,
    root: Hash,
    path: PathBuf,
}

/// The tree's side.
struct Tree<'a> {
    tiles: Tiles<'a>,
    sealed: VecDeque<Sealed>,
    /// Records before the first that is read.
    first: u64,
    records: u64,
}

impl<'scope, 'a: 'scope> Growing<'scope, 'a> {
    /// Starts growing `tiles`, the tree over `first` records, and comparing it with the checkpoints over as many records
    /// or more, which are in the order of their sizes.
    pub(super) fn start<'e>(
        scope: &'scope Scope<'scope, 'e>,
        tiles: Tiles<'a>,
        first: u64,
        checkpoints: &VecDeque<Stored>,
    ) -> io::Result<Self> {
        let sealed = checkpoints.iter().map(|stored| Sealed {
            size: stored.checkpoint.size(),
            root: *stored.checkpoint.root(),
            path: stored.path.clone(),
        });
        let tree = Tree { tiles, sealed: sealed.collect(), first, records: 0 };
        let (batches, full) = sync_channel(BATCHES);
        let (emptied, empty) = sync_channel(BATCHES);
        let thread = Builder::new().name("verify-tree".to_owned());
        let thread = thread.spawn_scoped(scope, move || tree.run(&full, &emptied))?;
        Ok(Self { batch: Batch::default(), batches, empty, thread })
    }
}

impl<'a> Growing<'_, 'a> {
    /// Takes the next record.
    pub(super) fn push(&mut self, record: &[u8]) -> Result<(), Ended> {
        self.batch.bytes.extend_from_slice(record);
        self.batch.ends.push(self.batch.bytes.len());
        if self.batch.bytes.len() >= BATCH_BYTES { self.hand_over() } else { Ok(()) }
    }

    /// The tree over all records, compared with all checkpoints up to there.
    pub(super) fn finish(mut self) -> Result<Tiles<'a>, Stopped> {
        // A tree that has ended says why.
        let _ = self.hand_over();
        drop(self.batches);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn hand_over(&mut self) -> Result<(), Ended> {
        let next = self.empty.try_recv().unwrap_or_default();
        self.batches.send(std::mem::replace(&mut self.batch, next)).map_err(|_| Ended)
    }
}

impl<'a> Tree<'a> {
    fn run(mut self, batches: &Receiver<Batch>, emptied: &SyncSender<Batch>) -> Result<Tiles<'a>, Stopped> {
        match self.grow(batches, emptied) {
            Ok(()) => Ok(self.tiles),
            Err(fault) => Err(Stopped { fault, records: self.records }),
        }
    }

    fn grow(&mut self, batches: &Receiver<Batch>, emptied: &SyncSender<Batch>) -> Result<(), Fault> {
        self.check_roots()?;
        for mut batch in batches {
            let mut start = 0;
            for end in batch.ends.drain(..) {
                self.tiles.push(batch.bytes.get(start..end).unwrap_or_default())?;
                self.records += 1;
                self.check_roots()?;
                start = end;
            }
            batch.bytes.clear();
            // One too many is given free here.
            let _ = emptied.try_send(batch);
        }
        Ok(())
    }

    /// Compares the tree with the checkpoints of its size.
    fn check_roots(&mut self) -> Result<(), Fault> {
        let size = self.first.saturating_add(self.records);
        while let Some(sealed) = self.sealed.pop_front_if(|sealed| sealed.size == size) {
            if sealed.root != self.tiles.root()? {
                return Err(Fault::altered(Place::File(sealed.path), "the records before it are not those it is over"));
            }
        }
        Ok(())
    }
}
