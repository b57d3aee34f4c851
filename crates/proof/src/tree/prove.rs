//! Proofs made from stored tiles (RFC 6962, section 2.1.1 and 2.1.2).
//!
//! What a reader returns is believed: a damaged tile gives a wrong proof, never a wrong verdict. A server checks a
//! fresh proof with [`verify_inclusion`](super::verify_inclusion) before it hands it out.

use std::{cell::RefCell, collections::BTreeMap};

use super::{MAX_TREE_SIZE, bag, left_leaves};
use crate::{
    hash::Hash,
    tile::{HashReader, ReadError, TILE_HEIGHT, TILE_WIDTH, TileId, perfect_root, read_exact},
};

/// Why a proof cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// No tree has more than 2^63-1 leaves.
    #[error("a tree of {size} leaves is larger than 2^63-1")]
    TooLarge {
        /// The size asked for.
        size: u64,
    },
    /// The tree has no such leaf.
    #[error("a tree of {size} leaves has no leaf {index}")]
    IndexOutOfRange {
        /// The leaf asked for, counted from 0.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// A tree can only be consistent with larger ones.
    #[error("a tree of {old} leaves cannot have grown to {new}")]
    Shrinks {
        /// Size of the earlier tree.
        old: u64,
        /// Size of the later tree.
        new: u64,
    },
    /// A tile the proof needs could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Root of the tree of the first `size` leaves.
pub fn root_at(size: u64, reader: &(impl HashReader + ?Sized)) -> Result<Hash, ProveError> {
    check_size(size)?;
    Ok(TileTree::new(size, reader).range(0, size)?)
}

/// Proof that leaf `index` is in the tree of `size` leaves: sibling hashes from the leaf up.
pub fn inclusion_proof(index: u64, size: u64, reader: &(impl HashReader + ?Sized)) -> Result<Vec<Hash>, ProveError> {
    check_size(size)?;
    if index >= size {
        return Err(ProveError::IndexOutOfRange { index, size });
    }
    let tree = TileTree::new(size, reader);
    let (mut low, mut high) = (0, size);
    let mut path = Vec::new();
    while high - low > 1 {
        let middle = low + left_leaves(high - low);
        if index < middle {
            path.push(tree.range(middle, high)?);
            high = middle;
        } else {
            path.push(tree.range(low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves. Empty where `old` is 0 or `new`.
pub fn consistency_proof(old: u64, new: u64, reader: &(impl HashReader + ?Sized)) -> Result<Vec<Hash>, ProveError> {
    check_size(new)?;
    if old > new {
        return Err(ProveError::Shrinks { old, new });
    }
    let tree = TileTree::new(new, reader);
    let (mut low, mut high) = (0, new);
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    while high != old {
        let middle = low + left_leaves(high - low);
        if old <= middle {
            proof.push(tree.range(middle, high)?);
            high = middle;
        } else {
            proof.push(tree.range(low, middle)?);
            low = middle;
        }
    }
    // Where the old tree is itself a subtree of the new one, the verifier has its root already.
    if low > 0 {
        proof.push(tree.range(low, high)?);
    }
    proof.reverse();
    Ok(proof)
}

fn check_size(size: u64) -> Result<(), ProveError> {
    if size > MAX_TREE_SIZE { Err(ProveError::TooLarge { size }) } else { Ok(()) }
}

/// The hashes of one tree size, read from tiles; each tile is read once.
pub(super) struct TileTree<'r, R: ?Sized> {
    size: u64,
    reader: &'r R,
    seen: RefCell<BTreeMap<TileId, Vec<Hash>>>,
}

impl<'r, R: HashReader + ?Sized> TileTree<'r, R> {
    /// `size` is at most [`MAX_TREE_SIZE`].
    pub(super) fn new(size: u64, reader: &'r R) -> Self {
        Self { size, reader, seen: RefCell::default() }
    }

    /// Root over the leaves `low..high`, where `low` is a multiple of a power of two >= `high - low`.
    fn range(&self, low: u64, high: u64) -> Result<Hash, ReadError> {
        Ok(bag(&self.peaks(low, high)?))
    }

    /// Roots of the perfect subtrees that `low..high` splits into, largest first.
    pub(super) fn peaks(&self, low: u64, high: u64) -> Result<Vec<Hash>, ReadError> {
        let mut start = low;
        let mut peaks = Vec::new();
        for height in (0..u64::BITS).rev().filter(|height| (high - low) >> height & 1 == 1) {
            peaks.push(self.subtree(height, start >> height)?);
            start += 1 << height;
        }
        Ok(peaks)
    }

    /// Root of the perfect subtree of 2^`height` leaves at position `index` of its level.
    fn subtree(&self, height: u32, index: u64) -> Result<Hash, ReadError> {
        // Within its tile level the subtree stands on 2^(height mod 8) neighbouring hashes of one tile.
        let below = height % TILE_HEIGHT;
        let level = u8::try_from(height / TILE_HEIGHT).unwrap_or(u8::MAX);
        let first = index << below;
        let (tile, offset) = (first / u64::from(TILE_WIDTH), first % u64::from(TILE_WIDTH));
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.with_tile(level, tile, |hashes| hashes.get(offset..)?.get(..1 << below).map(perfect_root))
    }

    fn with_tile(&self, level: u8, index: u64, take: impl Fn(&[Hash]) -> Option<Hash>) -> Result<Hash, ReadError> {
        // A perfect subtree of the tree always lies in a tile of the tree; a tile id that cannot exist reads as empty.
        let Some(tile) = TileId::in_tree(level, index, self.size) else {
            return Err(ReadError::OutsideTree { level, index });
        };
        let mut seen = self.seen.borrow_mut();
        let hashes = match seen.entry(tile) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(read_exact(self.reader, tile)?),
        };
        take(hashes).ok_or(ReadError::Short { tile, found: hashes.len() })
    }
}
