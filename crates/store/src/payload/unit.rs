//! One class on one day: blocks, in the frames and segments of the log.
//!
//! A block is cut into frames of at most 65,535 bytes. The first byte of each says whether it begins and whether it ends a
//! block: what a crash left half-written is followed by a beginning, and is no block.

use super::day::Day;
use crate::atomic;
use crate::log::{
    frame::{self, Frame, HEADER_BYTES, MAX_RECORD_BYTES, Parsed},
    layout::Layout,
    medium::Medium,
    options::FIRST_SEGMENT_BYTES,
    pace::Pace,
    scan::{SegmentScan, Step, Tail},
    segment::{Position, SegmentWriter},
};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

const BEGINS: u8 = 1;
const ENDS: u8 = 2;
/// Bytes of a block in one frame.
const PIECE: usize = MAX_RECORD_BYTES - 1;

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// First index of the segment.
    segment: u64,
    offset: u64,
}

/// The frames of a block.
pub(crate) fn frames(block: &[u8]) -> Vec<Vec<u8>> {
    let count = block.len().div_ceil(PIECE);
    let piece = |(at, bytes): (usize, &[u8])| {
        let begins = if at == 0 { BEGINS } else { 0 };
        let ends = if at + 1 == count { ENDS } else { 0 };
        let mut frame = Vec::with_capacity(1 + bytes.len());
        frame.push(begins | ends);
        frame.extend_from_slice(bytes);
        frame
    };
    block.chunks(PIECE).enumerate().map(piece).collect()
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

/// A unit being written.
pub(crate) struct UnitWriter {
    pub(crate) day: Day,
    layout: Layout,
    writer: SegmentWriter,
}

impl UnitWriter {
    /// Goes on behind what is there; what a crash left unfinished is removed.
    pub(crate) fn open(medium: Arc<dyn Medium>, dir: &Path, day: Day, segment_bytes: u64) -> io::Result<Self> {
        let layout = Layout::new(dir);
        // Its name is durable before anything in it is, with those of the day, the class and all payloads.
        atomic::create_named(&layout.segment_dir(), 3)?;
        let at = match layout.segments()?.last() {
            Some(last) => end_of(&*medium, &layout, *last)?,
            None => {
                medium.fill(&layout.spare(), segment_bytes.min(FIRST_SEGMENT_BYTES), &Pace::free())?;
                medium.name(&layout.spare(), &layout.segment(0))?;
                Position { segment: 0, offset: 0, next: 0, epoch: 1 }
            }
        };
        let writer = SegmentWriter::open(layout.clone(), medium, segment_bytes, &at)?;
        Ok(Self { day, layout, writer })
    }

    pub(crate) fn writer(&mut self) -> &mut SegmentWriter {
        &mut self.writer
    }

    /// Gives back the zeros behind the last block.
    pub(crate) fn close(self) -> io::Result<()> {
        let Self { layout, writer, .. } = self;
        let used = writer.offset();
        drop(writer);
        match layout.segments()?.last() {
            Some(last) => File::options().write(true).open(layout.segment(*last))?.set_len(used),
            None => Ok(()),
        }
    }
}

fn end_of(medium: &dyn Medium, layout: &Layout, segment: u64) -> io::Result<Position> {
    let path = layout.segment(segment);
    let mut scan = SegmentScan::open(&path, segment, 0)?;
    while let Step::Record(_) = scan.step()? {}
    match scan.tail()? {
        Tail::Clean => {}
        Tail::Torn(bytes) | Tail::Cut(bytes) => medium.open(&path)?.erase(bytes, scan.offset())?,
        Tail::Altered => {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is altered", path.display())));
        }
    }
    Ok(Position { segment, offset: scan.offset(), next: scan.next_index(), epoch: scan.epoch().saturating_add(1) })
}

/// All blocks of a unit, in the order in which they were written.
pub(crate) struct Blocks {
    layout: Layout,
    /// Segments still to be read, last first.
    segments: Vec<u64>,
    scan: Option<(u64, SegmentScan)>,
    epoch: u32,
    assembly: Assembly,
    began: Option<At>,
    /// Where something lies that is no frame.
    damaged: Option<Damage>,
}

/// A place in a unit that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
}

impl Blocks {
    /// None where there is no such unit.
    pub(crate) fn of(dir: &Path) -> io::Result<Self> {
        let layout = Layout::new(dir);
        let mut segments = layout.segments()?;
        segments.reverse();
        Ok(Self { layout, segments, scan: None, epoch: 0, assembly: Assembly::default(), began: None, damaged: None })
    }

    /// The first place that could not be read, as far as was read.
    pub(crate) fn damaged(&self) -> Option<&Damage> {
        self.damaged.as_ref()
    }

    /// The next block and where it lies. What cannot be read is passed over, and remembered.
    pub(crate) fn next(&mut self) -> io::Result<Option<(At, &[u8])>> {
        loop {
            let Some((segment, scan)) = &mut self.scan else {
                let Some(first) = self.segments.pop() else { return Ok(None) };
                self.scan = Some((first, SegmentScan::open(&self.layout.segment(first), first, self.epoch)?));
                continue;
            };
            let at = At { segment: *segment, offset: scan.offset() };
            let Step::Record(Frame { bytes, .. }) = scan.step()? else {
                if scan.tail()? != Tail::Clean {
                    let path = self.layout.segment(*segment);
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

/// The block that lies there.
pub(crate) fn block_at(dir: &Path, at: At) -> io::Result<Option<Vec<u8>>> {
    let layout = Layout::new(dir);
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

/// Bytes on disk of a unit.
pub(crate) fn bytes_of(dir: &Path) -> io::Result<u64> {
    let layout = Layout::new(dir);
    let mut paths: Vec<PathBuf> = layout.segments()?.into_iter().map(|first| layout.segment(first)).collect();
    paths.push(layout.spare());
    let mut bytes = 0;
    for path in paths {
        match std::fs::metadata(path) {
            Ok(found) => bytes += found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::medium::Disk;

    fn write(unit: &mut UnitWriter, block: &[u8]) {
        for frame in frames(block) {
            unit.writer().add(&frame).unwrap();
        }
        unit.writer().commit().unwrap();
    }

    fn all(dir: &Path) -> Vec<(At, Vec<u8>)> {
        let mut blocks = Blocks::of(dir).unwrap();
        let mut found = Vec::new();
        while let Some((at, block)) = blocks.next().unwrap() {
            found.push((at, block.to_vec()));
        }
        found
    }

    #[test]
    fn blocks_of_any_length_come_back_over_segments_and_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("class/2026-11-28");
        let lengths = [1, 10, PIECE - 1, PIECE, PIECE + 1, 200_000, 70_000, 5, 130_000];
        let expected: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(at, length)| vec![at as u8; *length]).collect();
        for (at, block) in expected.iter().enumerate() {
            // Closed in good order, and not.
            let mut unit = UnitWriter::open(Arc::new(Disk), &dir, Day::of(0), 128 * 1024).unwrap();
            write(&mut unit, block);
            if at % 2 == 0 {
                unit.close().unwrap();
            }
        }
        let found = all(&dir);
        assert_eq!(found.iter().map(|(_, block)| block.clone()).collect::<Vec<_>>(), expected);
        for (at, block) in found {
            assert_eq!(block_at(&dir, at).unwrap(), Some(block));
        }
        assert!(bytes_of(&dir).unwrap() > 400_000);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("class/2026-11-28");
        let mut unit = UnitWriter::open(Arc::new(Disk), &dir, Day::of(0), 1024 * 1024).unwrap();
        for block in [b"one", b"two", b"six"] {
            write(&mut unit, block);
        }
        unit.close().unwrap();
        let path = Layout::new(&dir).segment(0);
        let whole = std::fs::read(&path).unwrap();
        let second = whole.len() / 3;
        for (bit, left) in
            [(3, [b"two", b"six"]), (second * 8 + 9, [b"one", b"six"]), (whole.len() * 8 - 1, [b"one", b"two"])]
        {
            let mut altered = whole.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &altered).unwrap();
            let mut blocks = Blocks::of(&dir).unwrap();
            let mut found = Vec::new();
            while let Some((_, block)) = blocks.next().unwrap() {
                found.push(block.to_vec());
            }
            assert_eq!(found, left, "bit {bit}");
            let offset = (bit / 8 / second * second) as u64;
            assert_eq!(blocks.damaged(), Some(&Damage { path: path.clone(), offset }));
        }
    }

    #[test]
    fn half_a_block_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("class/2026-11-28");
        let mut unit = UnitWriter::open(Arc::new(Disk), &dir, Day::of(0), 1024 * 1024).unwrap();
        write(&mut unit, b"one");
        unit.writer().add(&frames(&[7; 100_000])[0]).unwrap();
        unit.writer().commit().unwrap();
        drop(unit);
        let mut unit = UnitWriter::open(Arc::new(Disk), &dir, Day::of(0), 1024 * 1024).unwrap();
        write(&mut unit, b"two");
        let texts: Vec<Vec<u8>> = all(&dir).into_iter().map(|(_, block)| block).collect();
        assert_eq!(texts, [b"one".to_vec(), b"two".to_vec()]);
    }
}
