//! How far a removal goes, and what has to stay known.

use super::{
    prefix::{MAX_EARLIER, Parts, Prefix},
    removed::{RECORDS, Removed},
    survey::{Survey, follow},
};
use crate::{
    log::{
        checkpoints::{self, Stored, StoredError},
        keyring,
        layout::Layout,
    },
    payload::Day,
    prove::StoredTiles,
    read::{LogReader, ReadError},
};
use proof::{Checkpoint, KeyHistory, TILE_WIDTH, TileWrite, consistency_proof, verify_consistency};
use std::{
    collections::{BTreeSet, HashSet},
    io,
    path::{Path, PathBuf},
    slice::from_ref,
};
use vocab::{Event, event::Kind};

/// Segments that go at once: 4 GiB of 64 MiB each, which are read for it.
pub const MAX_SEGMENTS: usize = 64;

/// What may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The newest day that may go.
    pub last: Day,
    /// For how many days records have to be kept.
    pub days: u32,
    /// Now, microseconds since the epoch.
    pub t: i64,
    /// Records from this index on are still needed by somebody.
    pub needed_from: u64,
}

/// A removal that is decided, and not done.
#[derive(Debug)]
pub struct Plan {
    /// What it is.
    pub removed: Removed,
    /// Index of the first record that goes.
    pub from: u64,
    /// Bytes of the segments that go.
    pub bytes: u64,
    pub(super) prefix: Prefix,
    /// Full tiles that could not be made again.
    pub(super) tiles: Vec<TileWrite>,
}

/// Why records are not pruned. Nothing is removed then.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// What would have to vouch for the records that go does not.
    #[error("records cannot be pruned, for the log does not verify: {0}")]
    Unsound(String),
    /// A verifier would not take what the record says of the removal: nothing was removed.
    #[error("records are not pruned as event #{index} says: {why}")]
    Refused {
        /// The record.
        index: u64,
        /// Why.
        why: String,
    },
    /// The file system failed.
    #[error("`{path}`: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PruneError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl From<StoredError> for PruneError {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Io { path, source } => Self::Io { path, source },
            invalid @ StoredError::Invalid { .. } => Self::Unsound(invalid.to_string()),
        }
    }
}

impl From<ReadError> for PruneError {
    fn from(error: ReadError) -> Self {
        Self::Unsound(error.to_string())
    }
}

impl Plan {
    /// How many records go.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.removed.first.saturating_sub(self.from)
    }

    /// Makes the event one that tells of the removal.
    pub fn tell(&self, event: &mut Event<'_>) {
        event.kind = Kind::StorePruned;
        let detail = [
            ("bytes", self.bytes.into()),
            ("class", RECORDS.into()),
            ("days", self.removed.days.into()),
            ("first", self.removed.first.into()),
            ("from", self.from.into()),
            ("pruned", self.prefix.digest().into()),
            ("records", self.records().into()),
            ("root", self.prefix.root().to_hex().into()),
            ("through", self.removed.through.to_string().into()),
        ];
        event.detail.extend(detail.map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value)));
    }
}

/// Decides how much of the beginning of the log in `dir` may go: whole segments that a signed checkpoint is over, in which
/// nothing is newer than the limits say, never the last one; up to a place where no rotation of the key is under way and
/// every call that was dispatched has its result. `None` where nothing may.
///
/// # Errors
/// What would go does not verify; the file system fails.
pub fn plan(dir: &Path, limits: &Limits) -> Result<Option<Plan>, PruneError> {
    let layout = Layout::new(dir);
    let prefix = Prefix::read(&layout).map_err(|source| PruneError::io(&layout.pruned(), source))?;
    let from = prefix.as_ref().map_or(0, |prefix| prefix.first);
    let (stored, keys) = keyring::published(&layout)?;
    let Some(stored) = stored else { return Ok(None) };
    let needed = limits.needed_from.min(stored.checkpoint.size());
    let segments = layout.segments().map_err(|source| PruneError::io(&layout.segment_dir(), source))?;
    let segments: Vec<u64> = segments.into_iter().filter(|first| *first >= from).collect();
    if segments.first() != Some(&from) {
        return Err(PruneError::Unsound(format!("record {from} is missing")));
    }
    let kept = kept_sizes(&layout, &keys)?;
    let mut survey = Survey::begin(keyring::first(&layout)?, prefix.as_ref());
    let (mut candidates, mut tiles) = (Vec::new(), Vec::new());
    for pair in segments.windows(2).take(MAX_SEGMENTS) {
        let [first, next] = pair else { break };
        if *next > needed {
            break;
        }
        let Some(writes) = survey.take(&layout, (*first, *next), limits.last)? else { break };
        tiles.extend(writes.into_iter().filter(|write| write.tile.is_full() && is_kept(write, &kept)));
        if survey.keys.rotation.is_none() {
            candidates.push(survey.clone());
        }
    }
    let Some(survey) = all_answered(dir, candidates)? else { return Ok(None) };
    let Some(newest) = survey.newest else { return Ok(None) };
    let (first, through) = (survey.tree.size(), Day::of(newest));
    let removed = Removed { first, t: limits.t, through, days: limits.days };
    let prefix = following(prefix, survey, removed.clone());
    let prefix = prefix.map_err(|source| PruneError::io(&layout.pruned(), source))?;
    check(&layout, &prefix, &keys, &stored.checkpoint)?;
    let going = segments.iter().filter(|segment| **segment < first);
    let bytes = going.map(|segment| std::fs::metadata(layout.segment(*segment)).map_or(0, |found| found.len())).sum();
    // Those that further records filled would be made again from them.
    tiles.retain(|write| (write.tile.index() + 1) << (8 * (u32::from(write.tile.level()) + 1)) <= first);
    Ok(Some(Plan { removed, from, bytes, prefix, tiles }))
}

/// The last place behind which every call that was dispatched before it has its result.
fn all_answered(dir: &Path, candidates: Vec<Survey>) -> Result<Option<Survey>, PruneError> {
    let Some(last) = candidates.last() else { return Ok(None) };
    let mut open: HashSet<String> = last.open.clone();
    if !open.is_empty() {
        for record in LogReader::open(dir)?.iter_from(last.tree.size()) {
            if let Ok(event) = Event::from_bytes(&record?.bytes)
                && event.kind == Kind::ToolResult
            {
                follow(&mut open, &event);
            }
            if open.is_empty() {
                break;
            }
        }
    }
    Ok(candidates.into_iter().rev().find(|candidate| candidate.open.is_disjoint(&open)))
}

fn following(before: Option<Prefix>, survey: Survey, removed: Removed) -> io::Result<Prefix> {
    let (mut earlier, mut forgotten) = (Vec::new(), 0);
    if let Some(before) = before {
        (earlier, forgotten) = (before.earlier, before.forgotten);
        earlier.push(before.removed);
        let over = earlier.len().saturating_sub(MAX_EARLIER);
        forgotten += earlier.drain(..over).count() as u64;
    }
    Prefix::new(Parts {
        epoch: survey.epoch,
        latest: survey.latest,
        keys: survey.keys.history,
        stated: survey.stated,
        tree: survey.tree,
        removed,
        earlier,
        forgotten,
    })
}

/// Checks what goes against what was signed: a log whose beginning does not verify keeps it.
fn check(layout: &Layout, prefix: &Prefix, keys: &KeyHistory, newest: &Checkpoint) -> Result<(), PruneError> {
    let unsound = |error: &dyn std::fmt::Display| PruneError::Unsound(error.to_string());
    let tiles = StoredTiles(layout);
    let proof = consistency_proof(prefix.first, newest.size(), &tiles).map_err(|error| unsound(&error))?;
    verify_consistency(prefix.first, newest.size(), &proof, &prefix.root(), newest.root()).map_err(|error| {
        PruneError::Unsound(format!("the records that would go are not those that were signed: {error}"))
    })?;
    for stored in older(layout, keys, prefix.first)? {
        let grew = prefix.grew_from(&stored.checkpoint, &tiles);
        grew.map_err(|error| PruneError::Unsound(format!("checkpoint `{}`: {error}", stored.path.display())))?;
    }
    for pair in prefix.keys.spans().windows(2) {
        let [old, new] = pair else { break };
        let path = layout.archived(new.from);
        let handover = checkpoints::read_signed(&path, keys)?;
        let by_both = |stored: &Stored| [old, new].iter().all(|span| stored.note.verify(from_ref(&span.key)).is_ok());
        if !handover.is_some_and(|stored| by_both(&stored)) {
            return Err(PruneError::Unsound(format!("`{}` is not signed by both keys", path.display())));
        }
    }
    Ok(())
}

/// All checkpoints over no more than `first` records.
fn older(layout: &Layout, keys: &KeyHistory, first: u64) -> Result<Vec<Stored>, PruneError> {
    let sizes = layout.archived_sizes().map_err(|source| PruneError::io(&layout.archive(), source))?;
    let mut found = Vec::new();
    for size in sizes.into_iter().take_while(|size| *size <= first) {
        found.extend(checkpoints::of_size(checkpoints::read_signed(&layout.archived(size), keys)?, size)?);
    }
    found.extend(cosigned(layout, keys)?.into_iter().filter(|stored| stored.checkpoint.size() <= first));
    Ok(found)
}

fn cosigned(layout: &Layout, keys: &KeyHistory) -> Result<Vec<Stored>, PruneError> {
    let files = layout.cosigned_files().map_err(|source| PruneError::io(&layout.witnesses(), source))?;
    let mut found = Vec::new();
    for path in files {
        found.extend(checkpoints::read_signed(&path, keys)?);
    }
    Ok(found)
}

/// Sizes of the checkpoints that stay when the records under them go: those by which a key handed over to the next, and
/// those that witnesses cosigned last.
pub(super) fn kept_sizes(layout: &Layout, keys: &KeyHistory) -> Result<BTreeSet<u64>, PruneError> {
    let handovers = keys.spans().iter().map(|span| span.from).filter(|from| *from > 0);
    let cosigned = cosigned(layout, keys)?;
    Ok(handovers.chain(cosigned.iter().map(|stored| stored.checkpoint.size())).collect())
}

/// Whether a tile stays: every one above the leaves, and of these the one that a kept checkpoint ends in.
fn is_kept(write: &TileWrite, kept: &BTreeSet<u64>) -> bool {
    write.tile.level() > 0 || is_edge(write.tile.index(), kept)
}

/// Whether a kept checkpoint ends within this tile of leaves.
pub(super) fn is_edge(index: u64, kept: &BTreeSet<u64>) -> bool {
    let width = u64::from(TILE_WIDTH);
    kept.range(index.saturating_mul(width).saturating_add(1)..index.saturating_add(1).saturating_mul(width))
        .next()
        .is_some()
}
