//! Names of tiles and entry bundles (tlog-tiles, "Merkle Tree" and "Log entries").

use crate::{text::decimal, tree::MAX_TREE_SIZE};

/// Hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;

/// Tree levels one tile spans: 2^8 = [`TILE_WIDTH`].
pub(crate) const TILE_HEIGHT: u32 = 8;

/// Tile levels a tree can have: the highest hash of level 7 spans 2^56 leaves, one of level 8 would span
/// 2^64 > [`MAX_TREE_SIZE`].
pub(crate) const TILE_LEVELS: u8 = 8;

/// Highest level the path syntax of the specification knows; levels 8 to 63 are too large for any tree.
const MAX_LEVEL: u8 = 63;

/// A Merkle tile: `tile/<level>/<index>[.p/<width>]`.
///
/// Always one that a tree of at most [`MAX_TREE_SIZE`] leaves can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

/// An entry bundle: `tile/entries/<index>[.p/<width>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId(TileId);

/// Why a tile or bundle cannot exist or a path names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileIdError {
    /// The path does not begin with `tile/` or `tile/entries/`.
    #[error("the path does not begin like a tile or entry bundle")]
    Prefix,
    /// The level is no plain decimal between 0 and 63.
    #[error("the tile level is not a plain decimal between 0 and 63")]
    Level,
    /// The index is not in groups of three digits (`x001/x234/067`), or has a leading group of zeros.
    #[error("the tile index is not in groups of three digits without a leading zero group")]
    Index,
    /// The width is not between 1 and 256, or a partial path gives no plain decimal between 1 and 255.
    #[error("the width is not a plain decimal between 1 and 255")]
    Width,
    /// Only a tree of more than 2^63-1 leaves would have it.
    #[error("the tile lies beyond the largest tree of 2^63-1 leaves")]
    TooLarge,
}

impl TileId {
    /// The tile `index` of `level`, holding `width` hashes (1 to 256).
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileIdError> {
        if level > MAX_LEVEL {
            return Err(TileIdError::Level);
        }
        if width == 0 || width > TILE_WIDTH {
            return Err(TileIdError::Width);
        }
        // (index * 256 + width) << 8*level must not exceed the maximum; shifting the maximum down cannot overflow.
        let most = MAX_TREE_SIZE.checked_shr(u32::from(level) * TILE_HEIGHT).unwrap_or(0);
        let end = index.checked_mul(u64::from(TILE_WIDTH)).and_then(|start| start.checked_add(u64::from(width)));
        match end {
            Some(end) if end <= most => Ok(Self { level, index, width }),
            _ => Err(TileIdError::TooLarge),
        }
    }

    /// The tile `index` of `level` as it is in a tree of `size` leaves; `None` where that tree has no such tile.
    #[must_use]
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(level) * TILE_HEIGHT)?;
        let start = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = hashes.checked_sub(start)?.min(u64::from(TILE_WIDTH));
        Self::new(level, index, u16::try_from(width).ok()?).ok()
    }

    /// Level: 0 holds leaf hashes, each further one the roots of full tiles below.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Position within the level.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Number of hashes, 1 to [`TILE_WIDTH`].
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile holds all its 256 hashes and will never change.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The same position with all 256 hashes; `None` beyond the largest tree.
    #[must_use]
    pub fn full(&self) -> Option<Self> {
        Self::new(self.level, self.index, TILE_WIDTH).ok()
    }

    /// Relative path, such as `tile/0/x001/x234/067` or `tile/1/000.p/17`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.tail())
    }

    /// Reads [`path`](Self::path) back; no other spelling is accepted.
    pub fn parse(path: &str) -> Result<Self, TileIdError> {
        let (level, tail) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(TileIdError::Prefix)?;
        let level = decimal(level, u64::from(MAX_LEVEL)).and_then(|level| level.try_into().ok());
        let (index, width) = parse_tail(tail)?;
        Self::new(level.ok_or(TileIdError::Level)?, index, width)
    }

    /// `<N>[.p/<W>]`, the part tiles and bundles share.
    fn tail(&self) -> String {
        let mut text = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            text = format!("x{:03}/{text}", rest % 1000);
            rest /= 1000;
        }
        if !self.is_full() {
            text.push_str(&format!(".p/{}", self.width));
        }
        text
    }
}

impl BundleId {
    /// The bundle `index`, holding `width` entries (1 to 256).
    pub fn new(index: u64, width: u16) -> Result<Self, TileIdError> {
        TileId::new(0, index, width).map(Self)
    }

    /// The bundle `index` as it is in a tree of `size` leaves; `None` where that tree has no such bundle.
    #[must_use]
    pub fn in_tree(index: u64, size: u64) -> Option<Self> {
        TileId::in_tree(0, index, size).map(Self)
    }

    /// Position; the bundle's first entry is `index * 256`.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.0.index
    }

    /// Number of entries, 1 to [`TILE_WIDTH`].
    #[must_use]
    pub fn width(&self) -> u16 {
        self.0.width
    }

    /// The level 0 tile with the hashes of exactly these entries.
    #[must_use]
    pub fn tile(&self) -> TileId {
        self.0
    }

    /// Relative path, such as `tile/entries/x001/234.p/7`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/entries/{}", self.0.tail())
    }

    /// Reads [`path`](Self::path) back; no other spelling is accepted.
    pub fn parse(path: &str) -> Result<Self, TileIdError> {
        let (index, width) = parse_tail(path.strip_prefix("tile/entries/").ok_or(TileIdError::Prefix)?)?;
        Self::new(index, width)
    }
}

fn parse_tail(tail: &str) -> Result<(u64, u16), TileIdError> {
    let (index, width) = match tail.split_once(".p/") {
        None => (tail, TILE_WIDTH),
        Some((index, width)) => {
            let width = decimal(width, u64::from(TILE_WIDTH) - 1);
            (index, width.and_then(|width| width.try_into().ok()).ok_or(TileIdError::Width)?)
        }
    };
    Ok((parse_index(index).ok_or(TileIdError::Index)?, width))
}

fn parse_index(text: &str) -> Option<u64> {
    let mut index = 0u64;
    let mut groups = text.split('/').peekable();
    // `x000/001` would be a second spelling of `001`.
    if text.starts_with("x000") {
        return None;
    }
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_of_the_specification() {
        let path = |level, index, width| TileId::new(level, index, width).unwrap().path();
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(1, 0, 17), "tile/1/000.p/17");
        assert_eq!(path(7, 0, 127), "tile/7/000.p/127");
        assert_eq!(BundleId::new(1234, 7).unwrap().path(), "tile/entries/x001/234.p/7");
    }

    #[test]
    fn widths_of_a_tree_of_70_000() {
        let width = |level, index| TileId::in_tree(level, index, 70_000).map(|tile| tile.width());
        assert_eq!(width(0, 272), Some(256));
        assert_eq!(width(0, 273), Some(112));
        assert_eq!(width(0, 274), None);
        assert_eq!(width(1, 0), Some(256));
        assert_eq!(width(1, 1), Some(17));
        assert_eq!(width(2, 0), Some(1));
        assert_eq!(width(3, 0), None);
        assert_eq!(TileId::in_tree(0, 1, 256), None, "empty tiles do not exist");
    }

    #[test]
    fn hostile_paths_are_refused() {
        use TileIdError::*;
        for (path, error) in [
            ("", Prefix),
            ("/tile/0/000", Prefix),
            ("tile/0", Prefix),
            ("tile//000", Level),
            ("tile/00/000", Level),
            ("tile/-1/000", Level),
            ("tile/64/000", Level),
            ("tile/63/000", TooLarge),
            ("tile/8/000.p/1", TooLarge),
            ("tile/7/000", TooLarge),
            ("tile/7/000.p/128", TooLarge),
            ("tile/0/000.p/0", Width),
            ("tile/0/000.p/256", Width),
            ("tile/0/000.p/01", Width),
            ("tile/0/000.p/", Width),
            ("tile/0/000.p/1.p/1", Width),
            ("tile/0/", Index),
            ("tile/0/0", Index),
            ("tile/0/0000", Index),
            ("tile/0/x000", Index),
            ("tile/0/x000/000", Index),
            ("tile/0/001/000", Index),
            ("tile/0/x001/x000", Index),
            ("tile/0/x001//000", Index),
            ("tile/0/000/", Index),
            ("tile/0/00\u{661}", Index),
            ("tile/0/000\r", Index),
            ("tile/0/x999/x999/x999/x999/x999/x999/x999/999", Index),
            ("tile/0/x036/x028/x797/x018/x963/968", TooLarge),
        ] {
            assert_eq!(TileId::parse(path), Err(error), "{path:?}");
        }
        assert_eq!(BundleId::parse("tile/0/000"), Err(Prefix));
        assert_eq!(TileId::parse("tile/entries/000"), Err(Level));
    }

    #[test]
    fn the_largest_tiles_are_accepted() {
        assert!(TileId::parse("tile/7/000.p/127").is_ok());
        assert!(TileId::parse("tile/0/x036/x028/x797/x018/x963/967.p/255").is_ok());
        assert_eq!(TileId::parse("tile/0/x036/x028/x797/x018/x963/967"), Err(TileIdError::TooLarge));
    }

    proptest! {
        #[test]
        fn paths_read_back(level in 0u8..8, index: u64, width in 1u16..=256) {
            let index = index >> (8 * u32::from(level)).min(63);
            if let Ok(tile) = TileId::new(level, index, width) {
                prop_assert_eq!(TileId::parse(&tile.path()), Ok(tile));
            }
            if let Ok(bundle) = BundleId::new(index, width) {
                prop_assert_eq!(BundleId::parse(&bundle.path()), Ok(bundle));
            }
        }

        #[test]
        fn what_parses_has_this_one_spelling(path in "tile/(entries/)?[0-9]{0,2}/?(x?[0-9]{3}/){0,3}[0-9]{2,4}(\\.p/[0-9]{0,3})?") {
            if let Ok(tile) = TileId::parse(&path) {
                prop_assert_eq!(tile.path(), path.as_str());
            }
            if let Ok(bundle) = BundleId::parse(&path) {
                prop_assert_eq!(bundle.path(), path);
            }
        }

        #[test]
        fn no_path_panics(path in "\\PC{0,40}") {
            let _ = TileId::parse(&path);
            let _ = TileId::parse(&format!("tile/{path}"));
            let _ = BundleId::parse(&format!("tile/entries/{path}"));
        }
    }
}
