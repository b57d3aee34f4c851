//! What is found when a log is opened.

use super::{
    checkpoints::{self, Stored, StoredError},
    derive::{Derived, Write},
    error::OpenError,
    layout::Layout,
    scan::Tail,
    walk::{End, walk},
};
use crate::calls::{Calls, Unfinished};
use proof::Verifier;
use std::io;
use vocab::Event;

/// What opening a log found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Number of records.
    pub size: u64,
    /// How many of them a checkpoint had sealed.
    pub sealed: u64,
    /// Bytes of a commit that was never finished, and has been removed. Nobody was told that it had been.
    pub dropped_bytes: u64,
    /// How often the log has been opened, this time included.
    pub epoch: u32,
    /// Calls without an end, in the order of the log.
    pub unfinished: Vec<Unfinished>,
}

/// A log read to its end and found good.
pub(crate) struct Recovered {
    pub(crate) recovery: Recovery,
    pub(crate) derived: Derived,
    pub(crate) end: End,
}

/// Reads all records, checks them against the newest checkpoints and writes tiles that are missing.
///
/// Changes no segment.
pub(crate) fn recover(
    layout: &Layout,
    log: &Verifier,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<Recovered, OpenError> {
    let checkpoints = newest(layout, log)?;
    let sealed = checkpoints.iter().map(|stored| stored.checkpoint.size()).max().unwrap_or(0);
    let mut derived = Derived::new(layout.clone());
    let mut calls = Calls::default();
    let derive_failed = |source| OpenError::Io { path: layout.tile_dir(), source };

    let end = walk(layout, &mut |frame| {
        derived.push(frame.bytes.to_vec(), Write::WhereMissing).map_err(derive_failed)?;
        check_root(&checkpoints, &derived)?;
        if let Ok(event) = Event::from_bytes(frame.bytes) {
            calls.see(frame.index, &event);
        }
        visit(frame.index, frame.bytes);
        Ok::<(), OpenError>(())
    })?;
    let dropped_bytes = match end.tail {
        Tail::Altered => return Err(OpenError::Altered { index: end.size }),
        // What a checkpoint sealed had been durable: no crash tears it.
        Tail::Torn(_) if end.size < sealed => return Err(OpenError::Altered { index: end.size }),
        Tail::Clean if end.size < sealed => {
            return Err(OpenError::Missing { index: end.size, sealed });
        }
        Tail::Torn(bytes) => bytes,
        Tail::Clean => 0,
    };
    if end.size == 0 {
        check_root(&checkpoints, &derived)?;
    }
    derived.write_partial(Write::WhereMissing).map_err(derive_failed)?;
    let epoch = end.epoch.saturating_add(1);
    let recovery = Recovery { size: end.size, sealed, dropped_bytes, epoch, unfinished: calls.into_unfinished() };
    Ok(Recovered { recovery, derived, end })
}

/// The published checkpoint and the newest archived one. Earlier ones are left to `verify`.
fn newest(layout: &Layout, log: &Verifier) -> Result<Vec<Stored>, OpenError> {
    let sizes = layout.archived_sizes().map_err(|source| OpenError::Io { path: layout.archive(), source })?;
    let published = checkpoints::read(&layout.checkpoint(), log)?;
    if published.is_none() && !sizes.is_empty() {
        let source = io::ErrorKind::NotFound.into();
        return Err(OpenError::Io { path: layout.checkpoint(), source });
    }
    let archived = match sizes.last() {
        Some(size) => checkpoints::read_archived(layout, *size, log)?,
        None => None,
    };
    Ok(published.into_iter().chain(archived).collect())
}

fn check_root(checkpoints: &[Stored], derived: &Derived) -> Result<(), OpenError> {
    let size = derived.size();
    let mut of_this_size = checkpoints.iter().filter(|stored| stored.checkpoint.size() == size);
    // The root is computed only where it is needed.
    if of_this_size.any(|stored| *stored.checkpoint.root() != derived.root()) {
        return Err(OpenError::Rewritten { size });
    }
    Ok(())
}

impl From<StoredError> for OpenError {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Io { path, source } => Self::Io { path, source },
            StoredError::Invalid { path, reason } => Self::Checkpoint { path, reason },
        }
    }
}
