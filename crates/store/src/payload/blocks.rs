//! The blocks of a unit, read back from wherever in it they lie.
//!
//! A unit has parts, each with segments of its own: what was written call by call, and what was packed later. A part that is
//! packed says which segments it is there for until these are removed; they are not read any more.

use super::parts::{self, Part};
use crate::log::{
    frame::{self, Frame, HEADER_BYTES, Parsed},
    scan::{SegmentScan, Step, Tail},
};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

pub(super) const BEGINS: u8 = 1;
pub(super) const ENDS: u8 = 2;

/// Looks again at most so often when files went while they were being read.
const LOOKS: usize = 5;

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct At {
    part: Part,
    /// First index of the segment.
    segment: u64,
    offset: u64,
}

/// A place in a unit that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
}

/// Puts frames together.
#[derive(Default)]
struct Assembly {
    block: Vec<u8>,
    begun: bool,
}

impl Assembly {
    /// Whether the frame completes a block, which is then in `block`.
    fn add(&mut self, frame: &[u8]) -> bool {
        let Some((flags, piece)) = frame.split_first() else { return false };
        if flags & BEGINS != 0 {
            self.block.clear();
            self.begun = true;
        }
        if !self.begun {
            return false;
        }
        self.block.extend_from_slice(piece);
        if flags & ENDS == 0 {
            return false;
        }
        self.begun = false;
        true
    }
}

/// All blocks of a unit, part by part, in the order in which they were written.
pub(crate) struct Blocks {
    dir: PathBuf,
    /// Segments still to be read, last first.
    segments: Vec<(Part, u64)>,
    scan: Option<(Part, u64, SegmentScan)>,
    /// The part that is being read.
    part: Option<Part>,
    epoch: u32,
    assembly: Assembly,
    began: Option<At>,
    /// Where something lies that is no frame.
    damaged: Option<Damage>,
}

impl Blocks {
    /// None where there is no such unit.
    pub(crate) fn of(dir: &Path) -> io::Result<Self> {
        let mut segments = parts::segments(dir)?;
        segments.reverse();
        Ok(Self::through(dir, segments))
    }

    /// Those that were written call by call and are not packed.
    pub(crate) fn as_written(dir: &Path) -> io::Result<Self> {
        let mut segments = parts::segments(dir)?;
        segments.retain(|(part, _)| *part == Part::WRITTEN);
        segments.reverse();
        Ok(Self::through(dir, segments))
    }

    fn through(dir: &Path, segments: Vec<(Part, u64)>) -> Self {
        let (dir, assembly) = (dir.to_owned(), Assembly::default());
        Self { dir, segments, scan: None, part: None, epoch: 0, assembly, began: None, damaged: None }
    }

    /// The first place that could not be read, as far as was read.
    pub(crate) fn damaged(&self) -> Option<&Damage> {
        self.damaged.as_ref()
    }

    /// The next block and where it lies. What cannot be read is passed over, and remembered.
    pub(crate) fn next(&mut self) -> io::Result<Option<(At, &[u8])>> {
        loop {
            let Some((part, segment, scan)) = &mut self.scan else {
                let Some((part, first)) = self.segments.pop() else { return Ok(None) };
                if self.part.replace(part) != Some(part) {
                    // Openings are counted anew, and no block goes on from one part in another.
                    (self.epoch, self.assembly) = (0, Assembly::default());
                }
                let path = part.layout(&self.dir).segment(first);
                self.scan = Some((part, first, SegmentScan::open(&path, first, self.epoch)?));
                continue;
            };
            let at = At { part: *part, segment: *segment, offset: scan.offset() };
            let Step::Record(Frame { bytes, .. }) = scan.step()? else {
                if scan.tail()? != Tail::Clean {
                    let path = part.layout(&self.dir).segment(*segment);
                    self.damaged.get_or_insert(Damage { path, offset: scan.offset() });
                    if scan.resume()? {
                        continue;
                    }
                }
                self.epoch = scan.epoch();
                self.scan = None;
                continue;
            };
            if bytes.first().is_some_and(|flags| flags & BEGINS != 0) {
                self.began = Some(at);
            }
            if self.assembly.add(bytes) {
                return Ok(self.began.map(|began| (began, self.assembly.block.as_slice())));
            }
        }
    }
}

/// The block that lies there; `None` where none does any more.
pub(crate) fn block_at(dir: &Path, at: At) -> io::Result<Option<Vec<u8>>> {
    match found_at(dir, at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found,
    }
}

fn found_at(dir: &Path, at: At) -> io::Result<Option<Vec<u8>>> {
    let layout = at.part.layout(dir);
    let (mut segment, mut offset) = (at.segment, at.offset);
    let mut assembly = Assembly::default();
    let mut file = File::open(layout.segment(segment))?;
    loop {
        let Some(bytes) = frame_at(&file, offset)? else {
            // A block may go on in the next segment.
            let Some(next) = layout.segments()?.into_iter().find(|first| *first > segment) else { return Ok(None) };
            (segment, offset) = (next, 0);
            file = File::open(layout.segment(segment))?;
            continue;
        };
        offset += bytes.len() as u64;
        if assembly.add(bytes.get(HEADER_BYTES..).unwrap_or_default()) {
            return Ok(Some(assembly.block));
        }
    }
}

/// The whole frame at an offset, with its header.
fn frame_at(file: &File, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; HEADER_BYTES];
    if file.read_at(&mut head, offset)? < HEADER_BYTES {
        return Ok(None);
    }
    let Some(length) = frame::claimed_length(&head) else { return Ok(None) };
    let mut bytes = vec![0; HEADER_BYTES + length];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(matches!(frame::parse(&bytes), Parsed::Frame(_)).then_some(bytes))
}

/// Reads while files may be packed or removed: what went in between is looked for again where it lies by now.
pub(crate) fn steadily<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut looks = 1;
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && looks < LOOKS => looks += 1,
            done => return done,
        }
    }
}
