//! Signed checkpoints on disk.

use super::layout::Layout;
use crate::atomic::{self, Durable};
use proof::{Checkpoint, Hash, Note, Signer, Verifier};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a stored checkpoint is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredError {
    #[error("`{path}` cannot be read: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("checkpoint `{path}` is not valid: {reason}")]
    Invalid { path: PathBuf, reason: String },
}

/// A checkpoint whose signature is good.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) path: PathBuf,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: Note,
}

/// Reads a checkpoint; none where there is no file.
pub(crate) fn read(path: &Path, log: &Verifier) -> Result<Option<Stored>, StoredError> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| StoredError::Io { path: path.to_owned(), source })?,
    };
    let invalid = |reason: String| StoredError::Invalid { path: path.to_owned(), reason };
    let note = Note::parse(&bytes).map_err(|error| invalid(error.to_string()))?;
    let checkpoint = Checkpoint::open(&note, log).map_err(|error| invalid(error.to_string()))?;
    Ok(Some(Stored { path: path.to_owned(), checkpoint, note }))
}

/// Reads the archived checkpoint of this size.
pub(crate) fn read_archived(layout: &Layout, size: u64, log: &Verifier) -> Result<Option<Stored>, StoredError> {
    let path = layout.archived(size);
    let Some(stored) = read(&path, log)? else {
        return Ok(None);
    };
    if stored.checkpoint.size() != size {
        let reason = format!("it is over {} records", stored.checkpoint.size());
        return Err(StoredError::Invalid { path, reason });
    }
    Ok(Some(stored))
}

/// Whether a checkpoint is kept when a newer one is published.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    UntilNext,
    ForGood,
}

/// Signs and publishes a checkpoint.
pub(crate) fn publish(layout: &Layout, signer: &Signer, size: u64, root: Hash, keep: Keep) -> io::Result<()> {
    let checkpoint = Checkpoint::new(signer.name().as_str(), size, root).map_err(io::Error::other)?;
    let note = checkpoint.sign(&[signer]).map_err(io::Error::other)?.format();
    let scratch = layout.checkpoint_scratch();
    atomic::replace(&layout.checkpoint(), &scratch, note.as_bytes(), Durable::Whole)?;
    if keep == Keep::ForGood {
        atomic::replace(&layout.archived(size), &scratch, note.as_bytes(), Durable::There)?;
    }
    Ok(())
}
