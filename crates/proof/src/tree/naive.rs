//! The definitions of RFC 6962, section 2.1, word for word over a slice of leaf hashes: the oracle of the tests.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// MTH(D[n]).
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// PATH(m, D[n]).
pub(crate) fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return vec![];
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, sibling) =
        if m < left.len() { (path(m, left), root(right)) } else { (path(m - left.len(), right), root(left)) };
    path.push(sibling);
    path
}

/// PROOF(m, D[n]) = SUBPROOF(m, D[n], true).
pub(crate) fn proof(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    subproof(m, leaves, true)
}

fn subproof(m: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if complete { vec![] } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, sibling) = if m <= left.len() {
        (subproof(m, left, complete), root(right))
    } else {
        (subproof(m - left.len(), right, false), root(left))
    };
    proof.push(sibling);
    proof
}

fn split(n: usize) -> usize {
    (1..n).rev().find(|k| k.is_power_of_two()).unwrap()
}
