//! The index's file: made, opened, and removed when it is of no use, whoever else uses it meanwhile.
//!
//! Who reads the file holds `lock` shared while he does; who makes, opens, writes or removes it holds it alone. People
//! delete files without asking: who finds his file gone opens whatever is in its place. INVARIANT: no file is made while
//! somebody writes one that was deleted: both would have the same journal, and SQLite would take one's for the other's.

use super::error::{SearchError, Step, Stop};
use super::schema;
use crate::atomic;
use rusqlite::Connection;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    thread::sleep,
    time::Duration,
};

/// How often a lock is asked for.
const ASK: Duration = Duration::from_millis(20);
const FILE: &str = "index.sqlite";
/// What SQLite writes beside a database.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Which file it is: device and number.
pub(super) type FileId = (u64, u64);

/// An open database.
pub(super) struct IndexFile {
    pub(super) conn: Connection,
    pub(super) id: FileId,
}

impl IndexFile {
    /// Opens the index in a directory; makes it where it is not there. Says which file it is, also when it is of no use.
    pub(super) fn open(dir: &Path, wait: Duration, log: (&str, &str)) -> Result<(FileId, Step<Self>), SearchError> {
        let path = dir.join(FILE);
        let id = ensure(dir).map_err(|source| SearchError::Io { path: path.clone(), source })?;
        Ok((id, schema::open(&path, wait, log.0, log.1).map(|conn| Self { conn, id })))
    }

    /// Fails when the file is not in its place any more.
    pub(super) fn check_in_place(&self, dir: &Path) -> Step<()> {
        match identify(dir) {
            Ok(found) if found == self.id => Ok(()),
            _ => Err(Stop::useless("the index was removed")),
        }
    }
}

/// Holds the directory for reading what is in it; makes it where it is not there.
pub(super) fn share(dir: &Path, wait: Duration) -> Result<File, SearchError> {
    lock(dir, wait, File::try_lock_shared)
}

/// Holds the directory alone.
pub(super) fn hold(dir: &Path, wait: Duration) -> Result<File, SearchError> {
    lock(dir, wait, File::try_lock)
}

/// Removes the file, if it still is that one; says whether it was.
pub(super) fn remove(dir: &Path, wait: Duration, id: FileId) -> Result<bool, SearchError> {
    let is_there = || identify(dir).is_ok_and(|found| found == id);
    // Looked at before and behind the lock: nobody waits to be alone for nothing.
    if !is_there() {
        return Ok(false);
    }
    let _alone = hold(dir, wait)?;
    if !is_there() {
        return Ok(false);
    }
    for name in std::iter::once("").chain(BESIDE) {
        let path = dir.join(format!("{FILE}{name}"));
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(SearchError::Io { path, source }),
            _ => {}
        }
    }
    Ok(true)
}

/// The file's identity, after making it where it is not there: SQLite would make it for everybody to read.
///
/// INVARIANT: a file that is there is never opened here. Closing it would give up the locks that SQLite holds on it for
/// other threads of this process (POSIX advisory locks, `fcntl(2)`). So a new one gets its name when it is closed already.
fn ensure(dir: &Path) -> io::Result<FileId> {
    if let Ok(found) = identify(dir) {
        return Ok(found);
    }
    // Of one that was deleted while somebody wrote it and was killed.
    for name in BESIDE {
        match std::fs::remove_file(dir.join(format!("{FILE}{name}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let scratch = dir.join(format!(".{FILE}.{}-{:?}", std::process::id(), std::thread::current().id()));
    drop(OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&scratch)?);
    let named = std::fs::hard_link(&scratch, dir.join(FILE));
    std::fs::remove_file(&scratch)?;
    match named {
        // Somebody else was first.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => identify(dir),
    }
}

fn identify(dir: &Path) -> io::Result<FileId> {
    let found = std::fs::symlink_metadata(dir.join(FILE))?;
    Ok((found.dev(), found.ino()))
}

fn lock(dir: &Path, wait: Duration, ask: impl Fn(&File) -> Result<(), TryLockError>) -> Result<File, SearchError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SearchError::Io { path, source }
    };
    atomic::create_dir(dir).map_err(failed(dir))?;
    let path = dir.join("lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(failed(&path))?;
    for _ in 0..=wait.as_millis() / ASK.as_millis() {
        match ask(&file) {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(ASK),
            Err(TryLockError::Error(source)) => return Err(failed(&path)(source)),
        }
    }
    Err(SearchError::Busy)
}
