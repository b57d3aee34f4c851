//! What witnesses said of a log, as it keeps it: `witnesses/<key id>`, for each the note it cosigned last.

use crate::{
    atomic::{self, Durable},
    log::{checkpoints, keyring, layout::Layout},
    prove::{ProveError, StoredTiles, tiles_of_records},
    read::{LogReader, ReadError},
    verify::MAX_STEP_BACK,
};
use proof::{
    AddCheckpoint, Checkpoint, CosignatureVerifier, Hash, HashReader, Note, consistency_proof, root_at,
    verify_consistency,
};
use std::{io, path::Path};
use vocab::Event;

/// What a witness cosigned last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Records under the checkpoint.
    pub size: u64,
    /// When, in seconds since the epoch.
    pub time: u64,
}

/// Events whose stamps and a witness's clock disagree by more than [`MAX_STEP_BACK`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Events that were cosigned before they happened, as they are stamped.
    pub late: u64,
    /// Events that came after the cosignature and are stamped earlier.
    pub early: u64,
}

/// Compares when events are stamped with when the witness cosigned those before. Clocks differ and are set, so it proves
/// nothing; an event that was given another time than its own is among these, if among any.
///
/// # Errors
/// The log cannot be read.
pub fn stamped_outside(dir: &Path, cosigned: &Cosigned) -> Result<Outside, ReadError> {
    let time = i64::try_from(cosigned.time).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let mut found = Outside::default();
    for record in LogReader::open(dir)?.iter_from(0) {
        let record = record?;
        let Ok(event) = Event::from_bytes(&record.bytes) else { continue };
        let is_before = record.index < cosigned.size;
        found.late += u64::from(is_before && event.t > time.saturating_add(MAX_STEP_BACK));
        found.early += u64::from(!is_before && event.t < time.saturating_sub(MAX_STEP_BACK));
    }
    Ok(found)
}

/// The newest checkpoint of the log in `dir`, and the proof that it grew to it from `old` records.
///
/// # Errors
/// The log is smaller, cannot be read, or does not verify.
pub fn ask_to_cosign(dir: &Path, old: u64) -> Result<AddCheckpoint, ProveError> {
    let layout = Layout::new(dir);
    let (stored, _) = keyring::published(&layout)?;
    let stored = stored.ok_or(ProveError::NotSealed { index: old, sealed: 0 })?;
    let size = stored.checkpoint.size();
    if old > size {
        return Err(ProveError::NotSealed { index: old.saturating_sub(1), sealed: size });
    }
    let proof = if old == 0 || old == size { Vec::new() } else { grown(&layout, old, &stored.checkpoint)? };
    Ok(AddCheckpoint { old, proof, note: stored.note })
}

/// The proof that the log grew from `old` records to the checkpoint: made from the tiles, or from the records where tiles
/// are missing or wrong. Checked before it is returned: a witness would take a damaged tile for another history.
pub(crate) fn grown(layout: &Layout, old: u64, to: &Checkpoint) -> Result<Vec<Hash>, ProveError> {
    let from_tiles = StoredTiles(layout);
    let attempt = |tiles: &dyn HashReader| {
        let proof = consistency_proof(old, to.size(), tiles).ok()?;
        let old_root = root_at(old, tiles).ok()?;
        verify_consistency(old, to.size(), &proof, &old_root, to.root()).ok().map(|()| proof)
    };
    if let Some(proof) = attempt(&from_tiles) {
        return Ok(proof);
    }
    let from_records = tiles_of_records(layout, to.size())?;
    attempt(&from_records)
        .ok_or_else(|| ProveError::Unsound("the records are not those of the newest checkpoint".to_owned()))
}

/// Keeps a note that the witness cosigned, in place of the one before. Durable.
///
/// # Errors
/// The file system fails.
pub fn keep_cosigned(dir: &Path, witness: &CosignatureVerifier, note: &Note) -> io::Result<()> {
    let layout = Layout::new(dir);
    let path = layout.cosigned(&witness.id().to_string());
    atomic::create_named(&layout.witnesses(), 0)?;
    atomic::replace(&path, &path.with_extension("unfinished"), note.format().as_bytes(), Durable::There)
}

/// What the witness cosigned last of the log in `dir`, as the log keeps it. `None` where it keeps nothing.
///
/// # Errors
/// What is kept is not the log's checkpoint, or the witness did not cosign it.
pub fn cosigned(dir: &Path, witness: &CosignatureVerifier) -> Result<Option<Cosigned>, ProveError> {
    let layout = Layout::new(dir);
    let path = layout.cosigned(&witness.id().to_string());
    let (stored, _) = keyring::read(&layout, |keys| checkpoints::read(&path, keys))?;
    let Some(stored) = stored else { return Ok(None) };
    match witness.cosigned(&stored.note) {
        Some(time) => Ok(Some(Cosigned { size: stored.checkpoint.size(), time })),
        None => Err(ProveError::Unsound(format!("`{}` is not cosigned by `{}`", path.display(), witness.name()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{append, closed, open, record};
    use crate::{Place, Verdict, Witness, verify};
    use proof::KeyName;

    #[test]
    fn what_is_kept_is_checked_like_any_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        closed(&log, 300);
        let witness = Witness::open(&dir.path().join("witness"), &KeyName::parse("w").unwrap()).unwrap();
        let trusted = CosignatureVerifier::from_vkey(&witness.vkey()).unwrap();
        assert_eq!(cosigned(&log, &trusted).unwrap(), None);
        let log_key = crate::fixture::signer().verifier();
        for (old, grow) in [(0, 0), (300, 20)] {
            if grow > 0 {
                let (opened, _) = open(&log);
                append(&opened, (300..300 + grow).map(|number| record(number, 0)).collect()).unwrap();
                opened.close().unwrap();
            }
            let request = ask_to_cosign(&log, old).unwrap();
            let signature = witness.cosign(&request, std::slice::from_ref(&log_key), 77).unwrap();
            keep_cosigned(&log, &trusted, &request.note.with_signature(signature).unwrap()).unwrap();
            assert_eq!(cosigned(&log, &trusted).unwrap(), Some(Cosigned { size: 300 + grow, time: 77 }));
        }
        assert!(matches!(ask_to_cosign(&log, 321), Err(ProveError::NotSealed { sealed: 320, .. })));
        assert_eq!(verify(&log, None).unwrap().verdict, Verdict::Ok);

        // Tiles are no help and no hindrance.
        let good_proof = ask_to_cosign(&log, 300).unwrap().proof;
        assert!(!good_proof.is_empty());
        for tile in ["tile/0/000", "tile/0/001.p/64"] {
            let bytes = std::fs::read(log.join(tile)).unwrap();
            std::fs::write(log.join(tile), vec![7; bytes.len()]).unwrap();
            assert_eq!(ask_to_cosign(&log, 300).unwrap().proof, good_proof, "{tile}");
        }
        std::fs::remove_dir_all(log.join("tile")).unwrap();
        assert_eq!(ask_to_cosign(&log, 300).unwrap().proof, good_proof);

        // Cut back to before: every signed checkpoint of the log itself is gone, what was cosigned is not.
        let kept = log.join("witnesses").join(trusted.id().to_string());
        let good = std::fs::read(&kept).unwrap();
        let short = dir.path().join("short");
        closed(&short, 300);
        std::fs::create_dir(short.join("witnesses")).unwrap();
        std::fs::copy(&kept, short.join("witnesses").join(trusted.id().to_string())).unwrap();
        let found = verify(&short, None).unwrap().verdict;
        assert!(matches!(&found, Verdict::Missing { place: Place::Record(300), .. }), "{found:?}");

        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            std::fs::write(&kept, &bytes).unwrap();
            assert!(cosigned(&log, &trusted).is_err(), "{at}");
        }
    }
}
