//! The file layer under the segments, so that tests can break it.

use super::pace::{Abandoned, Pace};
use crate::atomic;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Zeros written at once when a segment is filled: small, so that a commit need not wait long for the core.
const FILL_CHUNK: usize = 512 * 1024;

/// What segments lie on.
pub(crate) trait Medium: Send + Sync {
    /// A durable file of `length` zeros that are really written: later writes then change no metadata, which halves
    /// the cost of making them durable. They are written no faster than `pace` allows; abandoned, the file is of no use.
    fn fill(&self, path: &Path, length: u64, pace: &Pace) -> io::Result<()>;

    /// Gives a filled segment its name, durably.
    fn name(&self, spare: &Path, segment: &Path) -> io::Result<()>;

    /// An existing segment, for writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
}

/// A segment being written.
pub(crate) trait SegmentFile: Send {
    /// Writes all bytes at the offset.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written durable.
    fn sync(&self) -> io::Result<()>;

    /// Bytes of the file.
    fn length(&self) -> io::Result<u64>;

    /// Whether the file still is the one found under its path: nobody removed or replaced it or its directory.
    fn in_place(&self) -> io::Result<bool>;
}

/// The file system.
pub(crate) struct Disk;

struct DiskFile(Placed);

impl Medium for Disk {
    fn fill(&self, path: &Path, length: u64, pace: &Pace) -> io::Result<()> {
        let mut file = atomic::create(path)?;
        let zeros = vec![0; FILL_CHUNK];
        let mut filled = 0;
        while filled < length {
            let now = length.saturating_sub(filled).min(FILL_CHUNK as u64);
            pace.wait(filled + now).map_err(|Abandoned| io::Error::from(io::ErrorKind::Interrupted))?;
            file.write_all(zeros.get(..usize::try_from(now).unwrap_or(FILL_CHUNK)).unwrap_or_default())?;
            filled += now;
        }
        file.sync_all()
    }

    fn name(&self, spare: &Path, segment: &Path) -> io::Result<()> {
        std::fs::rename(spare, segment)?;
        atomic::sync_parent(segment)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Box::new(DiskFile(Placed::new(file, path)?)))
    }
}

impl SegmentFile for DiskFile {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.file.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.file.metadata()?.len())
    }

    fn in_place(&self) -> io::Result<bool> {
        self.0.in_place()
    }
}

/// An open file and where it was found.
pub(crate) struct Placed {
    pub(crate) file: File,
    path: PathBuf,
    /// Device and inode: they never change while the file is open, so that looking costs one call to the system.
    id: (u64, u64),
}

impl Placed {
    pub(crate) fn new(file: File, path: &Path) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { file, path: path.to_owned(), id: (metadata.dev(), metadata.ino()) })
    }

    /// Whether this still is the file found under its path.
    pub(crate) fn in_place(&self) -> io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(found) => Ok(self.id == (found.dev(), found.ino())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
