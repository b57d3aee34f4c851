//! A disk that fails on demand.

use crate::log::{
    medium::{Disk, Medium, SegmentFile},
    pace::Pace,
};
use std::{
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Sectors are what a disk writes at once.
const SECTOR: u64 = 512;

/// Every operation counts; the one with number `at`, and all after it, fail.
pub(super) struct Faults {
    at: u64,
    seen: AtomicU64,
    kind: Fault,
}

#[derive(Clone, Copy)]
pub(super) enum Fault {
    /// The system call says so, nothing is written.
    Error(io::ErrorKind),
    /// The power goes: of what was not made durable, an arbitrary part of the sectors is on the disk.
    PowerCut { seed: u64 },
}

pub(super) struct FaultyDisk(pub(super) Arc<Faults>);

struct FaultyFile {
    faults: Arc<Faults>,
    file: Box<dyn SegmentFile>,
    /// The same file, for the sectors that a power cut lets through.
    raw: std::fs::File,
}

impl Faults {
    pub(super) fn new(at: u64, kind: Fault) -> Arc<Self> {
        Arc::new(Self { at, seen: AtomicU64::new(0), kind })
    }

    pub(super) fn happened(&self) -> bool {
        self.seen.load(Ordering::SeqCst) >= self.at
    }

    fn count(&self) -> io::Result<()> {
        if self.seen.fetch_add(1, Ordering::SeqCst) + 1 < self.at {
            return Ok(());
        }
        Err(match self.kind {
            Fault::Error(kind) => kind.into(),
            Fault::PowerCut { .. } => io::Error::other("power cut"),
        })
    }
}

impl Medium for FaultyDisk {
    fn fill(&self, path: &Path, length: u64, pace: &Pace) -> io::Result<()> {
        self.0.count().inspect_err(|_| std::fs::write(path, [0; 100]).unwrap())?;
        Disk.fill(path, length, pace)
    }

    fn name(&self, spare: &Path, segment: &Path) -> io::Result<()> {
        self.0.count()?;
        Disk.name(spare, segment)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let (faults, file) = (Arc::clone(&self.0), Disk.open(path)?);
        let raw = std::fs::OpenOptions::new().write(true).open(path)?;
        Ok(Box::new(FaultyFile { faults, file, raw }))
    }
}

impl SegmentFile for FaultyFile {
    fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.faults.count().inspect_err(|_| self.cut(bytes, offset))?;
        self.file.append(bytes, offset)
    }

    fn erase(&mut self, bytes: u64, offset: u64) -> io::Result<()> {
        self.faults.count().inspect_err(|_| self.cut(&vec![0; bytes as usize], offset))?;
        self.file.erase(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn in_place(&self) -> io::Result<bool> {
        self.file.in_place()
    }
}

impl FaultyFile {
    /// Lets some of the sectors reach the disk.
    fn cut(&self, bytes: &[u8], offset: u64) {
        let Fault::PowerCut { seed } = self.faults.kind else {
            return;
        };
        let mut random = seed.wrapping_add(self.faults.at).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut at = 0;
        while at < bytes.len() {
            let to_boundary = SECTOR - (offset + at as u64) % SECTOR;
            let end = bytes.len().min(at + to_boundary as usize);
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if random >> 63 == 1 {
                self.raw.write_all_at(&bytes[at..end], offset + at as u64).unwrap();
            }
            at = end;
        }
    }
}
