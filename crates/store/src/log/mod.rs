//! The append-only log.
//!
//! The way of a record: `handle` → `queue` → `committer` → `segment` (`frame`, on a `medium`, the next one filled at a `pace`)
//! → durable, answered → `publisher` → `derive` (tree, tiles) → `checkpoints`. Opening goes the other way: `lock`,
//! `identity`, `recovery` over `walk` and `scan`. Which key signs is said by records: `rotation`, and `keyring` reads it.
//! What is past its time goes through `prune`.

pub(crate) mod bundle;
pub(crate) mod checkpoints;
mod committer;
pub(crate) mod derive;
mod direct;
pub(crate) mod error;
pub(crate) mod frame;
mod handle;
pub(crate) mod identity;
pub(crate) mod keyring;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod manners;
pub(crate) mod medium;
pub(crate) mod options;
pub(crate) mod pace;
pub mod prune;
mod publisher;
pub(crate) mod queue;
mod recovery;
pub(crate) mod rotation;
pub(crate) mod scan;
pub(crate) mod segment;
pub(crate) mod walk;

#[cfg(test)]
pub(crate) mod tests;

pub use error::{LogError, OpenError, RotateError};
pub use handle::Log;
pub use options::{
    ARCHIVE_INTERVAL, COMMIT_BYTES, LAZY_WAIT, LogOptions, MAX_APPEND_BYTES, MAX_SEGMENT_BYTES, MIN_CHECKPOINT_SPACING,
    MIN_SEGMENT_BYTES, QUEUE_BYTES,
};
pub use recovery::Recovery;
pub use rotation::{DEFAULT_OVERLAP, MAX_OVERLAP, Overlap, Rotation, Signers, begin_rotation, end_rotation};
