//! The log begins elsewhere, and files are removed.

use super::{
    plan::{Plan, PruneError, is_edge, kept_sizes},
    prefix::Prefix,
};
use crate::{
    atomic::{self, Durable},
    log::{keyring, layout::Layout},
    read::LogReader,
    verify::{Gone, Judged},
};
use proof::{BundleId, TILE_WIDTH, TileId, TileWrite};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};
use vocab::Event;

/// What became of a removal that was prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Nothing was under way.
    Nothing,
    /// The record that tells of it is under no checkpoint yet.
    Waiting,
    /// The records are gone.
    Done,
}

/// Makes durable what has to stay known. The log is as it was: the removal has still to be told, and [`finish`]ed.
///
/// # Errors
/// The file system fails.
pub fn prepare(dir: &Path, plan: &Plan) -> Result<(), PruneError> {
    let layout = Layout::new(dir);
    for write in &plan.tiles {
        keep_tile(&layout, write).map_err(|source| PruneError::io(&layout.tile(&write.tile.path()), source))?;
    }
    let next = layout.pruned_next();
    atomic::replace(&next, &layout.pruned_scratch(), plan.prefix.format().as_bytes(), Durable::There)
        .map_err(|source| PruneError::io(&next, source))
}

/// Makes a tile durable, which nothing did while it could be made again.
fn keep_tile(layout: &Layout, write: &TileWrite) -> io::Result<()> {
    let path = layout.tile(&write.tile.path());
    if std::fs::read(&path).is_ok_and(|found| found == write.bytes) {
        atomic::step(&path)?;
        File::open(&path)?.sync_all()?;
    } else {
        atomic::create_dir(path.parent().unwrap_or(&path))?;
        atomic::replace(&path, &layout.pruned_scratch(), &write.bytes, Durable::There)?;
    }
    // The names of the directories it is in, too.
    let mut dir = path.as_path();
    while dir != layout.tile_dir() {
        atomic::sync_parent(dir)?;
        dir = dir.parent().unwrap_or(dir);
    }
    Ok(())
}

/// Does what a removal that was told has still to do, also one that a crash interrupted. A prepared one that no record tells
/// of is forgotten; and one whose record the verifier would not take, for what is gone cannot be put back.
///
/// # Errors
/// The record is not taken; the file system fails, and the next time goes on from there.
pub fn finish(dir: &Path) -> Result<Finished, PruneError> {
    let layout = Layout::new(dir);
    let next = layout.pruned_next();
    let prepared = match Prefix::read_at(&next) {
        // Half a file is one that nothing tells of: it was to be durable before.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
        read => read.map_err(|source| PruneError::io(&next, source))?,
    };
    let mut finished = Finished::Nothing;
    if let Some(prefix) = &prepared {
        let (stored, _) = keyring::published(&layout)?;
        let sealed = stored.map_or(0, |stored| stored.checkpoint.size());
        match told(dir, prefix)? {
            Some((index, Err(why))) => {
                remove(&next)?;
                return Err(PruneError::Refused { index, why });
            }
            Some((index, Ok(()))) if index >= sealed => return Ok(Finished::Waiting),
            Some(_) => {
                begin_there(&layout).map_err(|source| PruneError::io(&layout.pruned(), source))?;
                finished = Finished::Done;
            }
            None => {}
        }
    }
    if finished == Finished::Nothing {
        remove(&next)?;
    }
    clean(&layout)?;
    Ok(finished)
}

/// The record that tells of this removal, and what a verifier would say against it.
fn told(dir: &Path, prefix: &Prefix) -> Result<Option<Judged>, PruneError> {
    let mut gone = Gone::new(prefix.clone());
    for record in LogReader::open(dir)?.iter_from(prefix.first) {
        let record = record?;
        if let Ok(event) = Event::from_bytes(&record.bytes) {
            gone.see(record.index, &event);
        }
        if gone.told.is_some() {
            break;
        }
    }
    Ok(gone.told)
}

/// From here on the log begins at another index. The checkpoint over the record that says so is durable before.
fn begin_there(layout: &Layout) -> io::Result<()> {
    atomic::sync_parent(&layout.checkpoint())?;
    atomic::rename(&layout.pruned_next(), &layout.pruned())?;
    atomic::sync_parent(&layout.pruned())
}

/// Removes what lies before the log's first index. The segments last: as long as one is there, this is done again.
fn clean(layout: &Layout) -> Result<(), PruneError> {
    let Some(prefix) = Prefix::read(layout).map_err(|source| PruneError::io(&layout.pruned(), source))? else {
        return Ok(());
    };
    let segments = layout.segments().map_err(|source| PruneError::io(&layout.segment_dir(), source))?;
    let over: Vec<u64> = segments.into_iter().filter(|first| *first < prefix.first).collect();
    if over.is_empty() {
        return Ok(());
    }
    let (_, keys) = keyring::published(layout)?;
    let kept = kept_sizes(layout, &keys)?;
    let sizes = layout.archived_sizes().map_err(|source| PruneError::io(&layout.archive(), source))?;
    for size in sizes.into_iter().filter(|size| *size < prefix.first && !kept.contains(size)) {
        remove(&layout.archived(size))?;
    }
    let width = u64::from(TILE_WIDTH);
    for index in prefix.before() / width..prefix.first.div_ceil(width) {
        let bundle = BundleId::new(index, TILE_WIDTH).map(|bundle| bundle.path());
        // The last one is not wholly before the first index: its hashes are needed, the records in its bundle are not there.
        let is_before = (index + 1).saturating_mul(width) <= prefix.first;
        let tile = TileId::new(0, index, TILE_WIDTH).ok().filter(|_| is_before).map(|tile| tile.path());
        for path in bundle.ok().into_iter().chain(tile.clone()) {
            remove_all(&layout.tile(&format!("{path}.p")))?;
            if Some(&path) != tile.as_ref() || !is_edge(index, &kept) {
                remove(&layout.tile(&path))?;
            }
        }
    }
    for first in over {
        remove(&layout.segment(first))?;
    }
    let dir = layout.segment_dir();
    atomic::sync_parent(&layout.segment(prefix.first)).map_err(|source| PruneError::io(&dir, source))
}

fn remove(path: &Path) -> Result<(), PruneError> {
    gone(path, std::fs::symlink_metadata(path).and_then(|_| atomic::remove(path)))
}

fn remove_all(path: &PathBuf) -> Result<(), PruneError> {
    let step = std::fs::symlink_metadata(path).and_then(|_| atomic::step(path));
    gone(path, step.and_then(|()| std::fs::remove_dir_all(path)))
}

/// That it is gone already is no error.
fn gone(path: &Path, done: io::Result<()>) -> Result<(), PruneError> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(PruneError::io(path, error)),
        _ => Ok(()),
    }
}
