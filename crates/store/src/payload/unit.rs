//! One class on one day, as it is written: blocks, in the frames and segments of the log.
//!
//! A block is cut into frames of at most 65,535 bytes. The first byte of each says whether it begins and whether it ends a
//! block: what a crash left half-written is followed by a beginning, and is no block.

use super::{
    blocks::{BEGINS, ENDS},
    day::Day,
    parts,
};
use crate::atomic;
use crate::log::{
    frame::MAX_RECORD_BYTES,
    layout::Layout,
    medium::Medium,
    options::FIRST_SEGMENT_BYTES,
    pace::Pace,
    scan::{SegmentScan, Step, Tail},
    segment::{Position, SegmentWriter},
};
use std::{fs::File, io, path::Path, sync::Arc};

/// Bytes of a block in one frame.
const PIECE: usize = MAX_RECORD_BYTES - 1;

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

/// A unit being written.
pub(crate) struct UnitWriter {
    pub(crate) day: Day,
    layout: Layout,
    writer: SegmentWriter,
}

impl UnitWriter {
    /// Goes on behind what is there; what a crash left unfinished is removed.
    pub(crate) fn open(medium: Arc<dyn Medium>, dir: &Path, day: Day, segment_bytes: u64) -> io::Result<Self> {
        parts::settle(dir)?;
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

    /// Gives back the zeros behind the last block, and those for a segment that never came.
    pub(crate) fn close(self) -> io::Result<()> {
        let Self { layout, writer, .. } = self;
        let used = writer.offset();
        drop(writer);
        match atomic::remove(&layout.spare()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::medium::Disk;
    use crate::payload::blocks::{At, Blocks, Damage, block_at};

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
        assert!(parts::bytes_of(&dir).unwrap().1 > 400_000);
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
