//! What reading a log needs of its project's keys. Nothing is drawn, made or removed here.

use super::check::Check;
use super::{KEY_BYTES, KeysError, as_key, check_owner, io_error, read};
use crate::{hasher::LogHasher, payload::DataKeys, seal::Sealer};
use std::{fs::File, io, path::Path};
use vocab::Secret;

/// The keys that reading a log takes: the one of keyed hashes, and the one that opens data keys. Neither signs.
pub struct ReadingKeys {
    hmac: Secret<[u8; KEY_BYTES]>,
    seal: Secret<[u8; KEY_BYTES]>,
}

impl ReadingKeys {
    /// Reads them from a directory of keys; `None` where it has neither, as beside a log that was taken elsewhere.
    ///
    /// # Errors
    /// One of the two is missing, or not the one that was there before; others may read a key; a file is no key; the file
    /// system fails.
    pub fn read(dir: &Path) -> Result<Option<Self>, KeysError> {
        let opened = match File::open(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|source| io_error(dir, source))?,
        };
        let (hmac, seal) = (dir.join("log-hmac"), dir.join("seal"));
        let missing = |path: &Path| KeysError::Missing { path: path.to_owned() };
        match (find(&hmac)?, find(&seal)?) {
            (None, None) => Ok(None),
            (Some(hmac), Some(seal)) => {
                check_owner(&opened, dir)?;
                if let Some(known) = Check::find(dir)? {
                    known.confirm(dir, &Check::of(&[("log-hmac", &hmac), ("seal", &seal)]))?;
                }
                Ok(Some(Self { hmac, seal }))
            }
            (None, _) => Err(missing(&hmac)),
            (_, None) => Err(missing(&seal)),
        }
    }

    /// Digests of the log.
    #[must_use]
    pub fn hasher(&self) -> LogHasher {
        LogHasher::new(&self.hmac)
    }

    /// The data keys of the payloads beside the log in this directory.
    #[must_use]
    pub fn data_keys(&self, log: &Path) -> DataKeys {
        DataKeys::beside(log, Sealer::new(&self.seal, super::DATA_KEYS), self.hasher())
    }
}

impl std::fmt::Debug for ReadingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReadingKeys(..)")
    }
}

/// A key, if it is there.
fn find(path: &Path) -> Result<Option<Secret<[u8; KEY_BYTES]>>, KeysError> {
    match read(path) {
        Err(KeysError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        read => as_key(path, &read?).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn reading_draws_makes_and_removes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("keys");
        assert!(ReadingKeys::read(&dir).unwrap().is_none());
        assert!(!dir.exists());
        let hash = Keys::open(&dir, "a").unwrap().hasher().hash(b"x");
        // Given up, and its name not removed: whoever opens the keys to sign removes it.
        std::fs::write(dir.join("log-signing.next"), [0; 64]).unwrap();
        std::fs::remove_file(dir.join("log-signing")).unwrap();
        let before = names(&dir);
        assert_eq!(ReadingKeys::read(&dir).unwrap().unwrap().hasher().hash(b"x"), hash, "no signing key is needed");
        assert_eq!(names(&dir), before);

        for name in ["seal", "log-hmac"] {
            let kept = std::fs::read(dir.join(name)).unwrap();
            std::fs::remove_file(dir.join(name)).unwrap();
            let error = ReadingKeys::read(&dir).unwrap_err();
            assert!(matches!(&error, KeysError::Missing { path } if path.ends_with(name)), "{error}");
            assert!(!dir.join(name).exists(), "{name} was drawn");
            std::fs::write(dir.join(name), kept).unwrap();
            std::fs::set_permissions(dir.join(name), Permissions::from_mode(0o600)).unwrap();
        }
        for name in ["seal", "log-hmac"] {
            std::fs::remove_file(dir.join(name)).unwrap();
        }
        assert!(ReadingKeys::read(&dir).unwrap().is_none());
    }

    #[test]
    fn what_others_may_read_or_is_no_key_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("keys");
        Keys::open(&dir, "a").unwrap();
        let set = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        set(&dir, 0o750);
        assert!(matches!(ReadingKeys::read(&dir), Err(KeysError::Exposed { mode: 0o750, .. })));
        set(&dir, 0o700);
        set(&dir.join("seal"), 0o640);
        assert!(matches!(ReadingKeys::read(&dir), Err(KeysError::Exposed { mode: 0o640, .. })));
        set(&dir.join("seal"), 0o600);
        std::fs::write(dir.join("seal"), [0; 33]).unwrap();
        assert!(matches!(ReadingKeys::read(&dir), Err(KeysError::Malformed { .. })));
    }
}
