//! Comparing the stored tiles and entry bundles with those that follow from the records.

use super::{Fault, Place};
use crate::log::layout::Layout;
use proof::{BundleId, Hash, TILE_WIDTH, TileBuilder, TileId, TileWrite, encode_bundle};
use std::{collections::BTreeMap, io, path::Path};

/// Position of a tile; entry bundles have no level.
type Position = (Option<u8>, u64);

/// The stored files, and the tree they have to follow from.
pub(super) struct Tiles<'a> {
    layout: &'a Layout,
    /// Widths of the files of each position not compared yet.
    stored: BTreeMap<Position, Vec<u16>>,
    builder: TileBuilder,
    hashes: Vec<Hash>,
    entries: Vec<Vec<u8>>,
    /// The partial tile of each level.
    partial: BTreeMap<u8, TileWrite>,
    /// Full tiles and bundles that are not there.
    pub(super) missing: u64,
}

impl<'a> Tiles<'a> {
    /// Lists what is stored. To be called before the records are read, so that nothing listed is beyond them.
    pub(super) fn list(layout: &'a Layout) -> Result<Self, Fault> {
        let mut stored = BTreeMap::new();
        list(layout, &layout.tile_dir(), "tile", &mut stored)?;
        Ok(Self {
            layout,
            stored,
            builder: TileBuilder::new(),
            hashes: Vec::new(),
            entries: Vec::new(),
            partial: BTreeMap::new(),
            missing: 0,
        })
    }

    /// Takes the next record.
    pub(super) fn push(&mut self, record: &[u8], leaf: Hash) -> Result<(), Fault> {
        self.hashes.push(leaf);
        self.entries.push(record.to_vec());
        if self.entries.len() == usize::from(TILE_WIDTH) { self.flush() } else { Ok(()) }
    }

    /// Compares what is partial, and finds files beyond the log.
    pub(super) fn finish(mut self) -> Result<u64, Fault> {
        self.flush()?;
        for write in std::mem::take(&mut self.partial).into_values() {
            self.compare_tile(&write)?;
        }
        match self.stored.into_iter().next() {
            Some(((level, index), widths)) => {
                let path = path(level, index, widths.first().copied().unwrap_or(TILE_WIDTH));
                Err(Fault::altered(Place::File(path.into()), "it is beyond the end of the log"))
            }
            None => Ok(self.missing),
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let index = self.builder.size() / u64::from(TILE_WIDTH);
        let entries = std::mem::take(&mut self.entries);
        self.compare((None, index), entries.len(), |width| encode_bundle(entries.get(..width)?).ok())?;
        let writes = self.builder.append(&std::mem::take(&mut self.hashes));
        for write in writes.map_err(|error| Fault::Io(self.layout.tile_dir(), io::Error::other(error)))? {
            self.partial.remove(&write.tile.level());
            if write.tile.is_full() {
                self.compare_tile(&write)?;
            } else {
                self.partial.insert(write.tile.level(), write);
            }
        }
        Ok(())
    }

    fn compare_tile(&mut self, write: &TileWrite) -> Result<(), Fault> {
        let position = (Some(write.tile.level()), write.tile.index());
        self.compare(position, usize::from(write.tile.width()), |width| {
            write.bytes.get(..width * Hash::LEN).map(<[u8]>::to_vec)
        })
    }

    /// Compares all files of a position, which has `width` hashes or entries by now.
    fn compare(
        &mut self,
        position: Position,
        width: usize,
        expected: impl Fn(usize) -> Option<Vec<u8>>,
    ) -> Result<(), Fault> {
        let stored = self.stored.remove(&position).unwrap_or_default();
        let full = width == usize::from(TILE_WIDTH);
        self.missing += u64::from(full && !stored.contains(&TILE_WIDTH));
        for found in stored {
            let name = path(position.0, position.1, found);
            let file = self.layout.tile(&name);
            let bytes = match std::fs::read(&file) {
                // A gateway removes partial ones once they are superseded.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.map_err(|error| Fault::Io(file, error))?,
            };
            if expected(usize::from(found)) != Some(bytes) {
                return Err(Fault::altered(Place::File(name.into()), "it does not follow from the records"));
            }
        }
        Ok(())
    }
}

fn path(level: Option<u8>, index: u64, width: u16) -> String {
    let path = match level {
        Some(level) => TileId::new(level, index, width).map(|tile| tile.path()),
        None => BundleId::new(index, width).map(|bundle| bundle.path()),
    };
    path.unwrap_or_default()
}

fn list(layout: &Layout, dir: &Path, name: &str, stored: &mut BTreeMap<Position, Vec<u16>>) -> Result<(), Fault> {
    let failed = |error| Fault::Io(dir.to_owned(), error);
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed)?.is_dir() {
            list(layout, &entry.path(), &name, stored)?;
        } else if entry.path() != layout.tile_scratch() {
            let (position, width) =
                position(&name).ok_or_else(|| Fault::altered(Place::File((&name).into()), "it is no tile of a log"))?;
            stored.entry(position).or_default().push(width);
        }
    }
    Ok(())
}

fn position(path: &str) -> Option<(Position, u16)> {
    let tile = TileId::parse(path).map(|tile| ((Some(tile.level()), tile.index()), tile.width()));
    let bundle = BundleId::parse(path).map(|bundle| ((None, bundle.index()), bundle.width()));
    bundle.or(tile).ok()
}
