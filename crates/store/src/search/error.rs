//! Why the log cannot be searched.

use crate::read::ReadError;
use std::{io, path::PathBuf, time::Duration};

/// Why the log cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// A record that the index knows of cannot be read back.
    #[error("record {0} of the log cannot be read")]
    Record(u64),
    /// Another process holds the index for longer than it may take.
    #[error("another process holds the search index and does not let go of it")]
    Busy,
    /// The file system failed.
    #[error("`{path}`: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The index failed, and one that was made anew did as well.
    #[error("the search index failed: {0}")]
    Index(String),
}

/// Why an operation on the index did not come to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Another index would fare no better.
    Failed(SearchError),
    /// This index is not one of this log, or not whole: one made anew will do.
    Useless(String),
}

pub(super) type Step<T> = Result<T, Stop>;

/// How long a lock of the index is waited for. Holders let go after each batch, which takes about a second.
pub(super) const WAIT: Duration = Duration::from_secs(20);

impl Stop {
    pub(super) fn useless(why: impl Into<String>) -> Self {
        Self::Useless(why.into())
    }
}

impl From<SearchError> for Stop {
    fn from(error: SearchError) -> Self {
        Self::Failed(error)
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.into())
    }
}

/// Every statement is fixed and every value bound, so what fails beyond locks and space is the file: not a database, a
/// part missing, a row of another shape, or a file that was moved away below us.
impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory};
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::Failed(SearchError::Busy),
            Some(DiskFull | OutOfMemory) => Self::Failed(SearchError::Index(error.to_string())),
            _ => Self::Useless(error.to_string()),
        }
    }
}
