//! What a gateway puts in.

use super::{
    Place,
    block::{self, MAX_PAYLOAD_BYTES},
    data_keys::{DataKeyError, DataKeys, Owner},
    day::Day,
    packer::{self, Ended, PackedDay},
    removal::{self, Unit},
    turn::{Paused, Turn},
    unit,
    writer::Writer,
};
use crate::{
    Clock, Keys, LogError,
    log::{
        medium::{Disk, Medium},
        queue::{Append, Queue},
    },
    seal::SealError,
};
use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::JoinHandle,
};
use tokio::sync::oneshot;
use vocab::event::{Payload, PayloadClass};

/// A payload to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// What it is, for the record.
    pub name: &'static str,
    /// The plain text.
    pub bytes: &'a [u8],
}

/// Payloads sealed, not yet written.
#[derive(Debug)]
pub struct Kept {
    /// What the record says of them.
    pub payloads: Vec<Payload<'static>>,
    class: PayloadClass,
    frames: Vec<Vec<u8>>,
}

/// Why a payload cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// Over the limit.
    #[error("`{name}` of {bytes} bytes is longer than 2 MiB")]
    TooLong {
        /// Which.
        name: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// No data key.
    #[error(transparent)]
    Key(#[from] DataKeyError),
    /// Not sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Not written.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Keeps the payloads of one log. Its gateway alone has it open, as it has the log.
pub struct PayloadStore {
    place: Place,
    keys: DataKeys,
    clock: Clock,
    segment_bytes: u64,
    medium: Arc<dyn Medium>,
    /// For each class, once something of it is kept.
    queues: [OnceLock<Arc<Queue>>; PayloadClass::ALL.len()],
    threads: Mutex<Vec<JoinHandle<()>>>,
    turn: Turn,
    /// Units that packing left as they are, and what they took then.
    left: Mutex<HashSet<(PathBuf, u64)>>,
}

impl PayloadStore {
    /// The payloads of the log in this directory. Nothing is read or made before the first one is kept.
    #[must_use]
    pub fn new(log: &Path, keys: &Keys, clock: Clock, segment_bytes: u64) -> Self {
        let place = Place::of_log(log);
        let data_keys = keys.data_keys(log);
        Self {
            place,
            keys: data_keys,
            clock,
            segment_bytes,
            medium: Arc::new(Disk),
            queues: [const { OnceLock::new() }; PayloadClass::ALL.len()],
            threads: Mutex::default(),
            turn: Turn::default(),
            left: Mutex::default(),
        }
    }

    /// Its data keys.
    #[must_use]
    pub const fn keys(&self) -> &DataKeys {
        &self.keys
    }

    /// Seals payloads of one owner, under the key of this month. Nothing is written yet.
    ///
    /// # Errors
    /// One is too long; there is no key for them.
    pub fn seal(&self, owner: &Owner, class: PayloadClass, contents: &[Content<'_>]) -> Result<Kept, PutError> {
        if let Some(long) = contents.iter().find(|content| content.bytes.len() > MAX_PAYLOAD_BYTES) {
            return Err(PutError::TooLong { name: long.name, bytes: long.bytes.len() });
        }
        let key = self.keys.of(owner, Day::of(self.clock.now()).month())?;
        let texts: Vec<&[u8]> = contents.iter().map(|content| content.bytes).collect();
        let (block, digests) = block::seal(&key, &texts)?;
        let payload = |(content, digest): (&Content<'_>, &block::Digest)| Payload {
            bytes: content.bytes.len() as u64,
            class,
            digest: block::to_text(digest).into(),
            key: key.id().to_owned().into(),
            name: content.name.into(),
        };
        let payloads = contents.iter().zip(&digests).map(payload).collect();
        Ok(Kept { payloads, class, frames: unit::frames(&block) })
    }

    /// Writes what was sealed; resolves when it is durable.
    pub fn write(&self, kept: Kept) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let queue = self.queue(kept.class);
        async move {
            let queue = queue?;
            let (reply, answer) = oneshot::channel();
            queue.push(Append::new(kept.frames, Some(reply))?).await?;
            answer.await.unwrap_or_else(|_| Err(queue.end().unwrap_or(LogError::Closed))).map(drop)
        }
    }

    /// Writes what was sealed with the next commit, a few milliseconds later.
    pub fn write_soon(&self, kept: Kept) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let queue = self.queue(kept.class);
        async move { queue?.push(Append::new(kept.frames, None)?).await }
    }

    /// Packs what was written before today, a day of a class at a time: each payload stays what it was, in less room. Blocks
    /// until that is done or somebody wants it given up. `room` is what may be written meanwhile, for each day. `packed` hears
    /// of each day that takes less now.
    ///
    /// # Errors
    /// The file system failed, for one day at least; every day is as it was, or packed.
    pub fn pack(&self, room: u64, packed: &mut dyn FnMut(Unit, PackedDay)) -> io::Result<()> {
        let today = Day::of(self.clock.now());
        let mut failed = Ok(());
        for unit in removal::units_in(&self.place)? {
            let dir = self.place.unit(unit.class, unit.day);
            let state = (dir, unit.bytes - unit.packed);
            let is_left = self.left.lock().unwrap_or_else(PoisonError::into_inner).contains(&state);
            if unit.day >= today || is_left {
                continue;
            }
            // Being written still, or somebody wants it to wait.
            let Some(packing) = self.turn.pack(&state.0) else { continue };
            match packer::pack(&state.0, &self.keys, &packing, room) {
                Ok(Ended::Packed(day)) => packed(unit, day),
                Ok(Ended::GivenUp) => {}
                Err(error) => failed = failed.and(Err(error)),
                Ok(Ended::Left) => {
                    let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
                    left.retain(|(dir, _)| dir.exists());
                    left.insert(state);
                }
            }
        }
        failed
    }

    /// As long as what is given back is there, nothing is packed: for whoever removes files.
    #[must_use]
    pub fn pause(&self) -> Paused {
        self.turn.pause()
    }

    /// Writes what waits, and ends. Blocks until that is done.
    pub fn close(&self) {
        self.turn.end();
        for queue in self.queues.iter().filter_map(OnceLock::get) {
            queue.close();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }

    fn queue(&self, class: PayloadClass) -> Result<Arc<Queue>, LogError> {
        let place = match class {
            PayloadClass::DecisionInput => 0,
            PayloadClass::TraceText => 1,
        };
        let Some(begun) = self.queues.get(place) else { return Err(LogError::Closed) };
        Ok(Arc::clone(begun.get_or_init(|| self.begin(class))))
    }

    fn begin(&self, class: PayloadClass) -> Arc<Queue> {
        let queue = Arc::new(Queue::new());
        let writer = Writer {
            queue: Arc::clone(&queue),
            medium: Arc::clone(&self.medium),
            place: self.place.clone(),
            class,
            segment_bytes: self.segment_bytes,
            clock: self.clock.clone(),
            turn: self.turn.clone(),
            unit: None,
        };
        match std::thread::Builder::new().name("log-payload".to_owned()).spawn(move || writer.run()) {
            Ok(thread) => self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread),
            Err(error) => queue.kill(crate::log::error::reason("no thread for payloads", &error)),
        }
        queue
    }
}

impl Drop for PayloadStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for PayloadStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PayloadStore(..)")
    }
}
