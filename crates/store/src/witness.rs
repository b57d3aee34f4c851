//! What a witness remembers: its key, and the checkpoint it cosigned last for each log.

use crate::{
    atomic::{self, Durable},
    keys::{KeysError, own_key},
    log::lock::{Lock, LockError},
};
use proof::{AddCheckpoint, Checkpoint, Cosigner, KeyName, Note, NoteSignature, Refusal, Seen, Verifier};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A witness's directory, opened by one process at a time:
///
/// ```text
/// lock                held by the witness
/// key                 its signing key (a signed-note key of a cosigner), readable by its owner only
/// logs/<digest>       the checkpoint cosigned last, by the SHA-256 of its origin
/// ```
pub struct Witness {
    dir: PathBuf,
    cosigner: Cosigner,
    /// One request at a time: between looking at what was cosigned last and remembering the next nothing may come.
    _lock: Lock,
    turn: Mutex<()>,
}

/// Why a witness cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Another process is this witness.
    #[error("another process is this witness{}", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// Its id, if known.
        pid: Option<u32>,
    },
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeysError),
    /// The file system failed.
    #[error("`{path}` cannot be read or written: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a request got no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum NotCosigned {
    /// The witness may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What was cosigned last is damaged or cannot be read: without it nothing is cosigned.
    #[error("what was cosigned last for `{origin}` cannot be read: {reason}")]
    Damaged {
        /// The log.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be remembered, so it is not given.
    #[error("a cosignature cannot be remembered, so none is given: {0}")]
    NotRemembered(io::Error),
}

impl Witness {
    /// Opens the witness in `dir`, or begins one there, with a key of this name.
    ///
    /// # Errors
    /// Another process has it open; the key is not closed to others, or of another name; the file system fails.
    pub fn open(dir: &Path, name: &KeyName) -> Result<Self, WitnessError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| WitnessError::Io { path, source }
        };
        let logs = dir.join("logs");
        // What it cosigns is not forgotten with the name of a directory.
        atomic::create_dir(&logs).and_then(|()| atomic::sync_ancestors(&logs)).map_err(failed(&logs))?;
        let path = dir.join("lock");
        let lock = Lock::take(&path).map_err(|error| match error {
            LockError::Held(pid) => WitnessError::Locked { pid },
            LockError::Io(source) => failed(&path)(source),
        })?;
        let key = dir.join("key");
        let text = own_key(&key, |seed| Cosigner::from_seed(name.clone(), seed).to_skey())?;
        let malformed = |reason: String| KeysError::Malformed { path: key.clone(), reason };
        let cosigner = Cosigner::from_skey(&text).map_err(|error| malformed(error.to_string()))?;
        let verifier = cosigner.verifier();
        if verifier.name() != name {
            return Err(malformed(format!("it is of witness `{}`, not `{name}`", verifier.name())).into());
        }
        Ok(Self { dir: dir.to_owned(), cosigner, _lock: lock, turn: Mutex::default() })
    }

    /// The key that others pin, as text.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.cosigner.verifier().to_vkey()
    }

    /// Cosigns the checkpoint of a request for the log with these keys, all of its name, if the log only grew. What was cosigned is durable
    /// before the signature is given. `time` is in seconds since the epoch. Blocks while it is written.
    ///
    /// # Errors
    /// The log did not only grow; what was cosigned last cannot be read, or the next not be remembered.
    pub fn cosign(&self, request: &AddCheckpoint, log: &[Verifier], time: u64) -> Result<NoteSignature, NotCosigned> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = log.first().map_or("", |key| key.name().as_str());
        let path = self.dir.join("logs").join(proof::leaf_hash(origin.as_bytes()).to_hex());
        let seen = seen(&path, log).map_err(|reason| NotCosigned::Damaged { origin: origin.to_owned(), reason })?;
        request.judge(seen, log)?;
        let note = request.note.format();
        let scratch = self.dir.join("unfinished");
        atomic::replace(&path, &scratch, note.as_bytes(), Durable::There).map_err(NotCosigned::NotRemembered)?;
        Ok(self.cosigner.cosign(request.note.text(), time))
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Witness({})", self.vkey())
    }
}

/// What was cosigned last; nothing where there is no file.
fn seen(path: &Path, log: &[Verifier]) -> Result<Option<Seen>, String> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| error.to_string())?,
    };
    let note = Note::parse(&bytes).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::open_any(&note, log).map_err(|error| error.to_string())?;
    Ok(Some(Seen { size: checkpoint.size(), root: *checkpoint.root() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{append, closed, open, records, signer};
    use crate::log::layout::Layout;
    use crate::prove::StoredTiles;
    use proof::consistency_proof;

    fn name() -> KeyName {
        KeyName::parse("witness.test/w").unwrap()
    }

    /// The log's newest checkpoint, with the proof from `old`.
    fn request(log: &Path, old: u64) -> AddCheckpoint {
        let layout = Layout::new(log);
        let note = Note::parse(&std::fs::read(layout.checkpoint()).unwrap()).unwrap();
        let size = Checkpoint::open(&note, &signer().verifier()).unwrap().size();
        let proof = match old {
            0 => Vec::new(),
            old => consistency_proof(old, size, &StoredTiles(&layout)).unwrap(),
        };
        AddCheckpoint { old, proof, note }
    }

    fn grow(log: &Path, to: u64, by: u64) {
        let (opened, _) = open(log);
        append(&opened, records(to + by).split_off(usize::try_from(to).unwrap())).unwrap();
        opened.close().unwrap();
    }

    #[test]
    fn a_witness_follows_a_log_and_outlives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (log, witness_dir) = (dir.path().join("log"), dir.path().join("witness"));
        let key = [signer().verifier()];
        closed(&log, 3);
        let witness = Witness::open(&witness_dir, &name()).unwrap();
        let vkey = witness.vkey();
        let first = request(&log, 0);
        let signature = witness.cosign(&first, &key, 1_700_000_000).unwrap();
        let trusted = proof::CosignatureVerifier::from_vkey(&vkey).unwrap();
        assert_eq!(trusted.cosigned(&first.note.clone().with_signature(signature).unwrap()), Some(1_700_000_000));
        // The same once more, for a log that did not hear the answer.
        assert!(witness.cosign(&request(&log, 3), &key, 1).is_ok());
        drop(witness);

        grow(&log, 3, 300);
        let witness = Witness::open(&witness_dir, &name()).unwrap();
        assert_eq!(witness.vkey(), vkey);
        assert!(matches!(witness.cosign(&request(&log, 0), &key, 1), Err(NotCosigned::Refused(Refusal::OtherSize(3)))));
        assert!(witness.cosign(&request(&log, 3), &key, 1).is_ok());
        // The log rolled back to an older copy of itself.
        assert!(matches!(witness.cosign(&first, &key, 1), Err(NotCosigned::Refused(Refusal::OtherSize(303)))));
    }

    #[test]
    fn there_is_one_and_its_key_is_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let witness = Witness::open(dir.path(), &name()).unwrap();
        assert!(matches!(Witness::open(dir.path(), &name()), Err(WitnessError::Locked { pid: Some(_) })));
        drop(witness);
        let other = KeyName::parse("witness.test/other").unwrap();
        let error = Witness::open(dir.path(), &other).unwrap_err();
        assert!(matches!(error, WitnessError::Key(KeysError::Malformed { .. })), "{error}");
        let key = dir.path().join("key");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let error = Witness::open(dir.path(), &name()).unwrap_err();
        assert!(matches!(error, WitnessError::Key(KeysError::Exposed { mode: 0o640, .. })), "{error}");
    }

    #[test]
    fn without_what_was_cosigned_last_nothing_is_cosigned() {
        let dir = tempfile::tempdir().unwrap();
        let (log, witness_dir) = (dir.path().join("log"), dir.path().join("witness"));
        let key = [signer().verifier()];
        closed(&log, 3);
        let witness = Witness::open(&witness_dir, &name()).unwrap();
        witness.cosign(&request(&log, 0), &key, 1).unwrap();
        let file = std::fs::read_dir(witness_dir.join("logs")).unwrap().next().unwrap().unwrap().path();
        let good = std::fs::read(&file).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            std::fs::write(&file, &bytes).unwrap();
            let found = witness.cosign(&request(&log, 3), &key, 1);
            assert!(matches!(found, Err(NotCosigned::Damaged { .. })), "{at} {found:?}");
        }
        std::fs::write(&file, &good).unwrap();
        std::fs::create_dir(witness_dir.join("unfinished")).unwrap();
        let found = witness.cosign(&request(&log, 3), &key, 1);
        assert!(matches!(found, Err(NotCosigned::NotRemembered(_))), "{found:?}");
    }
}
