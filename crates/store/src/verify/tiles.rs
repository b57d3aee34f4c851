//! The tree over the records, and comparing the stored tiles and entry bundles with it.

use super::{Fault, Place};
use crate::log::{bundle::Bundle, layout::Layout, prune::prefix::Prefix};
use proof::{BundleId, Hash, TILE_WIDTH, TileBuilder, TileId, TileWrite, decode_hashes, leaf_hashes};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Position of a tile; entry bundles have no level.
type Position = (Option<u8>, u64);

/// The stored files, and the tree they have to follow from.
pub(super) struct Tiles<'a> {
    layout: &'a Layout,
    /// Widths of the files of each position not compared yet.
    stored: BTreeMap<Position, Vec<u16>>,
    /// Hashes are computed many at a time: it knows nothing of the last records of `bundle`.
    builder: TileBuilder,
    bundle: Bundle,
    /// Records before those in `bundle` that belong to it and are gone: it is then compared with nothing.
    gone: usize,
    /// Records of the bundle that the builder knows.
    hashed: usize,
    /// The partial tile of each level.
    partial: BTreeMap<u8, TileWrite>,
    /// What a stored file holds: room for the next one.
    found: Vec<u8>,
    /// Full tiles that are not there, or not whole.
    missing: u64,
}

impl<'a> Tiles<'a> {
    /// Lists what is stored. To be called before the records are read, so that nothing listed is beyond them. What is
    /// stored of records that are gone is compared with what stays known of them.
    pub(super) fn list(layout: &'a Layout, prefix: Option<&Prefix>) -> Result<Self, Fault> {
        let mut stored = BTreeMap::new();
        list(layout, &layout.tile_dir(), "tile", &mut stored)?;
        let first = prefix.map_or(0, |prefix| prefix.first);
        let mut tiles = Self {
            layout,
            stored,
            builder: prefix.map_or_else(TileBuilder::new, |prefix| prefix.tree.clone()),
            bundle: Bundle::default(),
            gone: usize::try_from(first % u64::from(TILE_WIDTH)).unwrap_or_default(),
            hashed: 0,
            partial: prefix.map(Prefix::partial).unwrap_or_default(),
            found: Vec::new(),
            missing: 0,
        };
        if let Some(prefix) = prefix {
            tiles.compare_kept(prefix)?;
        }
        Ok(tiles)
    }

    /// Compares the tiles wholly before the first record that is there with the hash of each in the tile above, up to those
    /// that stay known. Bundles with records that are gone are of no removal that has ended: nobody reads them.
    fn compare_kept(&mut self, prefix: &Prefix) -> Result<(), Fault> {
        let is_before = |level: u8, index: u64| index < prefix.first >> (8 * (u32::from(level) + 1));
        let stored = std::mem::take(&mut self.stored);
        for (position, widths) in stored {
            match position {
                (None, index) if index.saturating_mul(u64::from(TILE_WIDTH)) < prefix.first => {}
                (Some(level), index) if is_before(level, index) => {
                    let name = path(Some(level), index, TILE_WIDTH);
                    let (next, above) = (level.saturating_add(1), index / u64::from(TILE_WIDTH));
                    let expected = match is_before(next, above) {
                        true => self.kept(next, above)?.get(usize::try_from(index % 256).unwrap_or_default()).copied(),
                        false => prefix.hash_at(next, index),
                    };
                    let altered = |name: &str| {
                        Fault::altered(Place::File(name.into()), "it is not that of the records that are gone")
                    };
                    let hashes = self.kept(level, index)?;
                    let mut tree = TileBuilder::new();
                    tree.append(&hashes).map_err(|error| self.failed(error))?;
                    if Some(tree.root()) != expected {
                        return Err(altered(&name));
                    }
                    for width in widths.into_iter().filter(|width| *width < TILE_WIDTH) {
                        let name = path(Some(level), index, width);
                        let found = std::fs::read(self.layout.tile(&name));
                        let found = found.map_err(|error| Fault::Io(self.layout.tile(&name), error))?;
                        let expected: Vec<u8> =
                            hashes.iter().take(usize::from(width)).flat_map(|hash| *hash.as_bytes()).collect();
                        if found != expected {
                            return Err(altered(&name));
                        }
                    }
                }
                _ => drop(self.stored.insert(position, widths)),
            }
        }
        Ok(())
    }

    /// A full tile of records that are gone.
    fn kept(&self, level: u8, index: u64) -> Result<Vec<Hash>, Fault> {
        let tile = TileId::new(level, index, TILE_WIDTH).map_err(|error| self.failed(error))?;
        let (name, file) = (tile.path(), self.layout.tile(&tile.path()));
        let bytes = std::fs::read(&file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Fault::missing(Place::File((&name).into()), "the records under it are pruned"),
            _ => Fault::Io(file, error),
        })?;
        decode_hashes(tile, &bytes).map_err(|error| Fault::altered(Place::File(name.into()), error.to_string()))
    }

    /// Takes the next record.
    pub(super) fn push(&mut self, record: &[u8]) -> Result<(), Fault> {
        self.bundle.push(record).ok_or_else(|| self.failed("a record is too long for a bundle"))?;
        if self.gone + self.bundle.len() < usize::from(TILE_WIDTH) {
            return Ok(());
        }
        self.grow()?;
        self.compare_bundle()?;
        self.bundle.clear();
        (self.hashed, self.gone) = (0, 0);
        Ok(())
    }

    /// The root over all records so far.
    pub(super) fn root(&mut self) -> Result<Hash, Fault> {
        self.grow()?;
        Ok(self.builder.root())
    }

    /// Compares what is partial, finds files beyond the log, and counts what is missing.
    pub(super) fn finish(mut self) -> Result<u64, Fault> {
        self.grow()?;
        if self.bundle.len() > 0 {
            self.compare_bundle()?;
        }
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

    /// Brings the tree up to the last record, and compares the tiles that became full.
    fn grow(&mut self) -> Result<(), Fault> {
        let leaves = leaf_hashes(&self.bundle.records(self.hashed));
        self.hashed = self.bundle.len();
        for write in self.builder.append(&leaves).map_err(|error| self.failed(error))? {
            self.partial.remove(&write.tile.level());
            if write.tile.is_full() {
                self.compare_tile(&write)?;
            } else {
                self.partial.insert(write.tile.level(), write);
            }
        }
        Ok(())
    }

    /// Compares the bundle, which holds the tree's last leaves.
    fn compare_bundle(&mut self) -> Result<(), Fault> {
        if self.gone > 0 {
            return Ok(());
        }
        let index = self.builder.size().saturating_sub(1) / u64::from(TILE_WIDTH);
        let bundle = std::mem::take(&mut self.bundle);
        let compared = self.compare((None, index), bundle.len(), |width| bundle.encoded(width));
        self.bundle = bundle;
        compared
    }

    fn compare_tile(&mut self, write: &TileWrite) -> Result<(), Fault> {
        let position = (Some(write.tile.level()), write.tile.index());
        self.compare(position, usize::from(write.tile.width()), |width| write.bytes.get(..width * Hash::LEN))
    }

    /// Compares all files of a position, which has `width` hashes or entries by now.
    fn compare<'e>(
        &mut self,
        position: Position,
        width: usize,
        expected: impl Fn(usize) -> Option<&'e [u8]>,
    ) -> Result<(), Fault> {
        let stored = self.stored.remove(&position).unwrap_or_default();
        let full = width == usize::from(TILE_WIDTH);
        // Bundles are there only where somebody had them written.
        self.missing += u64::from(full && position.0.is_some() && !stored.contains(&TILE_WIDTH));
        for width in stored {
            let name = path(position.0, position.1, width);
            let file = self.layout.tile(&name);
            self.found.clear();
            match File::open(&file).and_then(|mut file| file.read_to_end(&mut self.found)) {
                // A gateway removes partial ones once they are superseded.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.map_err(|error| Fault::Io(file, error))?,
            };
            let whole = expected(usize::from(width));
            if whole != Some(&self.found) {
                // Tiles are not made durable: a power cut leaves the beginning of one. That is as good as none.
                if position.0.is_some() && whole.is_some_and(|whole| whole.starts_with(&self.found)) {
                    self.missing += u64::from(width == TILE_WIDTH);
                    continue;
                }
                return Err(Fault::altered(Place::File(name.into()), "it does not follow from the records"));
            }
        }
        Ok(())
    }

    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
        Fault::Io(self.layout.tile_dir(), io::Error::other(error))
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
