//! Checking proofs (RFC 9162, section 2.1.3.2 and 2.1.4.2). Pure: needs no tree, only the proof and the roots.

use super::MAX_TREE_SIZE;
use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No tree has more than 2^63-1 leaves.
    #[error("a tree of {size} leaves is larger than 2^63-1")]
    TooLarge {
        /// The size claimed.
        size: u64,
    },
    /// The tree has no such leaf.
    #[error("a tree of {size} leaves has no leaf {index}")]
    IndexOutOfRange {
        /// The leaf claimed, counted from 0.
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
    /// Sizes and index determine how many hashes a proof has.
    #[error("the proof has {found} hashes, which does not fit the tree sizes")]
    Length {
        /// Number of hashes given.
        found: usize,
    },
    /// The proof does not lead to the tree's root (the later one, for consistency).
    #[error("the proof does not lead to the root")]
    RootMismatch,
    /// The proof does not lead to the root of the earlier tree.
    #[error("the proof does not lead to the earlier root")]
    OldRootMismatch,
}

/// Checks that the leaf with hash `leaf` stands at `index` of the tree of `size` leaves with this `root`.
///
/// Binds leaf, index and root. The size itself is bound only by the checkpoint that signs it together with the root.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), VerifyError> {
    if size > MAX_TREE_SIZE {
        return Err(VerifyError::TooLarge { size });
    }
    if index >= size {
        return Err(VerifyError::IndexOutOfRange { index, size });
    }
    let length = VerifyError::Length { found: path.len() };
    let mut climb = Climb { node: index, last: size - 1 };
    let mut hash = leaf;
    for sibling in path {
        hash = match climb.step().ok_or(length)? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    if !climb.at_root() {
        return Err(length);
    }
    if hash == *root { Ok(()) } else { Err(VerifyError::RootMismatch) }
}

/// Checks that the tree of `new` leaves with `new_root` begins with the tree of `old` leaves with `old_root`.
///
/// Every tree begins with the empty one, so `old` 0 asks for an empty proof and [`EMPTY_ROOT`].
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), VerifyError> {
    if new > MAX_TREE_SIZE {
        return Err(VerifyError::TooLarge { size: new });
    }
    if old > new {
        return Err(VerifyError::Shrinks { old, new });
    }
    let length = VerifyError::Length { found: proof.len() };
    if old == 0 || old == new {
        return match proof {
            [] if old == 0 && *old_root != EMPTY_ROOT => Err(VerifyError::OldRootMismatch),
            [] if old == new && old_root != new_root => Err(VerifyError::RootMismatch),
            [] => Ok(()),
            _ => Err(length),
        };
    }
    // A perfect old tree is a subtree of the new one: the climb begins at its root, which the proof leaves out.
    let (first, rest) = match proof.split_first() {
        Some(_) if old.is_power_of_two() => (old_root, proof),
        Some(split) => split,
        None => return Err(length),
    };
    let mut climb = Climb { node: old - 1, last: new - 1 };
    climb.skip_right_edge();
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        match climb.step().ok_or(length)? {
            Side::Left => {
                old_hash = node_hash(sibling, &old_hash);
                new_hash = node_hash(sibling, &new_hash);
            }
            Side::Right => new_hash = node_hash(&new_hash, sibling),
        }
    }
    if !climb.at_root() {
        return Err(length);
    }
    if old_hash != *old_root {
        return Err(VerifyError::OldRootMismatch);
    }
    if new_hash == *new_root { Ok(()) } else { Err(VerifyError::RootMismatch) }
}

/// The way from a node up to the root, in the numbering of its level.
struct Climb {
    node: u64,
    /// The rightmost node of the same level.
    last: u64,
}

/// On which side of the climbing node its sibling stands.
enum Side {
    Left,
    Right,
}

impl Climb {
    /// One level up; `None` at the root.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node & 1 == 1 {
            Side::Left
        } else if self.node == self.last {
            // A rightmost node without sibling is passed up unchanged until it has one on its left.
            self.up_while(|climb| climb.node & 1 == 0 && climb.node != 0);
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Some(side)
    }

    /// Leaves out the levels on which the node is the right child, so that it is the root of a perfect subtree.
    fn skip_right_edge(&mut self) {
        self.up_while(|climb| climb.node & 1 == 1);
    }

    fn at_root(&self) -> bool {
        self.last == 0
    }

    fn up_while(&mut self, more: impl Fn(&Self) -> bool) {
        while more(self) {
            self.up();
        }
    }

    fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }
}
