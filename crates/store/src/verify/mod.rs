//! Complete verification of a log at rest or at work, offline.
//!
//! `report` is the answer; `records` reads the log once and checks everything on the way; beside it, `growing` has
//! `tiles` grow their tree and compare what is derived; `keys` follows which key may sign; `pruned` judges whether a beginning that is gone was to go. `payloads` looks for what records commit to.

mod growing;
mod keys;
mod payloads;
mod pruned;
mod records;
mod report;
mod tiles;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use payloads::tests as place;
pub use payloads::{AT_ONCE, BadPayload, Erasure, Fates, PayloadReport, Removal, fates, verify_payloads};
pub(crate) use payloads::{Told, told};
pub use pruned::PrunedRecords;
pub(crate) use pruned::{Gone, Judged};
pub use records::{VerifyError, verify};
pub use report::{MAX_STEP_BACK, Place, Report, Verdict};

use crate::log::{checkpoints::StoredError, walk::WalkError};
use std::{io, path::PathBuf};

/// What ends verification early.
enum Fault {
    /// The log is at fault.
    Verdict(Verdict),
    /// The file system is.
    Io(PathBuf, io::Error),
}

impl Fault {
    fn altered(place: Place, what: impl Into<String>) -> Self {
        Self::Verdict(Verdict::Altered { place, what: what.into() })
    }

    fn missing(place: Place, what: impl Into<String>) -> Self {
        Self::Verdict(Verdict::Missing { place, what: what.into() })
    }
}

impl From<WalkError> for Fault {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Io { path, source } => Self::Io(path, source),
            WalkError::Missing(index) => Self::missing(Place::Record(index), "later records are there"),
            WalkError::Altered(index) => Self::altered(Place::Record(index), "it is not a record, later ones are"),
        }
    }
}

impl From<StoredError> for Fault {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Io { path, source } => Self::Io(path, source),
            StoredError::Invalid { path, reason } => Self::altered(Place::File(path), reason),
        }
    }
}
