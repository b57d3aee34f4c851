//! Signed checkpoints on disk.

use super::layout::Layout;
use crate::atomic::{self, Durable};
use proof::{Checkpoint, Hash, KeyHistory, Note, Signer, Verifier};
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

/// Reads a checkpoint, signed by the keys that have to sign its size; none where there is no file.
pub(crate) fn read(path: &Path, keys: &KeyHistory) -> Result<Option<Stored>, StoredError> {
    open(path, |note| keys.open(note).map_err(|error| error.to_string()))
}

/// Reads a checkpoint that one of the log's keys has signed, whether or not it may; none where there is no file.
pub(crate) fn read_signed(path: &Path, keys: &KeyHistory) -> Result<Option<Stored>, StoredError> {
    let known: Vec<Verifier> = keys.spans().iter().map(|span| span.key.clone()).collect();
    open(path, |note| Checkpoint::open_any(note, &known).map_err(|error| error.to_string()))
}

/// Records that a file's checkpoint says it is over, whoever signed it; none where there is no file.
pub(crate) fn claimed_size(path: &Path) -> Result<Option<u64>, StoredError> {
    let claimed = open(path, |note| Checkpoint::parse(note.text()).map_err(|error| error.to_string()))?;
    Ok(claimed.map(|stored| stored.checkpoint.size()))
}

fn open(path: &Path, open: impl Fn(&Note) -> Result<Checkpoint, String>) -> Result<Option<Stored>, StoredError> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| StoredError::Io { path: path.to_owned(), source })?,
    };
    let invalid = |reason: String| StoredError::Invalid { path: path.to_owned(), reason };
    let note = Note::parse(&bytes).map_err(|error| invalid(error.to_string()))?;
    let checkpoint = open(&note).map_err(invalid)?;
    Ok(Some(Stored { path: path.to_owned(), checkpoint, note }))
}

/// What was read from the archive's file for this size, if that is what it is over.
pub(crate) fn of_size(stored: Option<Stored>, size: u64) -> Result<Option<Stored>, StoredError> {
    let Some(stored) = stored else {
        return Ok(None);
    };
    if stored.checkpoint.size() != size {
        let reason = format!("it is over {} records", stored.checkpoint.size());
        return Err(StoredError::Invalid { path: stored.path, reason });
    }
    Ok(Some(stored))
}

/// Whether a checkpoint is kept when a newer one is published.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    UntilNext,
    ForGood,
    /// For good, and signed by both keys of a rotation: what proves it.
    Handover,
}

/// Signs and publishes a checkpoint.
pub(crate) fn publish(layout: &Layout, signers: &[&Signer], size: u64, root: Hash, keep: Keep) -> io::Result<()> {
    let origin = signers.first().ok_or_else(|| io::Error::other("no key is at hand"))?.name().as_str();
    let checkpoint = Checkpoint::new(origin, size, root).map_err(io::Error::other)?;
    let note = checkpoint.sign(signers).map_err(io::Error::other)?.format();
    let scratch = layout.checkpoint_scratch();
    // The kept one first: a later checkpoint replaces the other, and a rotation is proved by what is kept.
    if keep != Keep::UntilNext {
        atomic::replace(&layout.archived(size), &scratch, note.as_bytes(), Durable::There)?;
    }
    atomic::replace(&layout.checkpoint(), &scratch, note.as_bytes(), Durable::Whole)
}
