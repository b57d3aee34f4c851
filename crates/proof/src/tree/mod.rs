//! The Merkle tree of RFC 6962 and RFC 9162.
//!
//! `frontier` grows a tree in O(log n) memory, `prove` makes proofs from tiles, `verify` checks proofs with nothing but
//! the proof itself.

mod frontier;
mod prove;
mod verify;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

pub(crate) use frontier::bag;
pub use frontier::{Frontier, FrontierError, TreeFull};
pub use prove::{ProveError, consistency_proof, inclusion_proof, root_at};
pub use verify::{VerifyError, verify_consistency, verify_inclusion};

/// Most leaves a tree can have: 2^63-1. Other implementations read sizes as signed 64-bit integers, and a size only
/// some verifiers understand proves nothing to the others.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// Leaves of the left subtree of a tree of `leaves` >= 2: the largest power of two below (RFC 6962, section 2.1).
fn left_leaves(leaves: u64) -> u64 {
    1 << (leaves.saturating_sub(1).max(1)).ilog2()
}
