//! Which tiles a group of appended leaves completes or changes.

use super::{
    HashReader, ReadError, TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH, TileId, encode_hashes, perfect_root,
    reader::read_exact,
};
use crate::{
    hash::Hash,
    tree::{MAX_TREE_SIZE, TreeFull, bag},
};

/// A tile to be stored: its name and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileWrite {
    /// The tile; its [`path`](TileId::path) is where it belongs.
    pub tile: TileId,
    /// 32 bytes for each hash.
    pub bytes: Vec<u8>,
}

/// Turns leaf hashes into tiles, one group commit at a time.
///
/// Keeps the unfinished tile of each level, at most 8 * 255 hashes (64 KiB). Each leaf costs amortised one node hash;
/// the partial tiles at the end of a group are rewritten whole, at most 8 KiB for each level that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileBuilder {
    size: u64,
    /// The rightmost, partial tile of each level, lowest first.
    // INVARIANT: `partial[l].len() == (size >> 8*l) % 256`.
    partial: [Vec<Hash>; TILE_LEVELS as usize],
}

impl TileBuilder {
    /// A builder for a new log.
    #[must_use]
    pub fn new() -> Self {
        Self { size: 0, partial: Default::default() }
    }

    /// Goes on where a log of `size` leaves ended, from its partial tiles (at most one of each level is read).
    pub fn resume(size: u64, reader: &(impl HashReader + ?Sized)) -> Result<Self, ResumeError> {
        if size > MAX_TREE_SIZE {
            return Err(ResumeError::TooLarge);
        }
        let mut builder = Self { size, partial: Default::default() };
        for (level, hashes) in (0..TILE_LEVELS).zip(&mut builder.partial) {
            let index = size >> (TILE_HEIGHT * u32::from(level)) >> TILE_HEIGHT;
            // A level whose last tile is full has no partial one; neither has a level above the tree.
            if let Some(tile) = TileId::in_tree(level, index, size) {
                *hashes = read_exact(reader, tile)?;
            }
        }
        Ok(builder)
    }

    /// Leaves so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the unfinished tile of a level; none where the last one is full, or above the tree.
    #[must_use]
    pub fn partial(&self, level: u8) -> &[Hash] {
        self.partial.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// The tree's root. Costs up to 255 node hashes for each level: for checkpoints, not for every leaf.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = Vec::new();
        for hashes in self.partial.iter().rev() {
            let mut rest = hashes.as_slice();
            // The hashes of a level are of trees of one size: as many as a power of two make a perfect one.
            while let Some(largest) = rest.len().checked_ilog2() {
                let Some((perfect, after)) = rest.split_at_checked(1 << largest) else { break };
                peaks.push(perfect_root(perfect));
                rest = after;
            }
        }
        bag(&peaks)
    }

    /// Appends leaf hashes and returns the tiles of all levels that became full or, for the new size, partial.
    ///
    /// Full tiles come before the partial ones that depend on them. On error nothing has changed.
    pub fn append(&mut self, leaves: &[Hash]) -> Result<Vec<TileWrite>, TreeFull> {
        let added = u64::try_from(leaves.len()).map_err(|_| TreeFull)?;
        let size = self.size.checked_add(added).filter(|size| *size <= MAX_TREE_SIZE);
        let size = size.ok_or(TreeFull)?;

        let mut full = Vec::new();
        let mut partial = Vec::new();
        let mut new = leaves.to_vec();
        for (level, hashes) in (0..TILE_LEVELS).zip(&mut self.partial) {
            if new.is_empty() {
                break;
            }
            let mut index = self.size >> (TILE_HEIGHT * u32::from(level)) >> TILE_HEIGHT;
            let mut above = Vec::new();
            for hash in new {
                hashes.push(hash);
                if hashes.len() == usize::from(TILE_WIDTH) {
                    above.push(perfect_root(hashes));
                    full.extend(write(level, index, hashes));
                    hashes.clear();
                    index += 1;
                }
            }
            partial.extend(write(level, index, hashes));
            new = above;
        }
        self.size = size;
        full.append(&mut partial);
        Ok(full)
    }
}

impl Default for TileBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a log cannot be continued from its tiles.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// No tree has more than 2^63-1 leaves.
    #[error("a log holds at most 2^63-1 entries")]
    TooLarge,
    /// A tile the size calls for could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

fn write(level: u8, index: u64, hashes: &[Hash]) -> Option<TileWrite> {
    let tile = TileId::new(level, index, u16::try_from(hashes.len()).ok()?).ok()?;
    Some(TileWrite { tile, bytes: encode_hashes(hashes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hash::leaf_hash,
        tile::decode_hashes,
        tree::{Frontier, root_at},
    };
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Tiles = BTreeMap<TileId, Vec<Hash>>;

    fn leaves(range: std::ops::Range<u64>) -> Vec<Hash> {
        range.map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    fn store(tiles: &mut Tiles, writes: Vec<TileWrite>) {
        for TileWrite { tile, bytes } in writes {
            tiles.insert(tile, decode_hashes(tile, &bytes).unwrap());
        }
    }

    fn paths(writes: &[TileWrite]) -> Vec<String> {
        writes.iter().map(|write| write.tile.path()).collect()
    }

    #[test]
    fn the_tree_of_70_000_is_laid_out_as_specified() {
        let mut builder = TileBuilder::new();
        let writes = builder.append(&leaves(0..70_000)).unwrap();
        let names = paths(&writes);
        assert_eq!(names.len(), 273 + 1 + 1 + 1 + 1);
        assert_eq!(names[..2], ["tile/0/000", "tile/0/001"]);
        assert_eq!(names[272..], ["tile/0/272", "tile/1/000", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    }

    #[test]
    fn a_tree_of_256_has_a_full_tile_and_one_hash_above() {
        let mut builder = TileBuilder::new();
        assert_eq!(paths(&builder.append(&leaves(0..255)).unwrap()), ["tile/0/000.p/255"]);
        assert_eq!(paths(&builder.append(&leaves(255..256)).unwrap()), ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(paths(&builder.append(&leaves(256..257)).unwrap()), ["tile/0/001.p/1"], "level 1 did not change");
        assert_eq!(paths(&builder.append(&[]).unwrap()), [""; 0]);
    }

    #[test]
    fn the_largest_log_refuses_another_leaf_and_stays_as_it_was() {
        let top = TileId::new(7, 0, 127).unwrap();
        let mut tiles = Tiles::from([(top, vec![leaf_hash(b""); 127])]);
        for level in 0..7 {
            let tile = TileId::in_tree(level, (MAX_TREE_SIZE >> (8 * level)) >> 8, MAX_TREE_SIZE).unwrap();
            tiles.insert(tile, vec![leaf_hash(b""); 255]);
        }
        let mut builder = TileBuilder::resume(MAX_TREE_SIZE, &tiles).unwrap();
        let before = builder.clone();
        assert_eq!(builder.append(&leaves(0..1)), Err(TreeFull));
        assert_eq!(builder, before);
        assert!(matches!(TileBuilder::resume(MAX_TREE_SIZE + 1, &tiles), Err(ResumeError::TooLarge)));
    }

    #[test]
    fn a_missing_partial_tile_stops_the_resumption() {
        assert!(matches!(TileBuilder::resume(5, &Tiles::new()), Err(ResumeError::Read(ReadError::Missing(_)))));
        assert_eq!(TileBuilder::resume(0, &Tiles::new()).unwrap(), TileBuilder::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn groups_and_restarts_do_not_show(groups in prop::collection::vec((0u64..400, any::<bool>()), 1..8)) {
            let (mut builder, mut tiles, mut frontier) = (TileBuilder::new(), Tiles::new(), Frontier::new());
            for (count, restart) in groups {
                let size = builder.size();
                let new = leaves(size..size + count);
                new.iter().for_each(|leaf| frontier.append(*leaf).unwrap());
                store(&mut tiles, builder.append(&new).unwrap());
                if restart {
                    builder = TileBuilder::resume(size + count, &tiles).unwrap();
                    prop_assert_eq!(&Frontier::resume(size + count, &tiles).unwrap(), &frontier);
                }
                prop_assert_eq!(root_at(builder.size(), &tiles).unwrap(), frontier.root());
                prop_assert_eq!(builder.root(), frontier.root());
            }
            let (mut whole, mut expected) = (TileBuilder::new(), Tiles::new());
            store(&mut expected, whole.append(&leaves(0..builder.size())).unwrap());
            prop_assert_eq!(whole, builder);
            for (tile, hashes) in expected {
                prop_assert_eq!(tiles.get(&tile), Some(&hashes), "{}", tile.path());
            }
        }
    }
}
