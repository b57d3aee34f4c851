//! Closed days, packed: the payloads of each data key together, compressed, in place of the blocks they were written in.
//!
//! Reads a unit once, from its first block to its last, and holds a window of texts, within [`LIMITS`]: what is under one key is sealed as
//! soon as a block of it is full, and when the window is, the fullest goes. What does not open under its key is taken over as
//! it is, so that everything a verifier says of it stays so. A unit with a place that cannot be read stays as it was.

use super::{
    block::{self, Block, Opened},
    blocks::Blocks,
    data_keys::{DataKey, DataKeys},
    packed::{FULL, Pile},
    parts::{self, Part},
    turn::Packing,
    unit,
};
use crate::{
    atomic,
    log::{
        frame::{Frame, HEADER_BYTES},
        layout::Layout,
    },
};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What packing takes at most.
#[derive(Clone, Copy)]
struct Limits {
    /// Bytes of texts in memory.
    window: usize,
    /// Data keys in memory: of those whose payloads are in the window.
    keys: usize,
    /// A segment of what is packed is full with so many bytes.
    segment_bytes: u64,
}

/// Full blocks of 64 persons, and segments as the log's.
const LIMITS: Limits = Limits { window: 64 * FULL, keys: 1_024, segment_bytes: 64 * 1024 * 1024 };
/// A unit with less is left as it is: what it would save is no block of the disk for each of its files.
pub(super) const MIN_BYTES: u64 = 64 * 1024;
/// What was written is made durable in steps of this size: a commit of the log never waits for more.
const STEP_BYTES: u64 = 1024 * 1024;
/// Bytes read in a second, so that calls have the disk and the processor: a day of 10 GiB takes eleven minutes.
const RATE: u64 = 16 * 1024 * 1024;
/// Nobody waits longer for packing to be given up.
const NAP: Duration = Duration::from_millis(20);

/// A day that was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedDay {
    /// Bytes it took.
    pub before: u64,
    /// Bytes it takes.
    pub after: u64,
}

/// What became of a unit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is packed.
    Packed(PackedDay),
    /// There is nothing to be packed, or nothing to be saved by it, or it cannot be read to its end.
    Left,
    /// Somebody else wanted it, or there is no room; later, perhaps.
    GivenUp,
}

/// Packs the unit in this directory. No more than `room` bytes are written.
pub(super) fn pack(unit: &Path, keys: &DataKeys, packing: &Packing, room: u64) -> io::Result<Ended> {
    pack_within(LIMITS, unit, keys, packing, room)
}

fn pack_within(limits: Limits, unit: &Path, keys: &DataKeys, packing: &Packing, room: u64) -> io::Result<Ended> {
    parts::settle(unit)?;
    let layout = Part::WRITTEN.layout(unit);
    let segments = layout.segments()?;
    let (packed, all) = parts::bytes_of(unit)?;
    let before = all - packed;
    if before < MIN_BYTES {
        return Ok(Ended::Left);
    }
    let mut packer = Packer {
        keys,
        packing,
        out: Out::begin(&parts::unfinished(unit), limits.segment_bytes)?,
        limits,
        piles: HashMap::new(),
        held: 0,
        room,
        pace: Pace { began: Instant::now(), read: 0 },
    };
    let ended = packer.run(unit, before).and_then(|ended| match ended {
        None => put(unit, &segments, packing, before, packer.out.written),
        Some(ended) => Ok(ended),
    });
    if !matches!(ended, Ok(Ended::Packed(_))) {
        parts::discard(unit)?;
    }
    ended
}

fn put(unit: &Path, segments: &[u64], packing: &Packing, before: u64, after: u64) -> io::Result<Ended> {
    let done = packing.finish(|| {
        parts::put(unit, segments)?;
        parts::settle(unit)
    });
    done.map_or(Ok(Ended::GivenUp), |done| done.map(|()| Ended::Packed(PackedDay { before, after })))
}

struct Packer<'a> {
    keys: &'a DataKeys,
    packing: &'a Packing,
    limits: Limits,
    out: Out,
    /// By the key's id.
    piles: HashMap<String, (DataKey, Pile)>,
    /// Bytes in these.
    held: usize,
    room: u64,
    pace: Pace,
}

impl Packer<'_> {
    /// Why it ended early, if it did.
    fn run(&mut self, unit: &Path, before: u64) -> io::Result<Option<Ended>> {
        let mut blocks = Blocks::as_written(unit)?;
        while let Some((_, block)) = blocks.next()? {
            if !self.pace.wait(block.len() as u64, || self.packing.is_unwanted()) || self.out.written > self.room {
                return Ok(Some(Ended::GivenUp));
            }
            self.take(block)?;
        }
        if blocks.damaged().is_some() {
            return Ok(Some(Ended::Left));
        }
        let left: Vec<String> = self.piles.keys().cloned().collect();
        for key in left {
            self.flush(&key, false)?;
        }
        self.out.finish()?;
        if self.out.written > self.room {
            return Ok(Some(Ended::GivenUp));
        }
        // A tenth is the least that is worth it.
        Ok((self.out.written > before - before / 10).then_some(Ended::Left))
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let block = block::parse(bytes);
        let Some((id, opened)) = block.and_then(|block| self.opened(&block).map(|opened| (block.key, opened))) else {
            return self.out.block(bytes);
        };
        for place in 0..opened.count() {
            let (Some((salt, text)), Some((_, pile))) = (opened.at(place), self.piles.get_mut(&id)) else { continue };
            self.held -= pile.memory();
            pile.add(salt, text);
            self.held += pile.memory();
            if pile.is_full() {
                self.flush(&id, true)?;
            }
        }
        while self.held > self.limits.window || self.piles.len() > self.limits.keys {
            let fullest = self.piles.iter().max_by_key(|(_, (_, pile))| pile.memory()).map(|(id, _)| id.clone());
            let Some(fullest) = fullest else { break };
            self.flush(&fullest, false)?;
        }
        Ok(())
    }

    /// A block whose payloads are all what its head says, with a pile for them. `None` where its key is not there or does not
    /// open it, or it says something else: then it is not touched.
    fn opened(&mut self, block: &Block<'_>) -> Option<Opened> {
        if let Some((key, _)) = self.piles.get(&block.key) {
            return block.open(key).ok().filter(|opened| block.is_as_said(opened));
        }
        let key = self.keys.with_id(&block.key).ok()??;
        let opened = block.open(&key).ok().filter(|opened| block.is_as_said(opened))?;
        self.piles.insert(block.key.clone(), (key, Pile::default()));
        Some(opened)
    }

    /// Writes the block of a key. What is `going_on` gets an empty one.
    fn flush(&mut self, id: &str, going_on: bool) -> io::Result<()> {
        let Some((key, pile)) = self.piles.remove(id) else { return Ok(()) };
        self.held -= pile.memory();
        if pile.memory() > 0 {
            let block = pile.seal(&key).map_err(io::Error::other)?;
            if !pile.is_in(&block, &key) {
                return Err(io::Error::other("a block does not give back what was put in"));
            }
            self.out.block(&block)?;
        }
        if going_on {
            self.piles.insert(id.to_owned(), (key, Pile::default()));
        }
        Ok(())
    }
}

/// Segments being written.
struct Out {
    layout: Layout,
    /// A segment is full with so many.
    segment_bytes: u64,
    file: Option<(PathBuf, File)>,
    /// Bytes in this segment.
    length: u64,
    /// Of these, not durable yet.
    waiting: u64,
    /// Bytes in all of them.
    written: u64,
    next: u64,
}

impl Out {
    fn begin(dir: &Path, segment_bytes: u64) -> io::Result<Self> {
        let layout = Layout::new(dir);
        atomic::create_dir(&layout.segment_dir())?;
        Ok(Self { layout, segment_bytes, file: None, length: 0, waiting: 0, written: 0, next: 0 })
    }

    fn block(&mut self, block: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(block.len() + HEADER_BYTES);
        let first = self.next;
        for frame in unit::frames(block) {
            Frame { place: 0, index: self.next, epoch: 1, bytes: &frame }.encode(&mut bytes);
            self.next += 1;
        }
        if self.length >= self.segment_bytes {
            self.finish()?;
        }
        let (path, file) = match &mut self.file {
            Some(open) => open,
            None => {
                let path = self.layout.segment(first);
                let file = atomic::create(&path)?;
                self.file.insert((path, file))
            }
        };
        atomic::step(path)?;
        file.write_all(&bytes)?;
        let length = bytes.len() as u64;
        (self.length, self.waiting, self.written) =
            (self.length + length, self.waiting + length, self.written + length);
        if self.waiting >= STEP_BYTES {
            file.sync_data()?;
            atomic::is_synced(path)?;
            self.waiting = 0;
        }
        Ok(())
    }

    /// Makes the segment durable, with its name.
    fn finish(&mut self) -> io::Result<()> {
        let Some((path, file)) = self.file.take() else { return Ok(()) };
        atomic::sync(&file, &path)?;
        (self.length, self.waiting) = (0, 0);
        atomic::sync_parent(&path)
    }
}

/// Keeps to [`RATE`].
struct Pace {
    began: Instant,
    read: u64,
}

impl Pace {
    /// Waits until so many bytes more may have been read; false when it is given up.
    fn wait(&mut self, bytes: u64, is_unwanted: impl Fn() -> bool) -> bool {
        self.read += bytes;
        let due = Duration::from_micros(self.read.saturating_mul(1_000_000) / RATE);
        loop {
            if is_unwanted() {
                return false;
            }
            // Shorter naps would be many.
            if due.saturating_sub(self.began.elapsed()) < NAP {
                return true;
            }
            std::thread::sleep(NAP);
        }
    }
}

#[cfg(test)]
mod tests;
