//! Reading the frames of one segment in order.

use super::frame::{self, Frame, HEADER_BYTES, Parsed};
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};
use vocab::Event;

/// Bytes read at once.
const READ_CHUNK: usize = 64 * 1024;
static ZEROS: [u8; READ_CHUNK] = [0; READ_CHUNK];

/// A position in a segment.
pub(crate) struct SegmentScan {
    file: File,
    /// Bytes of the file from `offset - start` on.
    buffer: Vec<u8>,
    /// Bytes of `buffer` already consumed.
    start: usize,
    /// Where in the file the next frame begins.
    offset: u64,
    /// Index the next frame must have.
    next: u64,
    /// Place of the frame before, within its commit.
    place: Option<u16>,
    /// Epoch of the frame before, or of the segment before.
    epoch: u32,
}

/// A position that can be gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Where in the file the next frame begins.
    pub(crate) offset: u64,
    /// Index the next frame must have.
    pub(crate) next: u64,
    /// Place of the frame before, within its commit.
    pub(crate) place: Option<u16>,
    /// Epoch of the frame before, or of the segment before.
    pub(crate) epoch: u32,
}

/// What is found at the position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// The next record; the position moved behind it.
    Record(Frame<'a>),
    /// Nothing written here; the position stays.
    End,
    /// Something else than the next record; the position stays.
    Bad,
}

/// What lies behind the last record of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Zeros.
    Clean,
    /// Part of one commit that was never finished, or noise: this many bytes.
    Torn(u64),
    /// The same, of which no more is there than the beginning of one record: what stood behind it is gone, or never was.
    Cut(u64),
    /// Records of a commit that began later. A commit begins when the one before it is durable, so what is missing in
    /// between had been there.
    Altered,
}

impl SegmentScan {
    /// A position at the start of the segment whose first record is `first`, written in `epoch` or later.
    pub(crate) fn open(path: &Path, first: u64, epoch: u32) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self { file, buffer: Vec::new(), start: 0, offset: 0, next: first, place: None, epoch })
    }

    /// Goes on at the next whole frame behind what is none; false where there is none. Reads the rest of the segment.
    pub(crate) fn resume(&mut self) -> io::Result<bool> {
        let rest = self.rest()?;
        for at in 1..rest.len() {
            let Some(bytes) = rest.get(at..).filter(|bytes| bytes.starts_with(&frame::MAGIC)) else { continue };
            if let Parsed::Frame(frame) = frame::parse(bytes) {
                (self.next, self.epoch) = (frame.index, frame.epoch);
                self.place = frame.place.checked_sub(1);
                self.offset += at as u64;
                (self.buffer, self.start) = (Vec::new(), 0);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The position of that mark in the segment it was made in. It need not be one any more: then the next step says so.
    pub(crate) fn open_at(path: &Path, mark: Mark) -> io::Result<Self> {
        let Mark { offset, next, place, epoch } = mark;
        Ok(Self { file: File::open(path)?, buffer: Vec::new(), start: 0, offset, next, place, epoch })
    }

    /// The present position.
    pub(crate) fn mark(&self) -> Mark {
        Mark { offset: self.offset, next: self.next, place: self.place, epoch: self.epoch }
    }

    /// Index of the next record.
    pub(crate) fn next_index(&self) -> u64 {
        self.next
    }

    /// Epoch of the last record.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Where in the file the next record begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next record.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        self.ensure(HEADER_BYTES)?;
        if let Some(length) = frame::claimed_length(self.window()) {
            self.ensure(HEADER_BYTES + length)?;
        }
        let (size, place, index, epoch) = match frame::parse(self.window()) {
            Parsed::Empty => return Ok(Step::End),
            Parsed::Frame(frame) if self.follows(&frame) => (frame.size(), frame.place, frame.index, frame.epoch),
            Parsed::Frame(_) | Parsed::Bad => return Ok(Step::Bad),
        };
        let record = self.start + HEADER_BYTES;
        self.start += size;
        self.offset += size as u64;
        self.next = index + 1;
        self.place = Some(place);
        self.epoch = epoch;
        let bytes = self.buffer.get(record..self.start).unwrap_or_default();
        Ok(Step::Record(Frame { place, index, epoch, bytes }))
    }

    /// Forgets what was read ahead, so that the next step sees what a writer has added since.
    pub(crate) fn refresh(&mut self) {
        self.buffer.truncate(self.start);
    }

    /// Judges what lies behind the last record, from the position to the end of the file.
    pub(crate) fn tail(&self) -> io::Result<Tail> {
        let rest = self.rest()?;
        if rest.is_empty() {
            return Ok(Tail::Clean);
        }
        let mut at = 0;
        while let Some(bytes) = rest.get(at..).filter(|bytes| bytes.len() >= HEADER_BYTES) {
            at += match frame::parse(bytes) {
                Parsed::Frame(frame) if frame.epoch >= self.epoch && frame.commit_start() > self.next => {
                    return Ok(Tail::Altered);
                }
                Parsed::Frame(frame) => frame.size(),
                Parsed::Empty | Parsed::Bad => 1,
            };
        }
        Ok(if is_cut(&rest) { Tail::Cut(rest.len() as u64) } else { Tail::Torn(rest.len() as u64) })
    }

    /// Bytes from the position to the last one that is not zero.
    fn rest(&self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        let mut zeros = 0usize;
        let mut chunk = vec![0; READ_CHUNK];
        let mut at = self.offset;
        loop {
            let read = self.file.read_at(&mut chunk, at)?;
            let bytes = chunk.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(rest);
            }
            at += read as u64;
            // Zeros are counted, not kept: most of a segment is still unused.
            // First whether there is anything at all: whole slices compare many bytes at a time.
            let is_zero = ZEROS.get(..read).is_some_and(|zeros| zeros == bytes);
            let last = if is_zero { None } else { bytes.iter().rposition(|byte| *byte != 0) };
            match last {
                None => zeros += read,
                Some(last) => {
                    rest.resize(rest.len() + zeros, 0);
                    rest.extend_from_slice(bytes.get(..=last).unwrap_or_default());
                    zeros = read - last - 1;
                }
            }
        }
    }

    fn follows(&self, frame: &Frame<'_>) -> bool {
        let place = frame.place == 0 || self.place.and_then(|place| place.checked_add(1)) == Some(frame.place);
        place && frame.index == self.next && frame.epoch >= self.epoch
    }

    fn window(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads on until `bytes` are in the window or the file ends.
    fn ensure(&mut self, bytes: usize) -> io::Result<()> {
        if self.window().len() >= bytes {
            return Ok(());
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        while self.buffer.len() < bytes {
            let filled = self.buffer.len();
            self.buffer.resize(filled + READ_CHUNK, 0);
            let free = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.file.read_at(free, self.offset + filled as u64);
            self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// Whether these bytes, behind which only zeros or nothing are, end before the record does that they begin. A record that is
/// there to its last byte was changed in its header.
fn is_cut(rest: &[u8]) -> bool {
    let Some((_, record)) = rest.split_at_checked(HEADER_BYTES) else { return true };
    let is_short = frame::claimed_length(rest).is_some_and(|length| record.len() < length);
    is_short && Event::from_bytes(record).is_err()
}
