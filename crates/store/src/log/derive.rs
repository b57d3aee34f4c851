//! The tree over the records, and the tiles and entry bundles derived from it.

use super::layout::Layout;
use crate::atomic::{self, Durable};
use proof::{BundleId, Frontier, Hash, TILE_WIDTH, TileBuilder, TileWrite, encode_bundle, leaf_hash};
use std::{collections::BTreeMap, io, path::Path};

/// Grows the tree record by record and writes what can be derived from the records. None of it is made durable: it is
/// compared with the records when the log is opened, and written again where it is missing.
///
/// Full tiles are written at once, partial ones only for checkpoints. A superseded partial bundle is removed (its
/// entries are in the wider one); superseded partial tiles, at most 8 KiB each, stay until the full one is there.
pub(crate) struct Derived {
    layout: Layout,
    frontier: Frontier,
    builder: TileBuilder,
    /// Leaf hashes the builder has not seen; they belong to the records in `bundle`.
    pending: Vec<Hash>,
    /// Records of the partial bundle.
    bundle: Vec<Vec<u8>>,
    /// The partial tile of each level, as of the last full bundle.
    partial: BTreeMap<u8, TileWrite>,
    /// The partial bundle on disk.
    written_bundle: Option<BundleId>,
}

impl Derived {
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            frontier: Frontier::new(),
            builder: TileBuilder::new(),
            pending: Vec::new(),
            bundle: Vec::new(),
            partial: BTreeMap::new(),
            written_bundle: None,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Adds the next record; writes a bundle and tiles that are full with it.
    pub(crate) fn push(&mut self, record: Vec<u8>, how: Write) -> io::Result<()> {
        let leaf = leaf_hash(&record);
        self.frontier.append(leaf).map_err(io::Error::other)?;
        self.pending.push(leaf);
        self.bundle.push(record);
        if self.bundle.len() < usize::from(TILE_WIDTH) {
            return Ok(());
        }
        self.write_bundle(how)?;
        self.bundle.clear();
        for write in self.builder.append(&std::mem::take(&mut self.pending)).map_err(io::Error::other)? {
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

    /// Writes the partial tiles and the partial bundle, so that a checkpoint of this size can be proved from tiles.
    pub(crate) fn write_partial(&mut self, how: Write) -> io::Result<()> {
        for write in self.partial.values() {
            self.ensure(&write.tile.path(), &write.bytes, how)?;
        }
        if self.bundle.is_empty() {
            return Ok(());
        }
        // Level 0 only: these leaves fill no tile, so no level above changes.
        for write in self.builder.clone().append(&self.pending).map_err(io::Error::other)? {
            self.write_tile(&write, how)?;
        }
        self.write_bundle(how)
    }

    fn write_tile(&mut self, write: &TileWrite, how: Write) -> io::Result<()> {
        self.ensure(&write.tile.path(), &write.bytes, how)
    }

    fn write_bundle(&mut self, how: Write) -> io::Result<()> {
        let width = u16::try_from(self.bundle.len()).map_err(io::Error::other)?;
        let index = self.size().saturating_sub(1) / u64::from(TILE_WIDTH);
        let bundle = BundleId::new(index, width).map_err(io::Error::other)?;
        if self.written_bundle == Some(bundle) {
            return Ok(());
        }
        let bytes = encode_bundle(&self.bundle).map_err(io::Error::other)?;
        self.ensure(&bundle.path(), &bytes, how)?;
        if let Some(old) = self.written_bundle.take() {
            let _ = std::fs::remove_file(self.layout.tile(&old.path()));
        }
        if width == TILE_WIDTH {
            self.remove_partials(&bundle.path());
        } else {
            self.written_bundle = Some(bundle);
        }
        Ok(())
    }

    /// Removes the partial tiles or bundles that a full one supersedes. What remains does no harm.
    fn remove_partials(&self, full: &str) {
        let _ = std::fs::remove_dir_all(self.layout.tile(&format!("{full}.p")));
    }

    fn ensure(&self, path: &str, bytes: &[u8], how: Write) -> io::Result<()> {
        let path = self.layout.tile(path);
        if how == Write::WhereMissing && is_there(&path, bytes) {
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

/// Tiles are compared byte by byte. Bundles hold all records once more, and are compared by length.
fn is_there(path: &Path, bytes: &[u8]) -> bool {
    /// A full tile.
    const COMPARED: usize = 256 * Hash::LEN;
    if bytes.len() > COMPARED {
        return std::fs::metadata(path).is_ok_and(|found| found.len() == bytes.len() as u64);
    }
    std::fs::read(path).is_ok_and(|found| found == bytes)
}
