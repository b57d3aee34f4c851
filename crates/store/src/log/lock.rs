//! One writer for each log.

use super::medium::is_in_place;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The right to write a log, held until dropped. The kernel frees it when the process ends in any way.
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
}

/// Why the right was not given.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process holds it; its id, where it could be read.
    Held(Option<u32>),
    Io(io::Error),
}

impl Lock {
    pub(crate) fn take(path: &Path) -> Result<Self, LockError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mut lock = Self { path: path.to_owned(), file: file.map_err(LockError::Io)? };
        match lock.file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(lock.holder())),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        lock.sign().map_err(LockError::Io)?;
        Ok(lock)
    }

    /// Whether a second writer would still find this lock.
    pub(crate) fn in_place(&self) -> io::Result<bool> {
        is_in_place(&self.file, &self.path)
    }

    fn sign(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all(format!("{}\n", std::process::id()).as_bytes())
    }

    fn holder(&self) -> Option<u32> {
        let mut text = String::new();
        // The holder may just be writing its id; anything that is no number is no answer.
        (&self.file).take(16).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }
}
