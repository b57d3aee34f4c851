//! A growing tree, reduced to the roots of its perfect subtrees.

use super::{MAX_TREE_SIZE, prove::TileTree};
use crate::{
    hash::{EMPTY_ROOT, Hash, node_hash},
    tile::{HashReader, ResumeError},
};

/// A tree of which only what further leaves and the root need is kept: at most 63 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees the leaves split into, largest and leftmost first.
    // INVARIANT: one hash for each set bit of `size`.
    peaks: Vec<Hash>,
}

/// A log cannot take another entry: it would have more than 2^63-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log holds at most 2^63-1 entries")]
pub struct TreeFull;

/// Why stored parts are no frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// No tree has more than 2^63-1 leaves.
    #[error("a log holds at most 2^63-1 entries")]
    TooLarge,
    /// A size goes with exactly one number of hashes.
    #[error("a tree of {size} leaves has {expected} perfect subtrees, found {found}")]
    Peaks {
        /// The size given.
        size: u64,
        /// Number of set bits of the size.
        expected: u32,
        /// Number of hashes given.
        found: usize,
    },
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A frontier stored earlier as its [`size`](Self::size) and [`peaks`](Self::peaks).
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Result<Self, FrontierError> {
        if size > MAX_TREE_SIZE {
            return Err(FrontierError::TooLarge);
        }
        let expected = size.count_ones();
        if u32::try_from(peaks.len()) != Ok(expected) {
            return Err(FrontierError::Peaks { size, expected, found: peaks.len() });
        }
        Ok(Self { size, peaks })
    }

    /// Goes on where a log of `size` leaves ended, from its tiles.
    pub fn resume(size: u64, reader: &(impl HashReader + ?Sized)) -> Result<Self, ResumeError> {
        if size > MAX_TREE_SIZE {
            return Err(ResumeError::TooLarge);
        }
        Ok(Self { size, peaks: TileTree::new(size, reader).peaks(0, size)? })
    }

    /// Appends one leaf, given its [`leaf_hash`](crate::leaf_hash).
    pub fn append(&mut self, leaf: Hash) -> Result<(), TreeFull> {
        if self.size >= MAX_TREE_SIZE {
            return Err(TreeFull);
        }
        let mut hash = leaf;
        // Like a carry: every trailing one bit is a perfect subtree that the new one completes to twice its size.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
        Ok(())
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the perfect subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The tree's root, [`EMPTY_ROOT`] without leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        bag(&self.peaks)
    }
}

/// The root over perfect subtrees, largest first.
pub(crate) fn bag(peaks: &[Hash]) -> Hash {
    peaks.iter().copied().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hash::leaf_hash, tree::naive};

    #[test]
    fn roots_are_those_of_the_definition() {
        let leaves: Vec<_> = (0..300u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        let mut frontier = Frontier::new();
        for (size, leaf) in leaves.iter().enumerate() {
            assert_eq!(frontier.root(), naive::root(&leaves[..size]));
            let again = Frontier::from_parts(frontier.size(), frontier.peaks().to_vec());
            assert_eq!(again.as_ref(), Ok(&frontier));
            frontier.append(*leaf).unwrap();
        }
    }

    #[test]
    fn the_largest_tree_is_full() {
        let mut frontier = Frontier::from_parts(MAX_TREE_SIZE - 1, vec![EMPTY_ROOT; 62]).unwrap();
        assert_eq!(frontier.append(EMPTY_ROOT), Ok(()));
        assert_eq!(frontier.size(), MAX_TREE_SIZE);
        let before = frontier.clone();
        assert_eq!(frontier.append(EMPTY_ROOT), Err(TreeFull));
        assert_eq!(frontier, before);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert_eq!(Frontier::from_parts(MAX_TREE_SIZE + 1, vec![EMPTY_ROOT]), Err(FrontierError::TooLarge));
        let error = FrontierError::Peaks { size: 6, expected: 2, found: 1 };
        assert_eq!(Frontier::from_parts(6, vec![EMPTY_ROOT]), Err(error));
    }
}
