//! Reading all segments of a log, one after the other.

use super::{
    frame::Frame,
    layout::Layout,
    prune::prefix,
    scan::{SegmentScan, Step, Tail},
};
use std::{io, path::PathBuf};

/// Where a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Number of records, those that were pruned included.
    pub(crate) size: u64,
    /// Epoch of the last record, 0 without one.
    pub(crate) epoch: u32,
    /// First index of the last segment; none without a segment.
    pub(crate) segment: Option<u64>,
    /// Where in the last segment the next frame belongs.
    pub(crate) offset: u64,
    /// What lies there.
    pub(crate) tail: Tail,
}

/// Why a log cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    #[error("`{path}` cannot be read: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("record {0} is missing, later ones are there")]
    Missing(u64),
    #[error("record {0} is altered")]
    Altered(u64),
}

/// Shows every record to `visit` and returns where the log ends. Segments before the log's first index are none of it: a
/// removal is under way.
pub(crate) fn walk<E: From<WalkError>>(
    layout: &Layout,
    visit: &mut dyn FnMut(&Frame<'_>) -> Result<(), E>,
) -> Result<End, E> {
    let segments = layout.segments().map_err(|source| WalkError::Io { path: layout.segment_dir(), source })?;
    let start = prefix::start(layout).map_err(|source| WalkError::Io { path: layout.pruned(), source })?;
    let mut end = End { size: start.0, epoch: start.1, segment: None, offset: 0, tail: Tail::Clean };
    for first in segments.into_iter().filter(|first| *first >= start.0) {
        // INVARIANT: a segment is begun only when the one before holds all its records, and these are durable.
        match end.tail {
            Tail::Torn(_) | Tail::Altered => return Err(WalkError::Altered(end.size).into()),
            Tail::Cut(_) => return Err(WalkError::Missing(end.size).into()),
            Tail::Clean if first < end.size => return Err(WalkError::Altered(first).into()),
            Tail::Clean if first > end.size => return Err(WalkError::Missing(end.size).into()),
            Tail::Clean => {}
        }
        end = segment(layout, first, end.epoch, visit)?;
    }
    if end.segment.is_none() && end.size > 0 {
        // What is pruned is never the last segment.
        return Err(WalkError::Missing(end.size).into());
    }
    match end.tail {
        Tail::Altered => Err(WalkError::Altered(end.size).into()),
        Tail::Clean | Tail::Cut(_) | Tail::Torn(_) => Ok(end),
    }
}

fn segment<E: From<WalkError>>(
    layout: &Layout,
    first: u64,
    epoch: u32,
    visit: &mut dyn FnMut(&Frame<'_>) -> Result<(), E>,
) -> Result<End, E> {
    let path = layout.segment(first);
    let failed = |source| WalkError::Io { path: path.clone(), source };
    let mut scan = SegmentScan::open(&path, first, epoch).map_err(failed)?;
    let tail = loop {
        while let Step::Record(frame) = scan.step().map_err(failed)? {
            visit(&frame)?;
        }
        let tail = scan.tail().map_err(failed)?;
        if tail == Tail::Clean {
            break tail;
        }
        // While a gateway writes, what was read ahead may be older than what the tail shows: look again. What still
        // is no record then never will be, since a commit is written only when the one before is complete.
        scan.refresh();
        match scan.step().map_err(failed)? {
            Step::Record(frame) => visit(&frame)?,
            Step::End | Step::Bad => break tail,
        }
    };
    Ok(End { size: scan.next_index(), epoch: scan.epoch(), segment: Some(first), offset: scan.offset(), tail })
}
