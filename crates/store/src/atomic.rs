//! Small files that are there whole or not at all.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// Nobody but the owner reads what Mortise keeps.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// What has to survive a power cut when a replacement returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// Nothing: a reader sees the old or the new file; it can be made again.
    Nothing,
    /// Whichever of the old and the new file is there is whole.
    Whole,
    /// The new file is there.
    There,
}

/// Replaces `path` by a file with these bytes. `scratch` is a name in the same file system for the unfinished file;
/// one writer at a time uses it.
pub(crate) fn replace(path: &Path, scratch: &Path, bytes: &[u8], durable: Durable) -> io::Result<()> {
    let mut file = create(scratch)?;
    file.write_all(bytes)?;
    if durable != Durable::Nothing {
        file.sync_all()?;
    }
    std::fs::rename(scratch, path)?;
    if durable == Durable::There { sync_parent(path) } else { Ok(()) }
}

/// An empty file only the owner reads, in place of what was there.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(FILE_MODE).open(path)
}

/// A directory, with its parents, only the owner enters.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
}

/// Makes the names in the directory of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
