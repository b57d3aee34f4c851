//! What is found when a log is opened.

use super::{
    checkpoints::{self, Stored, StoredError},
    derive::{Derived, Write},
    error::OpenError,
    frame::Frame,
    layout::Layout,
    prune::prefix::Prefix,
    scan::Tail,
    walk::{End, walk},
};
use super::{keyring, rotation::KeyState};
use crate::prove::StoredTiles;
use proof::{Hash, KeyHistory, TILE_WIDTH, Verifier, consistency_proof, verify_consistency};
use std::io;

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
}

/// A log read to its end and found good.
pub(crate) struct Recovered {
    pub(crate) recovery: Recovery,
    pub(crate) derived: Derived,
    pub(crate) end: End,
    /// Which keys sign, as the records say.
    pub(crate) keys: KeyState,
    /// The size and root at which a rotation began, where no checkpoint by both keys was published.
    pub(crate) handover: Option<(u64, Hash)>,
}

/// Reads all records, checks them against the newest checkpoints and writes tiles that are missing.
///
/// Every frame is read, in order and with its checksum, so that a missing, torn or misplaced record is found wherever it
/// is. Hashed are only the records that the newest checkpoint seals last, at most 256, and those after it: for the
/// sealed ones before them the right edge of the stored tiles stands, which has to give, together with the ones hashed,
/// exactly the signed root. If it does not, or a tile is not there, all are hashed. So what opening does not see is a
/// sealed record that somebody replaced together with its checksum while the tiles stayed: that is for
/// [`verify`](crate::verify()), which hashes everything.
///
/// Changes no segment.
///
/// The keys that checkpoints are checked with are those that `keys` says. Afterwards the records have to say the same, or
/// more: a rotation was recorded and the process ended before it was in that file.
///
/// Where the first records were pruned, their part of the tree is in the file `pruned`, and the signed root is over it, too.
pub(crate) fn recover(
    layout: &Layout,
    first: &Verifier,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<Recovered, OpenError> {
    let mut assumed = keyring::assumed(layout, first);
    let checkpoints = match newest(layout, &assumed) {
        Err(OpenError::Checkpoint { .. }) => {
            assumed = keyring::derived(layout, first);
            newest(layout, &assumed)?
        }
        found => found?,
    };
    let prefix = Prefix::read(layout).map_err(|source| OpenError::Io { path: layout.pruned(), source })?;
    let first_keys =
        || prefix.as_ref().map_or_else(|| KeyState::new(first.clone()), |it| KeyState::after(it.keys.clone()));
    let mut shown = 0;
    let mut visit = |frame: &Frame<'_>| {
        // A second reading shows nothing twice.
        if frame.index >= shown {
            shown = frame.index.saturating_add(1);
            visit(frame.index, frame.bytes);
        }
    };
    let all = || match &prefix {
        Some(prefix) => Derived::after(layout.clone(), prefix),
        None => Derived::new(layout.clone()),
    };
    let mut read = |derived| read(layout, &checkpoints, derived, first_keys(), &mut visit);
    let from = prefix.as_ref().map_or(0, |prefix| prefix.first);
    let recovered = match resumed(layout, &checkpoints, from).map(&mut read) {
        // The tiles are not those of the records: which of them are wrong, only all records tell.
        None | Some(Err(OpenError::Rewritten { .. })) => {
            if let Some(prefix) = &prefix {
                below(layout, prefix, &checkpoints)?;
            }
            read(all())?
        }
        Some(done) => done?,
    };
    agree(&assumed, &recovered.keys.history, &checkpoints)?;
    Ok(recovered)
}

/// Checks that what was assumed of the keys is not more than the records say, and the checkpoints again if it was less.
fn agree(assumed: &KeyHistory, said: &KeyHistory, checkpoints: &[Stored]) -> Result<(), OpenError> {
    if let Some(span) = assumed.spans().iter().find(|span| !said.knows(&span.key)) {
        return Err(OpenError::KeyUnnamed { key: span.key.id().to_string() });
    }
    if assumed == said {
        return Ok(());
    }
    for stored in checkpoints {
        let checked = said.open(&stored.note);
        checked.map_err(|error| OpenError::Checkpoint { path: stored.path.clone(), reason: error.to_string() })?;
    }
    Ok(())
}

/// Checks that a checkpoint over no more than the records that are gone is one of the same log.
fn below(layout: &Layout, prefix: &Prefix, checkpoints: &[Stored]) -> Result<(), OpenError> {
    for checkpoint in checkpoints.iter().map(|stored| &stored.checkpoint).filter(|it| it.size() <= prefix.first) {
        prefix
            .grew_from(checkpoint, &StoredTiles(layout))
            .map_err(|_| OpenError::Rewritten { size: checkpoint.size() })?;
    }
    Ok(())
}

/// Where hashing may begin: at the last full tile below the newest checkpoint, if the stored tiles say that the other
/// checkpoint is one of the same log; not before the first record that is there.
fn resumed(layout: &Layout, checkpoints: &[Stored], first: u64) -> Option<Derived> {
    let newest = checkpoints.iter().map(|stored| &stored.checkpoint).max_by_key(|checkpoint| checkpoint.size())?;
    // INVARIANT: at least one sealed record is hashed, so that the root is one over records and not over tiles alone.
    let from = newest.size().checked_sub(1)? / u64::from(TILE_WIDTH) * u64::from(TILE_WIDTH);
    let derived = (from > first).then(|| Derived::resume(layout.clone(), from, newest.size(), first))??;
    let tiles = StoredTiles(layout);
    let same_log = checkpoints.iter().map(|stored| &stored.checkpoint).all(|older| {
        let proof = consistency_proof(older.size(), newest.size(), &tiles);
        proof.is_ok_and(|proof| {
            verify_consistency(older.size(), newest.size(), &proof, older.root(), newest.root()).is_ok()
        })
    });
    same_log.then_some(derived)
}

/// Reads all records, and hashes those that the tree has not yet.
fn read(
    layout: &Layout,
    checkpoints: &[Stored],
    mut derived: Derived,
    mut keys: KeyState,
    visit: &mut dyn FnMut(&Frame<'_>),
) -> Result<Recovered, OpenError> {
    let sealed = checkpoints.iter().map(|stored| stored.checkpoint.size()).max().unwrap_or(0);
    let derive_failed = |source| OpenError::Io { path: layout.tile_dir(), source };
    let mut handover = None;
    let end = walk(layout, &mut |frame| {
        if frame.index >= derived.size() {
            derived.push(frame.bytes.to_vec(), Write::WhereMissing).map_err(derive_failed)?;
            check_root(layout, checkpoints, &mut derived)?;
        }
        let changed = keys.take(frame.index, frame.bytes);
        let changed = changed.map_err(|reason| OpenError::KeyRecord { index: frame.index, reason })?;
        // No checkpoint is published over the record that begins a rotation before the one by both keys is.
        if changed && frame.index >= sealed {
            let begun = keys.rotation.as_ref().is_some_and(|rotation| rotation.index == frame.index);
            handover = if begun { Some((derived.size(), derived.root().map_err(derive_failed)?)) } else { handover };
        }
        visit(frame);
        Ok::<(), OpenError>(())
    })?;
    let dropped_bytes = match end.tail {
        Tail::Altered => return Err(OpenError::Altered { index: end.size }),
        // What a checkpoint sealed had been durable: no crash tears it.
        Tail::Torn(_) if end.size < sealed => return Err(OpenError::Altered { index: end.size }),
        Tail::Clean | Tail::Cut(_) if end.size < sealed => {
            return Err(OpenError::Missing { index: end.size, sealed });
        }
        Tail::Torn(bytes) | Tail::Cut(bytes) => bytes,
        Tail::Clean => 0,
    };
    if end.size == 0 {
        check_root(layout, checkpoints, &mut derived)?;
    }
    derived.write_partial(Write::WhereMissing).map_err(derive_failed)?;
    let epoch = end.epoch.saturating_add(1);
    let recovery = Recovery { size: end.size, sealed, dropped_bytes, epoch };
    Ok(Recovered { recovery, derived, end, keys, handover })
}

/// The published checkpoint and the newest archived one. Earlier ones are left to `verify`.
fn newest(layout: &Layout, keys: &KeyHistory) -> Result<Vec<Stored>, OpenError> {
    let sizes = layout.archived_sizes().map_err(|source| OpenError::Io { path: layout.archive(), source })?;
    let published = checkpoints::read(&layout.checkpoint(), keys)?;
    if published.is_none() && !sizes.is_empty() {
        let source = io::ErrorKind::NotFound.into();
        return Err(OpenError::Io { path: layout.checkpoint(), source });
    }
    let archived = match sizes.last() {
        Some(size) => checkpoints::of_size(checkpoints::read(&layout.archived(*size), keys)?, *size)?,
        None => None,
    };
    Ok(published.into_iter().chain(archived).collect())
}

fn check_root(layout: &Layout, checkpoints: &[Stored], derived: &mut Derived) -> Result<(), OpenError> {
    let size = derived.size();
    // The root is computed only where it is needed.
    for stored in checkpoints.iter().filter(|stored| stored.checkpoint.size() == size) {
        let root = derived.root().map_err(|source| OpenError::Io { path: layout.tile_dir(), source })?;
        if *stored.checkpoint.root() != root {
            return Err(OpenError::Rewritten { size });
        }
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
