//! One writer for each log.

use super::medium::Placed;
use std::{
    fs::{OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The right to write a log, held until dropped. The kernel frees it when the process ends in any way.
pub(crate) struct Lock(Placed);

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
        let file = file.and_then(|file| Placed::new(file, path));
        let lock = Self(file.map_err(LockError::Io)?);
        match lock.0.file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(lock.holder())),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        lock.sign().map_err(LockError::Io)?;
        Ok(lock)
    }

    /// Whether a second writer would still find this lock.
    pub(crate) fn in_place(&self) -> io::Result<bool> {
        self.0.in_place()
    }

    fn sign(&self) -> io::Result<()> {
        self.0.file.set_len(0)?;
        (&self.0.file).write_all(format!("{}\n", std::process::id()).as_bytes())
    }

    fn holder(&self) -> Option<u32> {
        let mut text = String::new();
        // The holder may just be writing its id; anything that is no number is no answer.
        (&self.0.file).take(16).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }
}
