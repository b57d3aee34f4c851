//! The right to serve a project in the foreground: gateways started on demand make way for whoever holds it.
//!
//! Without it, ending an on-demand gateway to take its place would be a race with every shim that starts another.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Locked for as long as somebody serves in the foreground.
const FILE: &str = "up.lock";

/// The right, held until dropped. The kernel frees it when the process ends in any way.
pub struct Claim(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Claim {
    /// Takes it; `None` when another process has it.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub fn take(state: &Path) -> io::Result<Option<Self>> {
        let file = open(state)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether somebody has it.
    pub(super) fn is_taken(state: &Path) -> bool {
        open(state).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

fn open(state: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(state.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_is_dropped() {
        let state = tempfile::tempdir().unwrap();
        assert!(!Claim::is_taken(state.path()));
        let claim = Claim::take(state.path()).unwrap();
        assert!(claim.is_some() && Claim::is_taken(state.path()));
        assert!(Claim::take(state.path()).unwrap().is_none());
        drop(claim);
        assert!(!Claim::is_taken(state.path()) && Claim::take(state.path()).unwrap().is_some());
    }
}
