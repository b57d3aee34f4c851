//! The file layer under the segments, so that tests can break it.

use super::{
    direct::{self, Aligned, BLOCK, DirectFile},
    pace::{Abandoned, Pace},
};
use crate::atomic;
use std::{
    fs::{File, OpenOptions},
    io,
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
    /// Writes all bytes at the offset, behind everything that was written. They are durable when this returns.
    fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Writes zeros over what was begun behind the end, durably.
    fn erase(&mut self, bytes: u64, offset: u64) -> io::Result<()>;

    /// Bytes of the file.
    fn length(&self) -> io::Result<u64>;

    /// Whether the file still is the one found under its path: nobody removed or replaced it or its directory.
    fn in_place(&self) -> io::Result<bool>;
}

/// The file system.
pub(crate) struct Disk;

struct DiskFile {
    placed: Placed,
    /// Where the file system can do that.
    direct: Option<DirectFile>,
}

impl Medium for Disk {
    fn fill(&self, path: &Path, length: u64, pace: &Pace) -> io::Result<()> {
        let file = atomic::create(path)?;
        let mut direct = direct::open(path).ok();
        let zeros = Aligned::zeros(FILL_CHUNK);
        let mut filled = 0;
        while filled < length {
            let now = length.saturating_sub(filled).min(FILL_CHUNK as u64);
            pace.wait(filled + now).map_err(|Abandoned| io::Error::from(io::ErrorKind::Interrupted))?;
            let zeros = zeros.as_slice().get(..usize::try_from(now).unwrap_or(FILL_CHUNK)).unwrap_or_default();
            let written = direct
                .as_ref()
                .filter(|_| zeros.len().is_multiple_of(BLOCK))
                .map(|past| past.write_all_at(zeros, filled));
            match written {
                Some(Ok(())) => {}
                Some(Err(error)) if !is_refused(&error) => return Err(error),
                _ => {
                    direct = None;
                    file.write_all_at(zeros, filled)?;
                }
            }
            filled += now;
        }
        atomic::sync(&file, path)
    }

    fn name(&self, spare: &Path, segment: &Path) -> io::Result<()> {
        atomic::rename(spare, segment)?;
        atomic::sync_parent(segment)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let placed = Placed::new(file, path)?;
        // A last block that is not whole cannot be written so.
        let whole = placed.file.metadata()?.len().is_multiple_of(BLOCK as u64);
        let direct = if whole { DirectFile::new(path).ok() } else { None };
        Ok(Box::new(DiskFile { placed, direct }))
    }
}

impl SegmentFile for DiskFile {
    fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        atomic::step_writing(&self.placed.path, bytes, offset)?;
        self.write(bytes, offset)?;
        atomic::is_synced(&self.placed.path)
    }

    fn erase(&mut self, bytes: u64, offset: u64) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        atomic::step_writing(&self.placed.path, &zeros, offset)?;
        self.placed.file.write_all_at(&zeros, offset)?;
        self.placed.file.sync_data()?;
        atomic::is_synced(&self.placed.path)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.placed.file.metadata()?.len())
    }

    fn in_place(&self) -> io::Result<bool> {
        self.placed.in_place()
    }
}

impl DiskFile {
    /// Past the page cache where that can be done.
    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Some(direct) = &mut self.direct {
            match direct.append(bytes, offset) {
                Err(error) if is_refused(&error) => self.direct = None,
                done => return done,
            }
        }
        self.placed.file.write_all_at(bytes, offset)?;
        self.placed.file.sync_data()
    }
}

/// Some file systems open a file for writing past the cache and then do not take the write. Nothing was written.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
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
