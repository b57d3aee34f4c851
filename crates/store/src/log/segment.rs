//! Writing frames into zero-filled segments.

use super::{
    error::reason,
    frame::{Frame, HEADER_BYTES},
    layout::Layout,
    medium::{Medium, SegmentFile},
    options::MIN_SEGMENT_BYTES,
    pace::Pace,
};
use std::{io, sync::Arc, thread::JoinHandle};

/// The end of the log, where frames are added.
pub(crate) struct SegmentWriter {
    layout: Layout,
    medium: Arc<dyn Medium>,
    file: Box<dyn SegmentFile>,
    /// Where the next frame goes.
    offset: u64,
    /// Bytes of the segment.
    length: u64,
    /// Largest segment to begin.
    segment_bytes: u64,
    /// Index of the next record.
    next: u64,
    epoch: u32,
    /// Frames not yet written.
    pending: Vec<u8>,
    /// How many these are; the next one's place.
    pending_frames: u16,
    /// The next segment, while and after it is filled.
    spare: Option<Spare>,
}

/// A segment being filled.
struct Spare {
    length: u64,
    pace: Pace,
    thread: JoinHandle<io::Result<()>>,
}

/// Where a log goes on.
pub(crate) struct Position {
    /// First index of the last segment.
    pub(crate) segment: u64,
    /// Where in it the next frame goes.
    pub(crate) offset: u64,
    /// Index of the next record.
    pub(crate) next: u64,
    /// This opening's number.
    pub(crate) epoch: u32,
}

impl SegmentWriter {
    pub(crate) fn open(layout: Layout, medium: Arc<dyn Medium>, segment_bytes: u64, at: &Position) -> io::Result<Self> {
        let file = medium.open(&layout.segment(at.segment))?;
        let length = file.length()?;
        Ok(Self {
            layout,
            medium,
            file,
            offset: at.offset,
            length,
            segment_bytes,
            next: at.next,
            epoch: at.epoch,
            pending: Vec::new(),
            pending_frames: 0,
            spare: None,
        })
    }

    /// Index of the next record.
    pub(crate) fn next_index(&self) -> u64 {
        self.next
    }

    /// Where in the last segment the next frame goes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Adds a record to the commit being built.
    pub(crate) fn add(&mut self, record: &[u8]) -> Result<(), Arc<str>> {
        let size = (HEADER_BYTES + record.len()) as u64;
        if self.offset + self.pending.len() as u64 + size > self.length {
            self.commit()?;
            // A name given in somebody else's directory could not be taken back.
            self.in_place()?;
            self.begin_segment().map_err(|error| reason("the next segment cannot be begun", &error))?;
        } else if self.pending_frames == u16::MAX {
            self.commit()?;
        }
        let frame = Frame { place: self.pending_frames, index: self.next, epoch: self.epoch, bytes: record };
        frame.encode(&mut self.pending);
        self.pending_frames += 1;
        self.next += 1;
        Ok(())
    }

    /// Writes what was added and makes it durable.
    ///
    /// After an error the writer must not be used again.
    pub(crate) fn commit(&mut self) -> Result<(), Arc<str>> {
        if !self.pending.is_empty() {
            self.file
                .append(&self.pending, self.offset)
                .map_err(|error| reason("a record cannot be made durable", &error))?;
            self.offset += self.pending.len() as u64;
            self.pending.clear();
            self.pending_frames = 0;
        }
        Ok(())
    }

    /// Whether what was written is where a reader looks for it.
    pub(crate) fn in_place(&self) -> Result<(), Arc<str>> {
        match self.file.in_place() {
            Ok(true) => Ok(()),
            Ok(false) => Err("the log's directory was removed or replaced".into()),
            Err(error) => Err(reason("the log's directory cannot be examined", &error)),
        }
    }

    /// Has the next segment filled in the background once a quarter of this one is used, in step with the rest of it:
    /// it is full some commits before this one is.
    pub(crate) fn prepare(&mut self) {
        let used = self.offset.saturating_sub(self.length / 4);
        if used == 0 {
            return;
        }
        if self.spare.is_none() {
            self.spare = self.fill();
        }
        if let Some(spare) = &self.spare {
            let share = u128::from(spare.length) * u128::from(used) / u128::from((self.length / 2).max(1));
            spare.pace.allow(u64::try_from(share).unwrap_or(u64::MAX));
        }
    }

    /// INVARIANT: everything before is durable, so records of the new segment prove that those of the old were there.
    fn begin_segment(&mut self) -> io::Result<()> {
        let spare = self.spare.take().or_else(|| self.fill());
        spare.ok_or_else(|| io::Error::other("no thread can be started"))?.finish()?;
        let path = self.layout.segment(self.next);
        self.medium.name(&self.layout.spare(), &path)?;
        self.file = self.medium.open(&path)?;
        self.length = self.file.length()?;
        self.offset = 0;
        Ok(())
    }

    fn fill(&self) -> Option<Spare> {
        let (medium, path) = (Arc::clone(&self.medium), self.layout.spare());
        // A log opened with a smaller segment size than before still takes every record.
        let length = self.segment_bytes.min(self.length.saturating_mul(2)).max(MIN_SEGMENT_BYTES);
        let pace = Pace::default();
        let kept = pace.clone();
        let thread = std::thread::Builder::new().name("log-fill".to_owned());
        let thread = thread.spawn(move || medium.fill(&path, length, &pace)).ok()?;
        Some(Spare { length, pace: kept, thread })
    }
}

impl Spare {
    /// Waits until it is full.
    fn finish(self) -> io::Result<()> {
        self.pace.allow(u64::MAX);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("filling it was interrupted")))
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        // The directory is left alone once the log is closed. What was filled is filled again when it is needed.
        if let Some(spare) = self.spare.take() {
            spare.pace.abandon();
            let _ = spare.thread.join();
        }
    }
}
