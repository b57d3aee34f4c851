//! Proofs that a record is in the log.

use crate::{
    log::{
        checkpoints::{Stored, StoredError},
        keyring,
        layout::Layout,
        prune::{Removed, prefix::Prefix},
        walk::{WalkError, walk},
    },
    read::{LogReader, ReadError},
};
use proof::{
    Checkpoint, Hash, HashReader, KeyHistory, Note, ProofTextError, TileBuilder, TileId, TlogProof, Verifier,
    decode_hashes, inclusion_proof, leaf_hash,
};
use std::{
    cell::OnceCell,
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No checkpoint is over the record.
    #[error("record {index} is not sealed: the newest checkpoint is over {sealed} records")]
    NotSealed {
        /// The record.
        index: u64,
        /// Size of the newest checkpoint.
        sealed: u64,
    },
    /// The record is not there any more.
    #[error("record {index} was {removed}")]
    Pruned {
        /// The record.
        index: u64,
        /// The removal that took it.
        removed: Removed,
    },
    /// The log does not verify.
    #[error("the log does not verify: {0}")]
    Unsound(String),
}

/// A proof in the format tlog-proof that the record at `index` is in the log in `dir`, under its newest checkpoint.
///
/// Made from the tiles, or from the records where tiles are missing or wrong; and checked before it is returned.
///
/// # Errors
/// There is no such record, or it is not sealed yet; the log does not verify.
pub fn prove(dir: &Path, index: u64) -> Result<String, ProveError> {
    let reader = LogReader::open(dir)?;
    let record = reader.get(index)?;
    if record.is_none()
        && let Some(removed) = reader.pruned(index)?
    {
        return Err(ProveError::Pruned { index, removed });
    }
    let prover = Prover::open(dir).map_err(|error| match error {
        ProveError::NotSealed { .. } => ProveError::NotSealed { index, sealed: 0 },
        error => error,
    })?;
    if index >= prover.size() {
        return Err(ProveError::NotSealed { index, sealed: prover.size() });
    }
    let record = record.ok_or_else(|| ProveError::Unsound(format!("record {index} is missing")))?;
    prover.prove(index, &record)
}

/// Makes proofs under one checkpoint.
pub(crate) struct Prover {
    layout: Layout,
    stored: Stored,
    keys: KeyHistory,
    key: Verifier,
    /// The tiles that follow from the records: made when the stored ones do not do.
    remade: OnceCell<BTreeMap<TileId, Vec<Hash>>>,
}

impl Prover {
    /// Proofs under the newest checkpoint of the log in this directory.
    pub(crate) fn open(dir: &Path) -> Result<Self, ProveError> {
        let layout = Layout::new(dir);
        let (stored, keys) = keyring::published(&layout)?;
        let stored = stored.ok_or(ProveError::NotSealed { index: 0, sealed: 0 })?;
        let key = keys.signing(stored.checkpoint.size()).last().cloned();
        let key = key.ok_or_else(|| ProveError::Unsound("no key signs it".to_owned()))?;
        Ok(Self { layout, stored, keys, key, remade: OnceCell::new() })
    }

    /// Records under the checkpoint.
    pub(crate) fn size(&self) -> u64 {
        self.stored.checkpoint.size()
    }

    pub(crate) fn origin(&self) -> &str {
        self.key.name().as_str()
    }

    /// The checkpoint, signed.
    pub(crate) const fn note(&self) -> &Note {
        &self.stored.note
    }

    /// The checkpoint.
    pub(crate) const fn sealed(&self) -> &Checkpoint {
        &self.stored.checkpoint
    }

    /// All keys of the log.
    pub(crate) const fn keys(&self) -> &KeyHistory {
        &self.keys
    }

    /// The key that signed the checkpoint.
    pub(crate) fn vkey(&self) -> String {
        self.key.to_vkey()
    }

    /// The proof of a record under the checkpoint, checked.
    pub(crate) fn prove(&self, index: u64, record: &[u8]) -> Result<String, ProveError> {
        let from_tiles = attempt(&StoredTiles(&self.layout), index, record, &self.stored, &self.key);
        let proof = match from_tiles {
            Ok(proof) => proof,
            Err(_) => attempt(self.remade()?, index, record, &self.stored, &self.key)?,
        };
        Ok(proof.format())
    }

    fn remade(&self) -> Result<&BTreeMap<TileId, Vec<Hash>>, ProveError> {
        match self.remade.get() {
            Some(tiles) => Ok(tiles),
            None => {
                let tiles = tiles_of_records(&self.layout, self.size())?;
                Ok(self.remade.get_or_init(|| tiles))
            }
        }
    }
}

fn attempt(
    tiles: &impl HashReader,
    index: u64,
    record: &[u8],
    stored: &Stored,
    key: &Verifier,
) -> Result<TlogProof, ProveError> {
    let path = inclusion_proof(index, stored.checkpoint.size(), tiles).map_err(|error| unsound(&error))?;
    let proof = TlogProof::new(index, path, stored.note.clone()).map_err(|error: ProofTextError| unsound(&error))?;
    proof.verify(record, key).map_err(|error| unsound(&error))?;
    Ok(proof)
}

/// The tiles as they are stored.
pub(crate) struct StoredTiles<'a>(pub(crate) &'a Layout);

impl HashReader for StoredTiles<'_> {
    fn tile_hashes(&self, tile: TileId) -> Result<Vec<Hash>, proof::ReadError> {
        // A partial tile is removed once the full one is there.
        for tile in [Some(tile), tile.full()].into_iter().flatten() {
            match std::fs::read(self.0.tile(&tile.path())) {
                Ok(bytes) => return decode_hashes(tile, &bytes).map_err(|error| failed(tile, error)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(tile, error)),
            }
        }
        Err(proof::ReadError::Missing(tile))
    }
}

fn failed(tile: TileId, source: impl std::error::Error + Send + Sync + 'static) -> proof::ReadError {
    proof::ReadError::Failed { tile, source: Box::new(source) }
}

/// The tiles that follow from the first `size` records: 32 bytes for each. Of records that were pruned, those that are not
/// wholly before the first one that is there.
pub(crate) fn tiles_of_records(layout: &Layout, size: u64) -> Result<BTreeMap<TileId, Vec<Hash>>, ProveError> {
    let prefix = Prefix::read(layout).map_err(|source| io_error(layout.pruned(), source))?;
    let mut leaves = Vec::new();
    walk(layout, &mut |frame| {
        if frame.index < size {
            leaves.push(leaf_hash(frame.bytes));
        }
        Ok::<(), ProveError>(())
    })?;
    let mut writes: Vec<_> = prefix.iter().flat_map(|prefix| prefix.partial().into_values()).collect();
    let mut builder = prefix.map_or_else(TileBuilder::new, |prefix| prefix.tree);
    writes.extend(builder.append(&leaves).map_err(|error| unsound(&error))?);
    let decode = |write: proof::TileWrite| Ok((write.tile, decode_hashes(write.tile, &write.bytes)?));
    writes.into_iter().map(decode).collect::<Result<_, proof::TileDataError>>().map_err(|error| unsound(&error))
}

fn unsound(error: &impl ToString) -> ProveError {
    ProveError::Unsound(error.to_string())
}

impl From<WalkError> for ProveError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Io { path, source } => io_error(path, source),
            altered => unsound(&altered),
        }
    }
}

impl From<StoredError> for ProveError {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Io { path, source } => io_error(path, source),
            invalid @ StoredError::Invalid { .. } => unsound(&invalid),
        }
    }
}

fn io_error(path: PathBuf, source: io::Error) -> ProveError {
    ProveError::Read(ReadError::Io { path, source })
}
