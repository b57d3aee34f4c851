//! The signing key that comes, and the end of the one that goes.
//!
//! ```text
//! log-signing            the key that signs; during a rotation the one that goes
//! log-signing.next       during a rotation the key that comes
//! log-signing.retired    the one that went, until its bytes are overwritten
//! ```
//!
//! Which state a crash left is told by the log's own records: a next key that no record names was never used, and one
//! that signs alone takes the place of the other.

use super::{KeysError, io_error, is_missing, read, read_signer};
use crate::atomic;
use proof::{KeyHistory, KeyName, Signer};
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The paths of the signing keys in a directory of keys.
struct Paths {
    present: PathBuf,
    next: PathBuf,
    retired: PathBuf,
}

impl Paths {
    fn new(dir: &Path) -> Self {
        let path = |name| dir.join(name);
        Self { present: path("log-signing"), next: path("log-signing.next"), retired: path("log-signing.retired") }
    }
}

/// Draws the key that comes, durably, if there is none yet.
pub(super) fn draw(dir: &Path, origin: &KeyName) -> Result<Signer, KeysError> {
    let path = Paths::new(dir).next;
    let form = |seed: &[u8; 32]| Zeroizing::new(Signer::from_seed(origin.clone(), seed).to_skey().as_bytes().to_vec());
    if is_missing(&path) {
        super::draw(&path, &form)?;
        atomic::sync_parent(&path).map_err(|source| io_error(&path, source))?;
    }
    read_signer(&path, origin.as_str())
}

/// The key that comes, if one does.
pub(super) fn found(dir: &Path, origin: &str) -> Result<Option<Signer>, KeysError> {
    let path = Paths::new(dir).next;
    match read_signer(&path, origin) {
        Err(KeysError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Brings the files into the state that the log's keys are in: during a rotation both keys are there, otherwise one.
pub(super) fn settle(dir: &Path, origin: &str, history: &KeyHistory, is_rotating: bool) -> Result<(), KeysError> {
    let paths = Paths::new(dir);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| io_error(&path, source)
    };
    if let Some(next) = found(dir, origin)? {
        let next = next.verifier();
        if !history.knows(&next) {
            destroy(&paths.next).map_err(failed(&paths.next))?;
        } else if !is_rotating {
            replace(&paths).map_err(failed(&paths.present))?;
        }
    }
    remove_unfinished(dir).map_err(failed(dir))?;
    // Two names of one file are a replacement that was begun: what is under them is still needed until it is done.
    match std::fs::metadata(&paths.retired) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(&paths.retired, error)),
        Ok(retired) => {
            let present = std::fs::metadata(&paths.present).map_err(failed(&paths.present))?;
            if (retired.dev(), retired.ino()) == (present.dev(), present.ino()) {
                return atomic::remove(&paths.retired).map_err(failed(&paths.retired));
            }
            destroy(&paths.retired).map_err(failed(&paths.retired))
        }
    }
}

/// Puts the next key in the place of the present one, which keeps a name of its own until it is destroyed. At every moment
/// one of the two is under the first name.
fn replace(paths: &Paths) -> io::Result<()> {
    match atomic::link(&paths.present, &paths.retired) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    atomic::rename(&paths.next, &paths.present)?;
    atomic::sync_parent(&paths.present)
}

/// Removes what a process left that ended while it drew a key: another name of a key, or of one that nobody has.
fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("log-signing.unfinished-") {
            atomic::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Overwrites a key and removes its name. What a disk keeps of overwritten blocks is beyond reach.
fn destroy(path: &Path) -> io::Result<()> {
    let nofollow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut file = OpenOptions::new().write(true).custom_flags(nofollow).open(path)?;
    let length = usize::try_from(file.metadata()?.len().min(super::MAX_KEY_BYTES)).map_err(io::Error::other)?;
    atomic::step(path)?;
    file.write_all(&vec![0; length])?;
    atomic::sync(&file, path)?;
    atomic::remove(path)?;
    atomic::sync_parent(path)
}

/// Whether a next key is there that cannot be read, such as one whose bytes are already overwritten.
pub(super) fn sweep(dir: &Path) -> Result<(), KeysError> {
    let path = Paths::new(dir).next;
    match read(&path) {
        Err(KeysError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        // Overwritten, and its name not removed: it was given up.
        Ok(bytes) if bytes.iter().all(|byte| *byte == 0) => destroy(&path).map_err(|source| io_error(&path, source)),
        Ok(_) => Ok(()),
    }
}
