//! The bytes of a tile: its hashes, one after the other.

use super::TileId;
use crate::hash::{EMPTY_ROOT, Hash, node_hashes};

/// Why bytes are not the tile they are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tile `{path}` takes {expected} bytes, found {found}", path = .tile.path())]
pub struct TileDataError {
    /// The tile asked for.
    pub tile: TileId,
    /// 32 bytes for each hash of the tile's width.
    pub expected: usize,
    /// Length of the bytes given.
    pub found: usize,
}

/// The bytes of a tile with these hashes.
#[must_use]
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads the hashes of `tile`; the bytes must be exactly as many as its width needs.
pub fn decode_hashes(tile: TileId, bytes: &[u8]) -> Result<Vec<Hash>, TileDataError> {
    let (hashes, rest) = bytes.as_chunks::<{ Hash::LEN }>();
    if hashes.len() != usize::from(tile.width()) || !rest.is_empty() {
        let expected = usize::from(tile.width()) * Hash::LEN;
        return Err(TileDataError { tile, expected, found: bytes.len() });
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// Root of a perfect subtree over these hashes, whose number is a power of two.
pub(crate) fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = node_hashes(&level);
    }
    level.first().copied().unwrap_or(EMPTY_ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    #[test]
    fn tiles_read_back_and_other_lengths_are_refused() {
        let hashes: Vec<_> = (0..3u8).map(|i| leaf_hash(&[i])).collect();
        let tile = TileId::new(0, 0, 3).unwrap();
        let bytes = encode_hashes(&hashes);
        assert_eq!(decode_hashes(tile, &bytes), Ok(hashes));
        for wrong in [&bytes[1..], &bytes[32..], &[], &[&bytes[..], &[0]].concat(), &[0; 8192]] {
            let found = wrong.len();
            assert_eq!(decode_hashes(tile, wrong), Err(TileDataError { tile, expected: 96, found }));
        }
    }
}
