//! The tree over the records, and its tiles.

use super::{layout::Layout, prune::prefix::Prefix};
use crate::atomic::{self, Durable};
use proof::{Hash, HashReader, ReadError, TILE_WIDTH, TileBuilder, TileId, TileWrite, decode_hashes, leaf_hashes};
use std::{collections::BTreeMap, io};

/// Grows the tree record by record and writes what can be derived from the records. None of it is made durable: it is
/// compared with the records when the log is opened, and written again where it is missing.
///
/// Full tiles are written at once, partial ones only for checkpoints. Superseded partial tiles, at most 8 KiB each, stay
/// until the full one is there. Entry bundles are not written: they would be every record once more, and the segments have
/// them (docs/decisions/0015).
pub(crate) struct Derived {
    layout: Layout,
    builder: TileBuilder,
    /// Records beyond the last full tile, or beyond those that are gone, which the builder has not seen.
    pending: Vec<Vec<u8>>,
    /// Leaf hashes of the first of them. Hashed are many at once, when they are needed.
    hashed: Vec<Hash>,
    /// The partial tile of each level, as of the last full one of leaves.
    partial: BTreeMap<u8, TileWrite>,
}

impl Derived {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, builder: TileBuilder::new(), pending: Vec::new(), hashed: Vec::new(), partial: BTreeMap::new() }
    }

    /// Goes on after the records that are gone.
    pub(crate) fn after(layout: Layout, prefix: &Prefix) -> Self {
        Self { builder: prefix.tree.clone(), partial: prefix.partial(), ..Self::new(layout) }
    }

    /// Goes on after `size` records, a multiple of [`TILE_WIDTH`], from the tiles stored for a checkpoint over `sealed`
    /// records, of which at most one tile's are more; `None` unless
    /// everything that was derived from these records seems to be there.
    ///
    /// What is read is the right edge of the tree, at most one tile of each level: a root over it and over the records
    /// after it that is a signed one proves that these hashes are those of the records that were signed. Full tiles to the
    /// left are only looked for: none of them is made durable, so a power cut may have left some out. Those of records
    /// before `first` are gone.
    pub(crate) fn resume(layout: Layout, size: u64, sealed: u64, first: u64) -> Option<Self> {
        let stored = Edge { layout: &layout, sealed };
        if !size.is_multiple_of(u64::from(TILE_WIDTH)) {
            return None;
        }
        let builder = TileBuilder::resume(size, &stored).ok()?;
        stored.has_all_full(size, first).then_some(())?;
        Some(Self { builder, ..Self::new(layout) })
    }

    pub(crate) fn size(&self) -> u64 {
        self.builder.size() + self.pending.len() as u64
    }

    /// The root over all records. Not for every record: it hashes what the partial tiles hold.
    pub(crate) fn root(&mut self) -> io::Result<Hash> {
        self.hash();
        let mut whole = self.builder.clone();
        whole.append(&self.hashed).map_err(io::Error::other)?;
        Ok(whole.root())
    }

    /// Adds the next record; writes the tiles that are full with it.
    pub(crate) fn push(&mut self, record: Vec<u8>, how: Write) -> io::Result<()> {
        self.pending.push(record);
        if !self.size().is_multiple_of(u64::from(TILE_WIDTH)) {
            return Ok(());
        }
        self.hash();
        let writes = self.builder.append(&self.hashed).map_err(io::Error::other)?;
        self.pending.clear();
        self.hashed.clear();
        for write in writes {
            self.partial.remove(&write.tile.level());
            if write.tile.is_full() {
                self.write_tile(&write, how)?;
                self.remove_partials(&write.tile.path());
            } else {
                self.partial.insert(write.tile.level(), write);
            }
        }
        Ok(())
    }

    /// Writes the partial tiles, so that a checkpoint of this size can be proved from tiles.
    pub(crate) fn write_partial(&mut self, how: Write) -> io::Result<()> {
        for write in self.partial.values() {
            self.ensure(&write.tile.path(), &write.bytes, how)?;
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        // Level 0 only: these leaves fill no tile, so no level above changes.
        self.hash();
        for write in self.builder.clone().append(&self.hashed).map_err(io::Error::other)? {
            self.write_tile(&write, how)?;
        }
        Ok(())
    }

    /// Hashes the pending records that are not yet.
    fn hash(&mut self) {
        let new = self.pending.get(self.hashed.len()..).unwrap_or_default();
        self.hashed.extend(leaf_hashes(new));
    }

    fn write_tile(&mut self, write: &TileWrite, how: Write) -> io::Result<()> {
        self.ensure(&write.tile.path(), &write.bytes, how)
    }

    /// Removes the partial tiles that a full one supersedes. What remains does no harm.
    fn remove_partials(&self, full: &str) {
        let _ = std::fs::remove_dir_all(self.layout.tile(&format!("{full}.p")));
    }

    fn ensure(&self, path: &str, bytes: &[u8], how: Write) -> io::Result<()> {
        let path = self.layout.tile(path);
        if how == Write::WhereMissing && std::fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(());
        }
        let scratch = self.layout.tile_scratch();
        match atomic::replace(&path, &scratch, bytes, Durable::Nothing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                atomic::create_dir(path.parent().unwrap_or(&path))?;
                atomic::replace(&path, &scratch, bytes, Durable::Nothing)
            }
            done => done,
        }
    }
}

/// When to write a derived file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// It is new.
    Always,
    /// It may be there from before. A crash leaves it missing or short; what is altered `verify` finds.
    WhereMissing,
}

/// The tiles as they were written for a checkpoint. No other width is read in a partial tile's place: what is read is
/// not written again, and whoever takes a checkpoint asks for its tiles by their names.
struct Edge<'a> {
    layout: &'a Layout,
    sealed: u64,
}

impl HashReader for Edge<'_> {
    fn tile_hashes(&self, tile: TileId) -> Result<Vec<Hash>, ReadError> {
        // Wider only when the checkpoint ends with the next full tile of leaves, which writes this tile again.
        let sealed = TileId::in_tree(tile.level(), tile.index(), self.sealed).ok_or(ReadError::Missing(tile))?;
        let bytes = std::fs::read(self.layout.tile(&sealed.path())).map_err(|_| ReadError::Missing(tile))?;
        decode_hashes(sealed, &bytes).map_err(|error| ReadError::Failed { tile, source: Box::new(error) })
    }
}

impl Edge<'_> {
    /// Whether all full tiles over so many records are there. Of the lowest level, those of records before `first` may be
    /// gone.
    fn has_all_full(&self, size: u64, first: u64) -> bool {
        let mut tiles = size / u64::from(TILE_WIDTH);
        let mut gone = first / u64::from(TILE_WIDTH);
        let mut level = 0;
        while tiles > 0 {
            if !(gone..tiles).all(|index| self.has_full(level, index)) {
                return false;
            }
            (tiles, gone, level) = (tiles / u64::from(TILE_WIDTH), 0, level + 1);
        }
        true
    }

    /// Whether the full tile is there, with its length.
    fn has_full(&self, level: u8, index: u64) -> bool {
        let tile = TileId::new(level, index, TILE_WIDTH).map(|tile| self.layout.tile(&tile.path()));
        let length = tile.ok().and_then(|path| std::fs::metadata(path).ok()).map(|found| found.len());
        length == Some((usize::from(TILE_WIDTH) * Hash::LEN) as u64)
    }
}
