//! What can go wrong with a log.

use super::walk::WalkError;
use std::{io, path::PathBuf, sync::Arc};

/// Why records were not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The log failed earlier or now. Nothing is appended any more: after a failed write nobody knows what is on the
    /// disk, and trying again may report success over lost data.
    #[error("the log has failed: {0}")]
    Dead(Arc<str>),
    /// The log was closed in good order.
    #[error("the log is closed")]
    Closed,
    /// A record is longer than a tlog-tiles entry can be.
    #[error("record of {0} bytes is longer than 65535")]
    RecordTooLong(usize),
    /// One append of more than [`MAX_APPEND_BYTES`](super::MAX_APPEND_BYTES).
    #[error("{0} bytes in one append are more than 4 MiB")]
    AppendTooLong(usize),
}

/// Why the log's key was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotateError {
    /// The record does not change the log's keys as they are now.
    #[error("the log's key cannot be changed so: {0}")]
    Unfit(String),
    /// The record was not appended, or the checkpoint over it not signed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another gateway writes it.
    #[error("the log is open in another process{}", .pid.map_or_else(String::new, |pid| format!(" ({pid})")))]
    Locked {
        /// Its process id, where it could be read.
        pid: Option<u32>,
    },
    /// The directory holds the log of another origin.
    #[error("the log is `{found}`, not `{expected}`")]
    Origin {
        /// Origin found.
        found: String,
        /// Origin asked for.
        expected: String,
    },
    /// The signing key is named after another log, or is not the one that signs the log now.
    #[error("the signing key `{found}` is not the one of the log, `{expected}`")]
    Key {
        /// The verifying key of the key given.
        found: String,
        /// The one that signs the log, or its origin.
        expected: String,
    },
    /// A record about the log's keys does not follow from those before.
    #[error("record {index} does not change the log's keys as it says: {reason}")]
    KeyRecord {
        /// Its index.
        index: u64,
        /// Why.
        reason: String,
    },
    /// The list of keys knows of one that no record names.
    #[error("the log has been signed by key `{key}`, which no record names: records are missing")]
    KeyUnnamed {
        /// The key's id.
        key: String,
    },
    /// Records that were there are not.
    #[error("records from {index} on are missing: {sealed} were sealed by a checkpoint")]
    Missing {
        /// First record missing.
        index: u64,
        /// Size of the newest checkpoint.
        sealed: u64,
    },
    /// A record is missing in the middle, later ones are there.
    #[error("record {index} is missing, later ones are there")]
    Gap {
        /// First record missing.
        index: u64,
    },
    /// A record is not what was written.
    #[error("record {index} is altered")]
    Altered {
        /// Its index.
        index: u64,
    },
    /// The records are well-formed but not those the checkpoint was signed over.
    #[error("the first {size} records are not those of the checkpoint over them")]
    Rewritten {
        /// Size of the checkpoint.
        size: u64,
    },
    /// A checkpoint is not one of this log.
    #[error("checkpoint `{path}` is not valid: {reason}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The options are out of range.
    #[error("{0}")]
    Options(&'static str),
    /// The file system failed.
    #[error("`{path}`: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<WalkError> for OpenError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Io { path, source } => Self::Io { path, source },
            WalkError::Missing(index) => Self::Gap { index },
            WalkError::Altered(index) => Self::Altered { index },
        }
    }
}

/// Why the log fails, in words for who runs the gateway.
pub(crate) fn reason(what: &str, error: &io::Error) -> Arc<str> {
    match error.kind() {
        io::ErrorKind::StorageFull => format!("{what}: no space left on the device").into(),
        io::ErrorKind::QuotaExceeded => format!("{what}: the disk quota is used up").into(),
        _ => format!("{what}: {error}").into(),
    }
}
