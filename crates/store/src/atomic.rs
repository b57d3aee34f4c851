//! Small files that are there whole or not at all.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    panic::resume_unwind,
    path::Path,
    sync::{Mutex, PoisonError},
    thread::Builder,
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
        sync(&file, scratch)?;
    }
    rename(scratch, path)?;
    if durable == Durable::There { sync_parent(path) } else { Ok(()) }
}

/// An empty file only the owner reads, in place of what was there. What was there is not written to: a power cut in the
/// middle of giving it another name may have left it both.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    step(path)?;
    let create = || OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path);
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            create()
        }
        created => created,
    }
}

/// A directory, with its parents, only the owner enters. After a power cut it may not be there.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    step(path)?;
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
}

/// The same, and its name is durable with those of as many directories `above` it. So they are when they were there before:
/// who made them may have ended before they were.
pub(crate) fn create_named(path: &Path, above: usize) -> io::Result<()> {
    create_dir(path)?;
    at_once(path.ancestors().take(1 + above).map(|dir| move || sync_parent(dir))).into_iter().collect()
}

/// Makes the names of a directory and of all above it durable, as far as they can be looked into.
pub(crate) fn sync_ancestors(path: &Path) -> io::Result<()> {
    let sync = |dir| match sync_parent(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    };
    // Above the working directory a relative path has no names.
    let path = std::path::absolute(path)?;
    at_once(path.ancestors().map(|dir| move || sync(dir))).into_iter().collect()
}

/// Does things that each wait for the disk, which does what it is asked for at the same time in little more than the time
/// of one. To be used for a few, of which none needs another. In a test one comes after the other, so that a crash can be
/// put between any two.
pub(crate) fn at_once<T: Send, F: FnOnce() -> T + Send>(waits: impl IntoIterator<Item = F>) -> Vec<T> {
    if cfg!(test) {
        return waits.into_iter().map(|wait| wait()).collect();
    }
    let waits: Vec<_> = waits.into_iter().map(|wait| Mutex::new(Some(wait))).collect();
    let run = |wait: &Mutex<Option<F>>| {
        let wait = wait.lock().unwrap_or_else(PoisonError::into_inner).take();
        wait.map(|wait| wait())
    };
    std::thread::scope(|scope| {
        // Where no thread can be started, one comes after the other.
        let others = waits.iter().skip(1).map(|wait| Builder::new().spawn_scoped(scope, || run(wait)).ok());
        let others: Vec<_> = others.collect();
        let own = waits.first().and_then(run);
        let others = waits.iter().skip(1).zip(others).map(|(wait, other)| match other {
            Some(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => run(wait),
        });
        own.into_iter().chain(others.flatten()).collect()
    })
}

/// Makes a file's bytes durable.
pub(crate) fn sync(file: &File, path: &Path) -> io::Result<()> {
    step(path)?;
    file.sync_all()?;
    is_synced(path)
}

/// Makes the names in the directory of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    step(path)?;
    let Some(parent) = path.parent() else { return Ok(()) };
    // Of a name in the working directory the parent has none.
    let parent = if parent == Path::new("") { Path::new(".") } else { parent };
    File::open(parent)?.sync_all()?;
    names_are_synced(parent)
}

/// Makes a directory durable with everything below it. Once for all of it: what is written for others is many small files.
pub(crate) fn sync_below(dir: &Path) -> io::Result<()> {
    step(dir)?;
    sync_file_system(dir)?;
    is_synced_below(dir)?;
    // Of the directory itself, the name.
    sync_parent(&std::path::absolute(dir)?)
}

#[cfg(target_os = "linux")]
fn sync_file_system(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_file_system(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
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

/// Where a test lets the process, or the power, end.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in a test it can fail")]
pub(crate) const fn step(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The same before bytes are written durably, of which a power cut lets some through.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in a test it can fail")]
pub(crate) const fn step_writing(_: &Path, _: &[u8], _: u64) -> io::Result<()> {
    Ok(())
}

/// Tells a test that a file's bytes are durable.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in a test it can fail")]
pub(crate) const fn is_synced(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Tells a test that a directory's names are durable.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in a test it can fail")]
pub(crate) const fn names_are_synced(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Tells a test that everything below a directory is durable.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in a test it can fail")]
const fn is_synced_below(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use ending::is_synced_below;
#[cfg(test)]
pub(crate) use ending::{is_synced, names_are_synced, step, step_writing};

#[cfg(test)]
pub(crate) mod ending;
#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;
