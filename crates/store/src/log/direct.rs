//! Writing past the page cache.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

/// What lies in memory and on the disk at a multiple of this, and is as long, can be written past the cache on every disk
/// that is formatted today.
pub(crate) const BLOCK: usize = 4096;

/// Bytes at an address that is a multiple of [`BLOCK`].
pub(crate) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

/// A file that is written in whole blocks, from the process straight to the disk.
///
/// A durable append through the page cache is copied there, looked for there, sent to the disk from there, and costs a call
/// each for writing and for waiting. This one is one call, and half of the processor's time.
pub(crate) struct DirectFile {
    file: File,
    /// Begins with what the last block has of `end`'s bytes.
    buffer: Aligned,
    /// Where the next append goes, once that is known.
    end: Option<u64>,
}

impl Aligned {
    /// At least `length` zeros, up to a multiple of [`BLOCK`].
    pub(crate) fn zeros(length: usize) -> Self {
        let bytes = vec![0; length.next_multiple_of(BLOCK) + BLOCK];
        let start = bytes.as_ptr().align_offset(BLOCK).min(BLOCK);
        Self { bytes, start }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        let end = self.start + self.len();
        self.bytes.get(self.start..end).unwrap_or_default()
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        let end = self.start + self.len();
        self.bytes.get_mut(self.start..end).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.bytes.len() - BLOCK
    }
}

/// An existing file for writing past the cache.
#[cfg(target_os = "linux")]
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// Writes all bytes; they have reached the disk when this returns. As `fdatasync`, it leaves the file's times behind.
#[cfg(target_os = "linux")]
fn write_durably(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    use rustix::io::{Errno, ReadWriteFlags, pwritev2};
    while !bytes.is_empty() {
        let written = match pwritev2(file, &[io::IoSlice::new(bytes)], offset, ReadWriteFlags::DSYNC) {
            Err(Errno::INTR) => continue,
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            written => written?,
        };
        bytes = bytes.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}

/// Other systems have other ways.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn write_durably(_: &File, _: &[u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

impl DirectFile {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { file: open(path)?, buffer: Aligned::zeros(16 * BLOCK), end: None })
    }

    /// Writes `bytes` behind what the file has before `offset`; they are durable when this returns. What follows them in
    /// their last block is written as zeros.
    pub(crate) fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let tail = usize::try_from(offset % BLOCK as u64).map_err(io::Error::other)?;
        let begin = offset - tail as u64;
        if self.end != Some(offset) {
            self.load(begin, tail)?;
        }
        // Known again only when all of it was written.
        self.end = None;
        let (until, whole) = (tail + bytes.len(), (tail + bytes.len()).next_multiple_of(BLOCK));
        if self.buffer.len() < whole {
            let mut larger = Aligned::zeros(whole);
            copy(larger.as_mut_slice(), 0, self.buffer.as_slice().get(..tail).unwrap_or_default());
            self.buffer = larger;
        }
        let buffer = self.buffer.as_mut_slice();
        copy(buffer, tail, bytes);
        if let Some(rest) = buffer.get_mut(until..whole) {
            rest.fill(0);
        }
        write_durably(&self.file, buffer.get(..whole).unwrap_or_default(), begin)?;
        let kept = until - until % BLOCK;
        buffer.copy_within(kept..until, 0);
        self.end = Some(offset + bytes.len() as u64);
        Ok(())
    }

    /// Reads the block that the next append goes on in.
    fn load(&mut self, begin: u64, tail: usize) -> io::Result<()> {
        if tail > 0 {
            let block = self.buffer.as_mut_slice().get_mut(..BLOCK).unwrap_or_default();
            self.file.read_exact_at(block, begin)?;
        }
        Ok(())
    }
}

fn copy(to: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = to.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
#[expect(clippy::print_stderr, reason = "a test that this machine cannot run says so")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn appends_of_any_length_lie_one_behind_the_other(
            lengths in proptest::collection::vec(prop_oneof![1_usize..200, 4000_usize..4200, 1_usize..150_000], 1..12),
            start in prop_oneof![Just(0_usize), 1_usize..10_000],
            again in proptest::collection::vec(any::<bool>(), 12),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let total = (start + lengths.iter().sum::<usize>()).next_multiple_of(BLOCK) + BLOCK;
            let mut expected = vec![0; total];
            expected[..start].fill(7);
            std::fs::write(&path, &expected).unwrap();
            let Ok(mut file) = DirectFile::new(&path) else {
                eprintln!("not tested: {} cannot be written past the cache", dir.path().display());
                return Ok(());
            };
            let mut at = start;
            for (number, length) in lengths.iter().enumerate() {
                let bytes: Vec<u8> = (0..*length).map(|byte| (byte * 31 + number) as u8 | 1).collect();
                if again[number] {
                    file = DirectFile::new(&path).unwrap();
                }
                file.append(&bytes, at as u64).unwrap();
                expected[at..at + length].copy_from_slice(&bytes);
                at += length;
                prop_assert!(std::fs::read(&path).unwrap() == expected);
            }
        }
    }
}
