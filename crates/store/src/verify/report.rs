//! What verifying a log found.

use super::PrunedRecords;
use std::path::PathBuf;

/// An event may be stamped up to this many microseconds (one minute) before an earlier record's: events are stamped
/// when they happen and take their place when they are appended, and the clock may be corrected between two openings.
/// Larger steps back are counted; they are no proof of anything, since the records are those that were sealed.
pub const MAX_STEP_BACK: i64 = 60_000_000;

/// What verifying a log found. The counts are over what was read before the verdict fell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// Which log it says it is.
    pub origin: String,
    /// Records read.
    pub events: u64,
    /// The beginning of the log, if it was pruned as a record says.
    pub pruned: Option<PrunedRecords>,
    /// Size of the newest checkpoint.
    pub sealed: u64,
    /// Records beyond the newest checkpoint. Nothing but their checksums speaks for them.
    pub unsealed: u64,
    /// Checkpoints with a good signature, each over a prefix of the log.
    pub checkpoints: u64,
    /// Calls dispatched of which nobody knows whether they ran.
    pub unknown: u64,
    /// Calls decided and never dispatched: they did not run.
    pub not_run: u64,
    /// Bytes of a commit that was not finished, behind the last record. The next opening removes them.
    pub unfinished_bytes: u64,
    /// Tiles that are not there. They can be derived again, and are when the log is opened.
    pub derived_missing: u64,
    /// Events stamped more than [`MAX_STEP_BACK`] before one that stands earlier in the log.
    pub steps_back: u64,
    /// How often the log was opened and written to.
    pub epochs: u32,
}

/// The answer to: is this log what was written?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything sealed is there, as it was written.
    Ok,
    /// Something that had been there is gone.
    Missing {
        /// Where.
        place: Place,
        /// In our words.
        what: String,
    },
    /// Something is not what was written.
    Altered {
        /// Where.
        place: Place,
        /// In our words.
        what: String,
    },
}

/// A place in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A record, by its index.
    Record(u64),
    /// A file, relative to the log's directory.
    File(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(index) => write!(f, "record {index}"),
            Self::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}
