//! How a log is kept.

use super::error::OpenError;
use std::time::Duration;

/// Smallest segment: room for the longest record, 65,535 bytes and a header of 24.
pub const MIN_SEGMENT_BYTES: u64 = 128 * 1024;
/// Largest segment: recovery looks through the unused rest of the last one.
pub const MAX_SEGMENT_BYTES: u64 = 1024 * 1024 * 1024;
/// Bytes of one append, with 24 for each record.
pub const MAX_APPEND_BYTES: usize = 4 * 1024 * 1024;
/// Bytes on their way from an append to the tree and its tiles; further appends wait for room.
pub const QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// A commit takes no further append once it has this many bytes.
pub const COMMIT_BYTES: usize = 1024 * 1024;
/// How long a lazy append waits for another one to ride with.
pub const LAZY_WAIT: Duration = Duration::from_millis(5);
/// How often, under load, it is looked whether the log's files still are where they were opened. Whoever can remove them
/// takes what is in them away, too; that no call is answered for longer than this is all that looking can give. To look
/// after every commit costs more than to write it: a file that was looked at gets a new time with its next write, which
/// then has to be made durable as well.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long durable records are left to gather before the tree takes them: one wake-up for all of them.
pub(crate) const DERIVE_EVERY: Duration = Duration::from_millis(5);
/// Checkpoints are at least this far apart, however many records come: each one
/// costs a journal commit of the same disk, which appends then wait for.
pub const MIN_CHECKPOINT_SPACING: Duration = Duration::from_millis(500);
/// Checkpoints kept for good are at least this far apart (300 bytes in a block of 4 KiB each: 2 GiB a year at most).
/// Besides, one is kept whenever a log is opened with unsealed records, and when it is closed.
pub const ARCHIVE_INTERVAL: Duration = Duration::from_secs(60);
/// The first segment of a new log; each further one is twice as large up to [`LogOptions::segment_bytes`], so that a
/// small project does not wait for, or keep, 64 MiB of zeros.
pub(crate) const FIRST_SEGMENT_BYTES: u64 = 1024 * 1024;

/// How a log is kept. Every field has a default but the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Which log: the checkpoint's first line and the name of the signing key.
    pub origin: String,
    /// Bytes of a segment, [`MIN_SEGMENT_BYTES`] to [`MAX_SEGMENT_BYTES`]; 64 MiB by default.
    pub segment_bytes: u64,
    /// A checkpoint is published this long after the last one when there are new records; 1 s by default.
    pub checkpoint_interval: Duration,
    /// Or when there are this many new records; 256 by default.
    pub checkpoint_entries: u64,
}

impl LogOptions {
    /// The defaults for a log of this origin.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            segment_bytes: 64 * 1024 * 1024,
            checkpoint_interval: Duration::from_secs(1),
            checkpoint_entries: 256,
        }
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            return Err(OpenError::Options("a segment has between 128 KiB and 1 GiB"));
        }
        if self.checkpoint_entries == 0 {
            return Err(OpenError::Options("a checkpoint needs at least one new record"));
        }
        Ok(())
    }
}
