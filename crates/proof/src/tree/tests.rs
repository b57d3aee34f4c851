//! Proofs against the known CT vectors, the definition, and trees up to the largest size.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{naive, *};
use crate::{
    hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash},
    tile::{HashReader, ReadError, TileBuilder, TileId, decode_hashes},
};

type Tiles = BTreeMap<TileId, Vec<Hash>>;

/// The eight entries of the Certificate Transparency reference tests and the roots of their trees.
const CT_LEAVES: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
];
const CT_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn tiles(leaves: &[Hash]) -> Tiles {
    let writes = TileBuilder::new().append(leaves).unwrap();
    writes.into_iter().map(|write| (write.tile, decode_hashes(write.tile, &write.bytes).unwrap())).collect()
}

fn numbered(count: u32) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

fn hexes(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_hex).collect()
}

#[test]
fn ct_roots() {
    let leaves: Vec<_> = CT_LEAVES.into_iter().map(leaf_hash).collect();
    let tiles = tiles(&leaves);
    assert_eq!(root_at(0, &tiles).unwrap(), EMPTY_ROOT);
    for (size, expected) in (1..).zip(CT_ROOTS) {
        let mut frontier = Frontier::new();
        leaves.iter().take(size).for_each(|leaf| frontier.append(*leaf).unwrap());
        assert_eq!(frontier.root().to_hex(), expected);
        assert_eq!(root_at(size as u64, &tiles).unwrap().to_hex(), expected);
    }
}

#[test]
fn ct_inclusion_and_consistency_paths() {
    let leaves: Vec<_> = CT_LEAVES.into_iter().map(leaf_hash).collect();
    let tiles = tiles(&leaves);
    let inclusion = |index, size| hexes(&inclusion_proof(index, size, &tiles).unwrap());
    let consistency = |old, new| hexes(&consistency_proof(old, new, &tiles).unwrap());
    let of_leaf_0_in_8 = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    let of_leaf_5_in_8 = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(inclusion(0, 8), of_leaf_0_in_8);
    assert_eq!(inclusion(5, 8), of_leaf_5_in_8);
    assert_eq!(inclusion(2, 3), ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]);
    assert_eq!(
        inclusion(1, 5),
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ]
    );
    assert_eq!(consistency(1, 8), of_leaf_0_in_8);
    assert_eq!(
        consistency(6, 8),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    assert_eq!(
        consistency(2, 5),
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ]
    );
}

/// All pairs where trees are small or at the edge of a tile, else edges and a stride through the middle.
fn interesting(limit: usize) -> impl Iterator<Item = usize> {
    let step = if limit <= 40 { 1 } else { 61 };
    let edges = [1, limit.saturating_sub(2), limit.saturating_sub(1), 128, 255, 256, 257];
    (0..limit).step_by(step).chain(edges.into_iter().filter(move |at| *at < limit && step > 1))
}

/// The definition hashes the whole tree for each proof: only for small trees and around the end of a tile.
fn by_definition(size: usize) -> bool {
    size <= 70 || (254..=259).contains(&size)
}

#[test]
fn inclusion_for_all_sizes_to_300() {
    let leaves = numbered(300);
    let tiles = tiles(&leaves);
    for size in 1..=leaves.len() {
        let root = root_at(size as u64, &tiles).unwrap();
        for index in interesting(size) {
            let path = inclusion_proof(index as u64, size as u64, &tiles).unwrap();
            if by_definition(size) {
                assert_eq!(path, naive::path(index, &leaves[..size]), "{index} of {size}");
            }
            let check = |leaf, index, path: &[Hash]| verify_inclusion(leaf, index, size as u64, path, &root);
            assert_eq!(check(leaves[index], index as u64, &path), Ok(()), "{index} of {size}");
            assert_eq!(check(EMPTY_ROOT, index as u64, &path), Err(VerifyError::RootMismatch));
            assert!(size == 1 || check(leaves[index], ((index + 1) % size) as u64, &path).is_err());
            assert!(check(leaves[index], index as u64, &[&path[..], &[EMPTY_ROOT]].concat()).is_err());
            assert!(path.is_empty() || check(leaves[index], index as u64, &path[1..]).is_err());
        }
    }
}

#[test]
fn consistency_for_all_sizes_to_300() {
    let leaves = numbered(300);
    let tiles = tiles(&leaves);
    for new in 0..=leaves.len() {
        let new_root = root_at(new as u64, &tiles).unwrap();
        for old in interesting(new + 1) {
            let proof = consistency_proof(old as u64, new as u64, &tiles).unwrap();
            let old_root = root_at(old as u64, &tiles).unwrap();
            let check = |proof: &[Hash], old_root: &Hash, new_root: &Hash| {
                verify_consistency(old as u64, new as u64, proof, old_root, new_root)
            };
            if old > 0 && by_definition(new) {
                assert_eq!(proof, naive::proof(old, &leaves[..new]), "{old} to {new}");
            }
            assert_eq!(check(&proof, &old_root, &new_root), Ok(()), "{old} to {new}");
            let other = leaf_hash(b"another history");
            assert!(check(&proof, &other, &new_root).is_err(), "{old} to {new}");
            assert!(old == 0 || check(&proof, &old_root, &other).is_err(), "{old} to {new}");
            assert!(check(&[&proof[..], &[other]].concat(), &old_root, &new_root).is_err());
            assert!(proof.is_empty() || check(&proof[1..], &old_root, &new_root).is_err());
        }
    }
}

#[test]
fn sizes_and_indexes_out_of_range_are_refused() {
    let none = Tiles::new();
    let max = MAX_TREE_SIZE;
    assert!(matches!(root_at(max + 1, &none), Err(ProveError::TooLarge { .. })));
    assert!(matches!(root_at(max, &none), Err(ProveError::Read(ReadError::Missing(_)))));
    assert!(matches!(inclusion_proof(0, 0, &none), Err(ProveError::IndexOutOfRange { .. })));
    assert!(matches!(inclusion_proof(0, u64::MAX, &none), Err(ProveError::TooLarge { .. })));
    assert!(matches!(consistency_proof(2, 1, &none), Err(ProveError::Shrinks { .. })));
    assert!(matches!(consistency_proof(1, max + 1, &none), Err(ProveError::TooLarge { .. })));

    let root = EMPTY_ROOT;
    assert_eq!(verify_inclusion(root, 0, max + 1, &[], &root), Err(VerifyError::TooLarge { size: max + 1 }));
    assert_eq!(verify_inclusion(root, 0, 0, &[], &root), Err(VerifyError::IndexOutOfRange { index: 0, size: 0 }));
    assert_eq!(
        verify_inclusion(root, max, max, &[], &root),
        Err(VerifyError::IndexOutOfRange { index: max, size: max })
    );
    assert_eq!(verify_inclusion(root, 0, max, &[root; 62], &root), Err(VerifyError::Length { found: 62 }));
    assert_eq!(verify_inclusion(root, 0, max, &[root; 63], &root), Err(VerifyError::RootMismatch));
    assert_eq!(verify_inclusion(root, 0, max, &[root; 64], &root), Err(VerifyError::Length { found: 64 }));
    assert_eq!(verify_consistency(2, 1, &[], &root, &root), Err(VerifyError::Shrinks { old: 2, new: 1 }));
    assert_eq!(verify_consistency(1, max + 1, &[], &root, &root), Err(VerifyError::TooLarge { size: max + 1 }));
    assert_eq!(verify_consistency(1, max, &[], &root, &root), Err(VerifyError::Length { found: 0 }));
    assert_eq!(verify_consistency(0, 7, &[], &leaf_hash(b""), &root), Err(VerifyError::OldRootMismatch));
    assert_eq!(verify_consistency(0, 7, &[root], &root, &root), Err(VerifyError::Length { found: 1 }));
}

#[test]
fn a_pruned_tile_only_stops_the_proofs_that_need_it() {
    let mut tiles = tiles(&numbered(600));
    tiles.remove(&TileId::new(0, 0, 256).unwrap());
    assert!(matches!(inclusion_proof(3, 600, &tiles), Err(ProveError::Read(ReadError::Missing(_)))));
    assert!(inclusion_proof(300, 600, &tiles).is_ok());
    assert!(consistency_proof(512, 600, &tiles).is_ok());
}

/// A tree of any size in which all leaves but one are equal: every hash can be computed on the spot.
struct OneOdd {
    at: u64,
    /// By height: a perfect subtree of equal leaves, and the one with the odd leaf in it.
    plain: [Hash; 64],
    odd: [Hash; 64],
}

impl OneOdd {
    fn new(at: u64) -> Self {
        let (mut plain, mut odd) = ([leaf_hash(b"plain"); 64], [leaf_hash(b"odd"); 64]);
        for height in 1..64 {
            plain[height] = node_hash(&plain[height - 1], &plain[height - 1]);
            odd[height] = match at >> (height - 1) & 1 {
                0 => node_hash(&odd[height - 1], &plain[height - 1]),
                _ => node_hash(&plain[height - 1], &odd[height - 1]),
            };
        }
        Self { at, plain, odd }
    }

    /// Root by the definition, going down only where the tree is not perfect.
    fn root(&self, low: u64, high: u64) -> Hash {
        if (high - low).is_power_of_two() {
            let height = (high - low).ilog2() as usize;
            return if (low..high).contains(&self.at) { self.odd[height] } else { self.plain[height] };
        }
        let middle = low + (high - low).next_power_of_two() / 2;
        node_hash(&self.root(low, middle), &self.root(middle, high))
    }
}

impl HashReader for OneOdd {
    fn tile_hashes(&self, tile: TileId) -> Result<Vec<Hash>, ReadError> {
        let height = 8 * usize::from(tile.level());
        let first = tile.index() * 256;
        let hash = |at| {
            if at == self.at >> height { self.odd[height] } else { self.plain[height] }
        };
        Ok((first..first + u64::from(tile.width())).map(hash).collect())
    }
}

fn any_size() -> impl Strategy<Value = u64> {
    let near_power = (0u32..63, -2i64..3).prop_map(|(bit, off)| (1u64 << bit).saturating_add_signed(off));
    let spread = (any::<u64>(), 1u32..64).prop_map(|(bits, shift)| bits >> shift);
    prop_oneof![near_power, spread, Just(MAX_TREE_SIZE)].prop_map(|size| size.clamp(1, MAX_TREE_SIZE))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn inclusion_in_trees_of_any_size(size in any_size(), pick: u64, flip in 0usize..63, other: u64) {
        let (at, other) = (pick % size, other % size);
        let tree = OneOdd::new(at);
        let root = root_at(size, &tree).unwrap();
        prop_assert_eq!(root, tree.root(0, size));
        let mut path = inclusion_proof(at, size, &tree).unwrap();
        let (odd, plain) = (tree.odd[0], tree.plain[0]);
        prop_assert_eq!(verify_inclusion(odd, at, size, &path, &root), Ok(()));
        prop_assert_eq!(verify_inclusion(plain, at, size, &path, &root), Err(VerifyError::RootMismatch));
        prop_assert_eq!(verify_inclusion(odd, at, size, &path, &plain), Err(VerifyError::RootMismatch));
        if other != at {
            prop_assert!(verify_inclusion(odd, other, size, &path, &root).is_err());
            let proof_of_other = inclusion_proof(other, size, &tree).unwrap();
            prop_assert_eq!(verify_inclusion(plain, other, size, &proof_of_other, &root), Ok(()));
        }
        if !path.is_empty() {
            let position = flip % path.len();
            path[position].0[flip % 32] ^= 1;
            prop_assert_eq!(verify_inclusion(odd, at, size, &path, &root), Err(VerifyError::RootMismatch));
        }
    }

    #[test]
    fn consistency_of_trees_of_any_size(new in any_size(), pick: u64, odd: u64, flip in 0usize..64) {
        let old = pick % new + 1;
        let tree = OneOdd::new(odd % new);
        let (old_root, new_root) = (root_at(old, &tree).unwrap(), root_at(new, &tree).unwrap());
        let mut proof = consistency_proof(old, new, &tree).unwrap();
        prop_assert_eq!(verify_consistency(old, new, &proof, &old_root, &new_root), Ok(()));
        let rewritten = OneOdd::new((odd ^ 1) % new);
        if rewritten.at != tree.at && (rewritten.at < old || tree.at < old) {
            prop_assert!(verify_consistency(old, new, &proof, &rewritten.root(0, old), &new_root).is_err());
        }
        if old != new {
            prop_assert!(verify_consistency(old, new, &proof, &old_root, &EMPTY_ROOT).is_err());
        }
        if !proof.is_empty() {
            let position = flip % proof.len();
            proof[position].0[flip % 32] ^= 1;
            prop_assert!(verify_consistency(old, new, &proof, &old_root, &new_root).is_err());
        }
    }

    #[test]
    fn random_claims_are_answered_not_panicked_at(a: u64, b: u64, hashes: Vec<[u8; 32]>, root: [u8; 32]) {
        let hashes: Vec<_> = hashes.into_iter().map(Hash).collect();
        let root = Hash(root);
        prop_assert!(verify_inclusion(EMPTY_ROOT, a, b, &hashes, &root).is_err());
        prop_assert!(a == b || verify_consistency(a, b, &hashes, &EMPTY_ROOT, &root).is_err() || a == 0);
    }
}
