//! Whether the keys are those that were here before.
//!
//! Any 32 bytes are a key, so one with a flipped bit looks like another: it opens nothing, and nobody says why. The file
//! `check` beside the keys has a value of each, of which no key follows, and a digest of its own. It is no defence against
//! who can write here, and follows from the keys: where it is missing or does not read, it is written again.

use super::{KEY_BYTES, KeysError, as_key, io_error, is_missing, read};
use crate::{atomic, hasher::hmac_sha256, state::summed};
use std::{collections::BTreeMap, io, path::Path};
use vocab::Secret;

/// The file's name.
const FILE: &str = "check";
/// Its first line; the text that values are made of begins with it, as no text that is hashed otherwise does.
const HEAD: &str = "mortise-keys-check/v1";
/// Bytes of a value: enough that no other key has it by accident.
const VALUE_BYTES: usize = 8;

/// The values of some keys, by the keys' names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check(BTreeMap<String, String>);

impl Check {
    /// Of these keys.
    pub(super) fn of(keys: &[(&str, &Secret<[u8; KEY_BYTES]>)]) -> Self {
        Self(keys.iter().map(|(name, key)| ((*name).to_owned(), value(name, key))).collect())
    }

    /// The one that is kept; `None` where none is, or it does not read.
    ///
    /// # Errors
    /// Others may read it; the file system fails.
    pub(super) fn find(dir: &Path) -> Result<Option<Self>, KeysError> {
        match read(&dir.join(FILE)) {
            Err(KeysError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Self::parse(&read?)),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(summed::summed_only(bytes)?).ok()?;
        let values = text.strip_prefix(HEAD)?.lines().skip(1).map(|line| line.split_once(' '));
        let values = values.map(|pair| pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
        values.collect::<Option<_>>().map(Self)
    }

    /// That these keys are the ones it knows; what it does not know is believed.
    ///
    /// # Errors
    /// One is another.
    pub(super) fn confirm(&self, dir: &Path, keys: &Self) -> Result<(), KeysError> {
        let differs = |(name, value): &(&String, &String)| self.0.get(*name).is_some_and(|known| known != *value);
        match keys.0.iter().find(differs) {
            Some((name, _)) => Err(KeysError::Changed { path: dir.join(name) }),
            None => Ok(()),
        }
    }

    /// Takes it away before keys are drawn in place of lost ones, when those that are there are the ones it knows.
    ///
    /// # Errors
    /// One is another; a file is no key; the file system fails.
    pub(super) fn give_up(self, dir: &Path) -> Result<(), KeysError> {
        for name in self.0.keys() {
            let path = dir.join(name);
            if !is_missing(&path) {
                let key = as_key(&path, &read(&path)?)?;
                self.confirm(dir, &Self::of(&[(name, &key)]))?;
            }
        }
        let path = dir.join(FILE);
        match atomic::remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => atomic::sync_parent(&path),
        }
        .map_err(|source| io_error(&path, source))
    }

    /// Keeps it. Nobody waits for the disk: torn by a power cut it does not read, and is written again.
    ///
    /// # Errors
    /// The file system fails.
    pub(super) fn write(&self, dir: &Path) -> Result<(), KeysError> {
        let lines: String = self.0.iter().map(|(name, value)| format!("\n{name} {value}")).collect();
        let bytes = summed::with_sum(format!("{HEAD}{lines}").as_bytes());
        let (path, scratch) = (dir.join(FILE), dir.join(format!("{FILE}.unfinished-{}", std::process::id())));
        let written = atomic::replace(&path, &scratch, &bytes, atomic::Durable::Nothing);
        written.map_err(|source| io_error(&path, source))
    }
}

fn value(name: &str, key: &Secret<[u8; KEY_BYTES]>) -> String {
    let mac = hmac_sha256(key.expose(), &[HEAD.as_bytes(), b"\n", name.as_bytes()]);
    hex::encode(mac.get(..VALUE_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keys, ReadingKeys};

    const PLAIN: [&str; 4] = ["log-hmac", "pseudonym", "run-token", "seal"];

    fn keys() -> (tempfile::TempDir, std::path::PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("keys");
        Keys::open(&dir, "a").unwrap();
        (place, dir)
    }

    /// Written in place, so that its mode stays.
    fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_flipped_bit_of_a_key_is_named_and_put_right_by_the_key() {
        let (_place, dir) = keys();
        for (name, at) in PLAIN.into_iter().flat_map(|name| [(name, 0), (name, 16), (name, 31)]) {
            let path = dir.join(name);
            change(&path, |bytes| bytes[at] ^= 1);
            for _ in 0..2 {
                let error = Keys::open(&dir, "a").unwrap_err();
                assert!(matches!(&error, KeysError::Changed { path } if path.ends_with(name)), "{error}");
                assert!(error.to_string().contains(&format!("keys/{name}`")), "{error}");
            }
            let is_read = ["log-hmac", "seal"].contains(&name);
            assert_eq!(matches!(ReadingKeys::read(&dir), Err(KeysError::Changed { .. })), is_read, "{name}");
            change(&path, |bytes| bytes[at] ^= 1);
            Keys::open(&dir, "a").unwrap();
        }
    }

    #[test]
    fn a_check_that_is_lost_or_damaged_is_written_again() {
        let (_place, dir) = keys();
        let path = dir.join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            change(&path, |bytes| bytes[at] ^= 1);
            Keys::open(&dir, "a").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "byte {at}");
        }
        for left in [0, 1, whole.len() - 1] {
            std::fs::write(&path, &whole[..left]).unwrap();
            Keys::open(&dir, "a").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{left} bytes left");
        }
        // Of a version that had none.
        std::fs::remove_file(&path).unwrap();
        Keys::open(&dir, "a").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn a_lost_key_is_drawn_anew_and_no_changed_one_is_believed_by_that() {
        let (_place, dir) = keys();
        let seal = std::fs::read(dir.join("seal")).unwrap();
        std::fs::remove_file(dir.join("seal")).unwrap();
        change(&dir.join("log-hmac"), |bytes| bytes[3] ^= 4);
        for _ in 0..2 {
            let error = Keys::open(&dir, "a").unwrap_err();
            assert!(matches!(&error, KeysError::Changed { path } if path.ends_with("log-hmac")), "{error}");
            assert!(is_missing(&dir.join("seal")), "nothing is drawn while another key is wrong");
        }
        change(&dir.join("log-hmac"), |bytes| bytes[3] ^= 4);
        Keys::open(&dir, "a").unwrap();
        Keys::open(&dir, "a").unwrap();
        // The old one, put back over the one that was drawn, is another by now.
        change(&dir.join("seal"), |bytes| *bytes = seal);
        assert!(matches!(Keys::open(&dir, "a"), Err(KeysError::Changed { .. })));
        std::fs::remove_file(dir.join(FILE)).unwrap();
        Keys::open(&dir, "a").unwrap();
    }

    #[test]
    fn an_ordinary_start_writes_nothing() {
        use std::os::unix::fs::MetadataExt;
        let (_place, dir) = keys();
        let file = || std::fs::metadata(dir.join(FILE)).unwrap().ino();
        let before = file();
        Keys::open(&dir, "a").unwrap();
        assert_eq!(file(), before);
    }
}
