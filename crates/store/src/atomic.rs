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
    step(scratch)?;
    file.write_all(bytes)?;
    if durable != Durable::Nothing {
        step(scratch)?;
        file.sync_all()?;
    }
    rename(scratch, path)?;
    if durable == Durable::There { sync_parent(path) } else { Ok(()) }
}

/// An empty file only the owner reads, in place of what was there.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    step(path)?;
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(FILE_MODE).open(path)
}

/// A directory, with its parents, only the owner enters.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
}

/// Makes the names in the directory of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    step(path)?;
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Gives a file another name, in place of what had it.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step(from)?;
    std::fs::rename(from, to)
}

/// Gives a file a second name, unless something has it.
pub(crate) fn link(from: &Path, to: &Path) -> io::Result<()> {
    step(from)?;
    std::fs::hard_link(from, to)
}

/// Takes a name away.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    step(path)?;
    std::fs::remove_file(path)
}

/// Where a test lets the process end.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in a test it can fail")]
pub(crate) const fn step(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(crate) use ending::step;

/// A process that ends before a chosen change of a file, as `kill -9` ends one: nothing below a directory changes any more.
#[cfg(test)]
pub(crate) mod ending {
    use std::{
        collections::HashMap,
        io,
        path::{Path, PathBuf},
        sync::{Mutex, PoisonError},
    };

    /// For each directory, how many changes may still be made, and whether one was refused.
    static LEFT: Mutex<Option<HashMap<PathBuf, (u64, bool)>>> = Mutex::new(None);

    /// Lets `changes` further changes below `dir` be made, and none after them.
    pub(crate) fn after(dir: &Path, changes: u64) {
        LEFT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_default()
            .insert(dir.to_owned(), (changes, false));
    }

    /// The next process: whether the one before was ended.
    pub(crate) fn over(dir: &Path) -> bool {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        left.get_or_insert_default().remove(dir).is_some_and(|(_, refused)| refused)
    }

    pub(crate) fn step(path: &Path) -> io::Result<()> {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = left.get_or_insert_default().iter_mut().find(|(dir, _)| path.starts_with(dir));
        match watched {
            None => Ok(()),
            Some((_, (0, refused))) => {
                *refused = true;
                Err(io::Error::other("the process has ended"))
            }
            Some((_, (changes, _))) => {
                *changes -= 1;
                Ok(())
            }
        }
    }
}
