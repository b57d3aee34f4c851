//! The file `pruned`: what stays known of the records that a log no longer has.
//!
//! The first line is for whoever only reads records: `mortise-log-pruned/v1`, the index of the first record that is there,
//! the number of the opening that wrote the last one before it. The second line is a JSON object with the rest.

use super::removed::{Removed, Stated};
use crate::log::{identity::read_line, layout::Layout};
use proof::{
    Checkpoint, Hash, HashReader, KeyHistory, ReadError, TileBuilder, TileId, TileWrite, consistency_proof,
    encode_hashes, verify_consistency,
};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

const HEADER: &str = "mortise-log-pruned/v1";
/// Longest header: the word, two numbers of at most 20 digits, what is between them.
const MAX_HEADER_BYTES: u64 = 64;
/// Longest file. Eight levels of at most 255 hashes are 140 KB, a thousand keys 150 KB, a thousand removals 100 KB.
const MAX_BYTES: u64 = 1024 * 1024;
/// Removals before the last one that are named; of those before them, the number stays.
pub(super) const MAX_EARLIER: usize = 1_000;

/// What is known of the records that are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Index of the first record that is there.
    pub(crate) first: u64,
    /// Number of the opening that wrote the last record that is gone.
    pub(crate) epoch: u32,
    /// The newest stamp of the records that are gone.
    pub(crate) latest: i64,
    /// The log's keys after them. No rotation was under way.
    pub(crate) keys: KeyHistory,
    /// What they stated last of how long things are kept.
    pub(crate) stated: Stated,
    /// The tree over them.
    pub(crate) tree: TileBuilder,
    /// The removal that took the last of them.
    pub(crate) removed: Removed,
    /// Those before it, oldest first: the newest [`MAX_EARLIER`].
    pub(crate) earlier: Vec<Removed>,
    /// How many there were before these.
    pub(crate) forgotten: u64,
    /// The hashes of `tree`: the unfinished tile of each level.
    edge: Vec<Vec<Hash>>,
}

/// The second line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    earlier: Vec<Removed>,
    forgotten: u64,
    keys: String,
    latest: i64,
    removed: Removed,
    retention_days: Stated,
    tiles: Vec<Vec<String>>,
}

/// What the parts are at first; the tree's edge follows.
pub(super) struct Parts {
    pub(super) epoch: u32,
    pub(super) latest: i64,
    pub(super) keys: KeyHistory,
    pub(super) stated: Stated,
    pub(super) tree: TileBuilder,
    pub(super) removed: Removed,
    pub(super) earlier: Vec<Removed>,
    pub(super) forgotten: u64,
}

/// Where the records of a log begin: the first index, and the opening before it. Zeros where nothing was pruned.
pub(crate) fn start(layout: &Layout) -> io::Result<(u64, u32)> {
    let file = match File::open(layout.pruned()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        opened => opened?,
    };
    let mut text = Vec::new();
    file.take(MAX_HEADER_BYTES).read_to_end(&mut text)?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    header(std::str::from_utf8(line).unwrap_or_default()).ok_or_else(|| invalid("its first line has another form"))
}

fn header(line: &str) -> Option<(u64, u32)> {
    let (first, epoch) = line.strip_prefix(HEADER)?.strip_prefix(' ')?.split_once(' ')?;
    let found = (first.parse().ok()?, epoch.parse().ok()?);
    // One spelling: nothing but what is written is read.
    (line == format!("{HEADER} {} {}", found.0, found.1) && found.0 > 0).then_some(found)
}

impl Prefix {
    pub(super) fn new(parts: Parts) -> io::Result<Self> {
        let Parts { epoch, latest, keys, stated, tree, removed, earlier, forgotten } = parts;
        let edge = edge(&tree)?;
        let first = tree.size();
        Ok(Self { first, epoch, latest, keys, stated, tree, removed, earlier, forgotten, edge })
    }

    /// What the log's file says; `None` where nothing was pruned.
    ///
    /// # Errors
    /// The file system fails; the file is none, or is of a log with another first key.
    pub(crate) fn read(layout: &Layout) -> io::Result<Option<Self>> {
        let Some(prefix) = Self::read_at(&layout.pruned())? else { return Ok(None) };
        let vkey = read_line(&layout.vkey())?;
        match prefix.keys.spans().first() {
            Some(span) if span.key.to_vkey() == vkey => Ok(Some(prefix)),
            _ => Err(invalid("its first key is not that of the log")),
        }
    }

    /// What a file says; `None` where there is none.
    pub(crate) fn read_at(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
        Self::parse(&text).map(Some)
    }

    fn parse(text: &str) -> io::Result<Self> {
        if text.len() as u64 > MAX_BYTES {
            return Err(invalid("it is longer than 1 MiB"));
        }
        let Some((line, body)) = text.split_once('\n') else { return Err(invalid("it has no second line")) };
        let (first, epoch) = header(line).ok_or_else(|| invalid("its first line has another form"))?;
        let body: Body = serde_json::from_str(body).map_err(|error| invalid(&error.to_string()))?;
        let keys = KeyHistory::parse(&body.keys).map_err(|error| invalid(&error.to_string()))?;
        let edge = hashes(&body.tiles)?;
        let tree = tree(first, &edge)?;
        let is_one_removal = body.removed.first == first && body.earlier.len() <= MAX_EARLIER;
        let parts = Parts {
            epoch,
            latest: body.latest,
            keys,
            stated: body.retention_days,
            tree,
            removed: body.removed,
            earlier: body.earlier,
            forgotten: body.forgotten,
        };
        let prefix = Self::new(parts)?;
        // Whoever holds the digest of a file holds that of what was read from it.
        if is_one_removal && prefix.format() == text { Ok(prefix) } else { Err(invalid("it has another form")) }
    }

    /// The file.
    pub(crate) fn format(&self) -> String {
        let body = Body {
            earlier: self.earlier.clone(),
            forgotten: self.forgotten,
            keys: self.keys.format(),
            latest: self.latest,
            removed: self.removed.clone(),
            retention_days: self.stated.clone(),
            tiles: self.edge.iter().map(|level| level.iter().map(Hash::to_hex).collect()).collect(),
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        format!("{HEADER} {} {}\n{body}\n", self.first, self.epoch)
    }

    /// What the record that tells of the removal calls the file.
    pub(crate) fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(digest(&SHA256, self.format().as_bytes())))
    }

    /// The root of the tree over the records that are gone.
    pub(crate) fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Checks that the log grew from this checkpoint, over no more than the records that are gone, to all of them.
    ///
    /// # Errors
    /// It did not, or the tiles do not say so.
    pub(crate) fn grew_from(&self, checkpoint: &Checkpoint, tiles: &dyn HashReader) -> Result<(), GrowthError> {
        let (size, root) = (checkpoint.size(), self.root());
        // The newest tiles that the proof needs are those of this edge, whatever came behind them.
        let proof = consistency_proof(size, self.first, &WithEdge { prefix: self, tiles })?;
        Ok(verify_consistency(size, self.first, &proof, checkpoint.root(), &root)?)
    }

    /// The unfinished tile of each level of that tree.
    pub(crate) fn partial(&self) -> BTreeMap<u8, TileWrite> {
        let tiles = edge_tiles(self.first).into_iter().zip(&self.edge);
        let tiles = tiles.filter_map(|(tile, hashes)| {
            let tile = tile?;
            Some((tile.level(), TileWrite { tile, bytes: encode_hashes(hashes) }))
        });
        tiles.collect()
    }

    /// The hash at this place of the edge.
    pub(crate) fn hash_at(&self, level: u8, index: u64) -> Option<Hash> {
        self.edge.get(usize::from(level))?.get(usize::try_from(index % u64::from(proof::TILE_WIDTH)).ok()?).copied()
    }

    /// The removal that took the record at `index`.
    pub(crate) fn removal_of(&self, index: u64) -> Option<&Removed> {
        self.earlier.iter().chain([&self.removed]).find(|removed| index < removed.first)
    }

    /// Where the log had begun before the last removal.
    pub(super) fn before(&self) -> u64 {
        self.earlier.last().map_or(0, |removed| removed.first)
    }
}

/// Why a checkpoint over records that are gone is not known to be of the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GrowthError {
    /// A tile that the proof needs is not there, or none.
    #[error(transparent)]
    Tiles(#[from] proof::ProveError),
    /// The tiles lead elsewhere.
    #[error(transparent)]
    Proof(#[from] proof::VerifyError),
}

/// Full tiles as they are stored, and the edge as the file says it.
struct WithEdge<'a> {
    prefix: &'a Prefix,
    tiles: &'a dyn HashReader,
}

impl HashReader for WithEdge<'_> {
    fn tile_hashes(&self, tile: TileId) -> Result<Vec<Hash>, ReadError> {
        let edge = (!tile.is_full()).then(|| self.prefix.edge.get(usize::from(tile.level()))).flatten();
        match edge.filter(|hashes| hashes.len() == usize::from(tile.width())) {
            Some(hashes) => Ok(hashes.clone()),
            None => self.tiles.tile_hashes(tile),
        }
    }
}

/// Names of the unfinished tile of each level, up to the root's.
fn edge_tiles(size: u64) -> Vec<Option<TileId>> {
    // The eighth level holds more than a log can have.
    (0..8u8)
        .take_while(|level| size >> (8 * u32::from(*level)) > 0)
        .map(|level| TileId::in_tree(level, size >> (8 * u32::from(level)) >> 8, size))
        .collect()
}

fn edge(tree: &TileBuilder) -> io::Result<Vec<Vec<Hash>>> {
    let tiles = edge_tiles(tree.size()).into_iter();
    tiles.map(|tile| Ok(tile.map(|tile| tree.partial(tile.level()).to_vec()).unwrap_or_default())).collect()
}

fn hashes(tiles: &[Vec<String>]) -> io::Result<Vec<Vec<Hash>>> {
    let level = |level: &Vec<String>| level.iter().map(|hash| Hash::from_hex(hash)).collect::<Result<Vec<_>, _>>();
    tiles.iter().map(level).collect::<Result<Vec<_>, _>>().map_err(|error| invalid(&error.to_string()))
}

fn tree(first: u64, edge: &[Vec<Hash>]) -> io::Result<TileBuilder> {
    let names = edge_tiles(first);
    let widths_fit = names.len() == edge.len()
        && names
            .iter()
            .zip(edge)
            .all(|(name, hashes)| name.map_or(0, |name| usize::from(name.width())) == hashes.len());
    if !widths_fit {
        return Err(invalid("its hashes are not those of a tree of that size"));
    }
    let tiles: BTreeMap<TileId, Vec<Hash>> =
        names.into_iter().zip(edge).filter_map(|(name, hashes)| Some((name?, hashes.clone()))).collect();
    TileBuilder::resume(first, &tiles).map_err(|error| invalid(&error.to_string()))
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it does not say what was pruned: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::signer;
    use proof::leaf_hash;

    fn prefix(size: u64) -> Prefix {
        let mut tree = TileBuilder::new();
        let leaves: Vec<Hash> = (0..size).map(|number| leaf_hash(&number.to_be_bytes())).collect();
        tree.append(&leaves).unwrap();
        let day = crate::payload::Day::of(0);
        let removed = Removed { first: size, t: 1, through: day, days: 2 };
        Prefix::new(Parts {
            epoch: 3,
            latest: -4,
            keys: KeyHistory::new(signer().verifier()),
            stated: Stated::default(),
            tree,
            earlier: vec![Removed { first: 1, ..removed.clone() }; MAX_EARLIER],
            removed,
            forgotten: 5,
        })
        .unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        for size in [1, 255, 256, 257, 65_535, 65_536, 65_537 + 256] {
            let prefix = prefix(size);
            let text = prefix.format();
            let read = Prefix::parse(&text).unwrap();
            assert_eq!((read.root(), read.digest(), &read), (prefix.tree.root(), prefix.digest(), &prefix), "{size}");
            for (from, to) in [
                (format!(" {size} 3\n"), format!(" {} 3\n", size + 1)),
                (format!(" {size} 3\n"), format!(" 0{size} 3\n")),
                ("/v1".to_owned(), "/v2".to_owned()),
                ("\"forgotten\":5".to_owned(), "\"forgotten\": 5".to_owned()),
                ("\"latest\"".to_owned(), "\"more\":1,\"latest\"".to_owned()),
                (format!("\"removed\":{{\"first\":{size},"), "\"removed\":{\"first\":9,".to_owned()),
                (
                    "[{\"first\":1,".to_owned(),
                    "[{\"first\":1,\"t\":1,\"through\":\"1970-01-01\",\"days\":2},{\"first\":1,".to_owned(),
                ),
            ] {
                let other = text.replacen(&from, &to, 1);
                assert_ne!(other, text, "{from}");
                assert!(Prefix::parse(&other).is_err(), "{size}: {to}");
            }
        }
        assert!(Prefix::parse(&"x".repeat(1024 * 1024 + 1)).unwrap_err().to_string().contains("longer than 1 MiB"));
        assert!(Prefix::parse(&"x".repeat(1024 * 1024)).unwrap_err().to_string().contains("no second line"));
    }

    #[test]
    fn the_longest_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pruned");
        // The eight levels can have 255 hashes each: 65 characters and two quotes.
        let widest = 8 * 255 * 67;
        let keys = proof::MAX_LOG_KEYS * 150;
        let text = prefix(65_535).format();
        assert!(text.len() + widest + keys < usize::try_from(MAX_BYTES).unwrap());
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Prefix::read_at(&path).unwrap(), Some(prefix(65_535)));
    }
}
