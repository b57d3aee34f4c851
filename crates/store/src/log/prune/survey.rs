//! The records of a segment that may go, and what is known after them.

use super::{PruneError, prefix::Prefix, removed::Stated};
use crate::{
    log::{
        keyring::KeyringError,
        layout::Layout,
        rotation::KeyState,
        scan::{SegmentScan, Step},
    },
    payload::Day,
};
use proof::{Hash, TileBuilder, TileWrite, Verifier, leaf_hash};
use std::collections::HashSet;
use vocab::{
    Event,
    event::{Kind, VERSION},
};

/// Calls at once that were dispatched and have no result. There cannot be more in flight.
const MAX_OPEN: usize = 65_536;

/// What is known after some records of a log.
#[derive(Clone)]
pub(super) struct Survey {
    pub(super) tree: TileBuilder,
    pub(super) keys: KeyState,
    pub(super) stated: Stated,
    pub(super) epoch: u32,
    /// The newest stamp of all records.
    pub(super) latest: i64,
    /// The newest stamp of those that may go now.
    pub(super) newest: Option<i64>,
    /// Calls that were dispatched and have no result yet.
    pub(super) open: HashSet<String>,
}

impl Survey {
    /// Before the first record that is there.
    pub(super) fn begin(first: Verifier, prefix: Option<&Prefix>) -> Self {
        let keys = prefix.map_or_else(|| KeyState::new(first), |prefix| KeyState::after(prefix.keys.clone()));
        Self {
            tree: prefix.map_or_else(TileBuilder::new, |prefix| prefix.tree.clone()),
            keys,
            stated: prefix.map(|prefix| prefix.stated.clone()).unwrap_or_default(),
            epoch: prefix.map_or(0, |prefix| prefix.epoch),
            latest: prefix.map_or(i64::MIN, |prefix| prefix.latest),
            newest: None,
            open: HashSet::new(),
        }
    }

    /// Takes in the segment from `first` to before `next`; the tiles that change with it. `None` where something in it is
    /// newer than `last`, or cannot be read: then it stays, and what follows it.
    pub(super) fn take(
        &mut self,
        layout: &Layout,
        (first, next): (u64, u64),
        last: Day,
    ) -> Result<Option<Vec<TileWrite>>, PruneError> {
        let path = layout.segment(first);
        let mut scan = SegmentScan::open(&path, first, self.epoch).map_err(|source| PruneError::io(&path, source))?;
        let mut leaves: Vec<Hash> = Vec::new();
        loop {
            let step = scan.step().map_err(|source| PruneError::io(&path, source))?;
            let Step::Record(frame) = step else { break };
            let Ok(event) = Event::from_bytes(frame.bytes) else { return Ok(None) };
            if event.v != VERSION || Day::of(event.t) > last {
                return Ok(None);
            }
            let changed = self.keys.take(frame.index, frame.bytes);
            changed.map_err(|reason| PruneError::Unsound(format!("record {}: {reason}", frame.index)))?;
            self.stated.hear(&event);
            self.latest = self.latest.max(event.t);
            self.newest = self.newest.max(Some(event.t));
            follow(&mut self.open, &event);
            if self.open.len() > MAX_OPEN {
                return Ok(None);
            }
            leaves.push(leaf_hash(frame.bytes));
            self.epoch = frame.epoch;
        }
        if scan.next_index() != next {
            return Err(PruneError::Unsound(format!("record {} is missing or altered", scan.next_index())));
        }
        self.tree.append(&leaves).map(Some).map_err(|error| PruneError::Unsound(error.to_string()))
    }
}

/// Keeps the calls that were dispatched and have no result.
pub(super) fn follow(open: &mut HashSet<String>, event: &Event<'_>) {
    match (event.kind, event.call.as_deref()) {
        (Kind::ToolDispatch, Some(call)) => drop(open.insert(call.to_owned())),
        (Kind::ToolResult, Some(call)) => drop(open.remove(call)),
        _ => {}
    }
}

impl From<KeyringError> for PruneError {
    fn from(error: KeyringError) -> Self {
        Self::Unsound(error.to_string())
    }
}
