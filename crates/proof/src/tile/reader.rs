//! How proofs get at stored hashes.

use std::{collections::BTreeMap, error::Error};

use super::TileId;
use crate::hash::Hash;

/// A store of tiles.
///
/// Synchronous on purpose: a proof needs at most two dozen tiles, and the caller decides on which thread they are read.
pub trait HashReader {
    /// The hashes of `tile`, at least as many as its width.
    ///
    /// A reader may answer with a wider tile of the same position (a partial tile may be deleted once it is full); the
    /// surplus is ignored.
    fn tile_hashes(&self, tile: TileId) -> Result<Vec<Hash>, ReadError>;
}

/// Why a tile could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The tile is not stored: pruned, lost or beyond the tree.
    #[error("tile `{path}` is missing", path = .0.path())]
    Missing(TileId),
    /// The tree does not reach this position.
    #[error("the tree has no tile {index} at level {level}")]
    OutsideTree {
        /// Tile level.
        level: u8,
        /// Position within the level.
        index: u64,
    },
    /// The tile holds fewer hashes than its name says.
    #[error("tile `{path}` holds only {found} hashes", path = .tile.path())]
    Short {
        /// The tile asked for.
        tile: TileId,
        /// Hashes found.
        found: usize,
    },
    /// The medium failed, or the tile's bytes are not a tile.
    #[error("tile `{path}` could not be read", path = .tile.path())]
    Failed {
        /// The tile asked for.
        tile: TileId,
        /// What the medium said.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Tiles in memory: an audit export being verified, or a test.
impl HashReader for BTreeMap<TileId, Vec<Hash>> {
    fn tile_hashes(&self, tile: TileId) -> Result<Vec<Hash>, ReadError> {
        // Ids sort by level, index, width: the next one is this tile or a wider one of the same position.
        let found =
            self.range(tile..).next().filter(|(id, _)| id.level() == tile.level() && id.index() == tile.index());
        found.map(|(_, hashes)| hashes.clone()).ok_or(ReadError::Missing(tile))
    }
}

/// Reads a tile and cuts it to its width, so no caller relies on a reader's honesty about lengths.
pub(crate) fn read_exact(reader: &(impl HashReader + ?Sized), tile: TileId) -> Result<Vec<Hash>, ReadError> {
    let mut hashes = reader.tile_hashes(tile)?;
    if hashes.len() < usize::from(tile.width()) {
        return Err(ReadError::Short { tile, found: hashes.len() });
    }
    hashes.truncate(usize::from(tile.width()));
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::EMPTY_ROOT;

    #[test]
    fn a_wider_tile_answers_for_a_narrower_one_but_no_other_position() {
        let mut tiles = BTreeMap::new();
        tiles.insert(TileId::new(0, 1, 9).unwrap(), vec![EMPTY_ROOT; 9]);
        assert_eq!(read_exact(&tiles, TileId::new(0, 1, 4).unwrap()).unwrap().len(), 4);
        for absent in [TileId::new(0, 1, 10), TileId::new(0, 0, 4), TileId::new(1, 1, 4)] {
            assert!(matches!(read_exact(&tiles, absent.unwrap()), Err(ReadError::Missing(_))));
        }
    }

    #[test]
    fn a_short_tile_is_refused() {
        let tile = TileId::new(0, 0, 3).unwrap();
        let tiles = BTreeMap::from([(tile, vec![EMPTY_ROOT; 2])]);
        assert!(matches!(read_exact(&tiles, tile), Err(ReadError::Short { found: 2, .. })));
    }
}
