//! Data keys: one for each tenant, subject and month, each in a file of its own, so that it can be destroyed alone. Those of a
//! month lie together, so that they can be removed when nothing is left that they open.
//!
//! The first Mortise kept all of them in one directory, and an identifier does not say which month it is of: those stay.

use super::day::Month;
use crate::{
    LogHasher, Sealer,
    atomic::{self, Durable},
    seal::SealError,
};
use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use vocab::Secret;
use zeroize::Zeroizing;

/// Keys held in memory; beyond that all are forgotten and read again.
const MAX_HELD: usize = 1024;
/// Digits of a key's id.
const ID_DIGITS: usize = 32;
/// Keys that one owner can have had in one month: each erasure ends one.
const MAX_GENERATIONS: u32 = 1000;
/// Bytes of a key's file: the sealed 32.
const MAX_FILE_BYTES: u64 = 256;

/// Whose payloads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The tenant.
    pub tenant: String,
    /// The person at the end of the principal chain, `none` without one.
    pub subject: String,
}

/// A key that seals payloads.
pub(crate) struct DataKey {
    id: String,
    sealer: Sealer,
}

/// The data keys of one log.
pub struct DataKeys {
    dir: PathBuf,
    /// Seals the keys themselves.
    sealer: Sealer,
    hasher: LogHasher,
    held: Mutex<HashMap<(Owner, Month), Arc<DataKey>>>,
}

/// Why a data key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataKeyError {
    /// The file system failed.
    #[error("`{path}`: {source}")]
    Io {
        /// The key's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not sealed with this project's key, or was altered.
    #[error("`{0}` does not open: it belongs to another project, or was altered")]
    Refused(PathBuf),
    /// No random numbers.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Too many erasures.
    #[error("the keys of one owner were destroyed {MAX_GENERATIONS} times in one month")]
    Generations,
}

impl DataKey {
    pub(crate) fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn id_bytes(&self) -> [u8; ID_DIGITS / 2] {
        let mut bytes = [0; ID_DIGITS / 2];
        // An id is made of digits by `id`.
        let _ = hex::decode_to_slice(&self.id, &mut bytes);
        bytes
    }

    fn new(id: String, key: [u8; 32]) -> Self {
        Self { id, sealer: Sealer::new(&Secret::new(key), "payload") }
    }

    #[cfg(test)]
    pub(crate) fn drawn(id: &str) -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).unwrap();
        Self::new(id.to_owned(), key)
    }
}

impl DataKeys {
    /// The keys in this directory, which is made when the first one is drawn. `sealer` is the project's for data keys.
    #[must_use]
    pub fn new(dir: PathBuf, sealer: Sealer, hasher: LogHasher) -> Self {
        Self { dir, sealer, hasher, held: Mutex::new(HashMap::new()) }
    }

    /// The key of this owner and month; drawn, durably, where there is none.
    pub(crate) fn of(&self, owner: &Owner, month: Month) -> Result<Arc<DataKey>, DataKeyError> {
        // Held while a key is drawn: two would be one too many.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (owner.clone(), month);
        if let Some(key) = held.get(&place) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.find_or_draw(owner, month)?);
        if held.len() >= MAX_HELD {
            held.clear();
        }
        held.insert(place, Arc::clone(&key));
        Ok(key)
    }

    /// The key with this id; `None` where it was destroyed or never was.
    pub(crate) fn with_id(&self, id: &str) -> Result<Option<DataKey>, DataKeyError> {
        if id.len() != ID_DIGITS || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let Some(path) = self.path(id).map_err(|source| DataKeyError::Io { path: self.dir.clone(), source })? else {
            return Ok(None);
        };
        let sealed = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| DataKeyError::Io { path: path.clone(), source })?,
        };
        let plain = self.sealer.open(&sealed, id.as_bytes());
        let plain = plain.map_err(|_| DataKeyError::Refused(path.clone()))?;
        let key = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| DataKeyError::Refused(path))?;
        Ok(Some(DataKey::new(id.to_owned(), key)))
    }

    /// Ids of the keys of this owner and month that have not been destroyed.
    #[must_use]
    pub fn living(&self, owner: &Owner, month: Month) -> Vec<String> {
        self.generations(owner, month).filter(|(_, fate)| *fate == Fate::Lives).map(|(id, _)| id).collect()
    }

    /// Destroys a key: its bytes, then its name. A second time is no error.
    ///
    /// # Errors
    /// The file system failed; then it may still be there.
    pub fn destroy(&self, id: &str) -> Result<(), DataKeyError> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, key| key.id != id);
        let Some(path) = self.path(id).map_err(|source| DataKeyError::Io { path: self.dir.clone(), source })? else {
            return Ok(());
        };
        let failed = |source| DataKeyError::Io { path: path.clone(), source };
        match OpenOptions::new().write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
            Ok(mut file) => {
                // A file system may keep the old bytes elsewhere; what can be done from here is done.
                let length = file.metadata().map_err(failed)?.len().min(MAX_FILE_BYTES);
                let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
                file.write_all(&zeros).and_then(|()| file.sync_all()).map_err(failed)?;
            }
        }
        std::fs::rename(&path, gone(&path)).map_err(failed)?;
        atomic::sync_parent(&path).map_err(failed)
    }

    /// The months before this one that there are keys of, oldest first.
    ///
    /// # Errors
    /// The file system failed.
    pub fn months_before(&self, month: Month) -> io::Result<Vec<Month>> {
        Ok(self.months()?.into_iter().filter(|of| *of < month).collect())
    }

    /// Removes what is there of a month: its keys, and what is left of those that were destroyed. Nothing that they open may be
    /// left. That it is gone already is no error.
    ///
    /// # Errors
    /// The file system failed: some of it may be gone.
    pub fn remove(&self, month: Month) -> io::Result<()> {
        // Held while they are removed: none is drawn meanwhile.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(_, of), _| *of != month);
        let dir = self.dir.join(month.to_string());
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed?,
        }
        atomic::sync_parent(&dir)
    }

    /// The months that there are keys of, oldest first. Names that are no months are left out.
    fn months(&self) -> io::Result<Vec<Month>> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut months = Vec::new();
        for entry in entries {
            months.extend(entry?.file_name().to_str().and_then(|name| name.parse::<Month>().ok()));
        }
        months.sort_unstable();
        Ok(months)
    }

    /// Where the key with this id lies, if it is one and there.
    fn path(&self, id: &str) -> io::Result<Option<PathBuf>> {
        // Newest first: most of what is read is new.
        let dirs = self.months()?.into_iter().rev().map(|month| self.dir.join(month.to_string()));
        let mut paths = dirs.chain([self.dir.clone()]).map(|dir| dir.join(id));
        Ok(paths.find(|path| path.exists()))
    }

    fn find_or_draw(&self, owner: &Owner, month: Month) -> Result<DataKey, DataKeyError> {
        let mut next = None;
        let dir = self.dir.join(month.to_string());
        for (id, fate) in self.generations(owner, month) {
            match fate {
                Fate::Lives => {
                    if let Some(key) = self.with_id(&id)? {
                        return Ok(key);
                    }
                }
                Fate::Gone => {}
                Fate::Never => next = Some(id),
            }
        }
        let id = next.ok_or(DataKeyError::Generations)?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| SealError::Randomness)?;
        let sealed = self.sealer.seal(&*key, id.as_bytes())?;
        let path = dir.join(&id);
        let written =
            begun(&dir).and_then(|()| atomic::replace(&path, &dir.join("unfinished"), &sealed, Durable::There));
        written.map_err(|source| DataKeyError::Io { path, source })?;
        Ok(DataKey::new(id, *key))
    }

    /// The keys of this owner and month, oldest first, and the id of the next one.
    fn generations(&self, owner: &Owner, month: Month) -> impl Iterator<Item = (String, Fate)> {
        let mut is_last = false;
        (0..MAX_GENERATIONS).map_while(move |generation| {
            if is_last {
                return None;
            }
            let id = self.id(owner, month, generation);
            let paths = [self.dir.join(month.to_string()).join(&id), self.dir.join(&id)];
            let fate = if paths.iter().any(|path| path.exists()) {
                Fate::Lives
            } else if paths.iter().any(|path| gone(path).exists()) {
                Fate::Gone
            } else {
                Fate::Never
            };
            is_last = fate == Fate::Never;
            Some((id, fate))
        })
    }

    /// Keyed, so that who sees ids cannot tell whose they are.
    fn id(&self, owner: &Owner, month: Month, generation: u32) -> String {
        let named = format!("data key\0{}\0{}\0{month}\0{generation}", owner.tenant, owner.subject);
        let hash = self.hasher.hash(named.as_bytes());
        hash.trim_start_matches("hmac:").chars().take(ID_DIGITS).collect()
    }
}

/// A directory whose name is durable before anything in it is. A crash may have come between the two before.
fn begun(dir: &Path) -> io::Result<()> {
    atomic::create_dir(dir)?;
    atomic::sync_parent(dir)?;
    dir.parent().map_or(Ok(()), atomic::sync_parent)
}

/// Where a key was destroyed.
fn gone(key: &Path) -> PathBuf {
    key.with_extension("gone")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    Gone,
    Never,
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl std::fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Day;

    fn keys(dir: &Path, seed: u8) -> DataKeys {
        let key = Secret::new([seed; 32]);
        DataKeys::new(dir.to_owned(), Sealer::new(&key, "data keys"), LogHasher::new(&key))
    }

    fn owner(subject: &str) -> Owner {
        Owner { tenant: "default".to_owned(), subject: subject.to_owned() }
    }

    #[test]
    fn each_owner_and_month_has_a_key_that_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (here, month) = (keys(dir.path(), 1), Day::of(0).month());
        let ada = here.of(&owner("ada"), month).unwrap();
        assert_eq!(here.of(&owner("ada"), month).unwrap().id(), ada.id());
        assert_eq!(keys(dir.path(), 1).of(&owner("ada"), month).unwrap().id(), ada.id());
        for other in [here.of(&owner("bob"), month), here.of(&owner("ada"), month.minus(1))] {
            assert_ne!(other.unwrap().id(), ada.id());
        }
        let elsewhere = keys(dir.path(), 2).with_id(ada.id());
        assert!(matches!(elsewhere, Err(DataKeyError::Refused(_))));
        assert!(here.with_id("../../etc/passwd").unwrap().is_none());
    }

    #[test]
    fn a_destroyed_key_is_gone_and_the_next_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let (here, month) = (keys(dir.path(), 1), Day::of(0).month());
        let first = here.of(&owner("ada"), month).unwrap();
        let bob = here.of(&owner("bob"), month).unwrap();
        assert_eq!(here.living(&owner("ada"), month), [first.id()]);
        here.destroy(first.id()).unwrap();
        here.destroy(first.id()).unwrap();
        assert!(here.with_id(first.id()).unwrap().is_none());
        assert!(here.living(&owner("ada"), month).is_empty());
        let left = dir.path().join(format!("1970-01/{}.gone", first.id()));
        assert!(std::fs::read(left).unwrap().iter().all(|byte| *byte == 0));
        let second = here.of(&owner("ada"), month).unwrap();
        assert_ne!(second.id(), first.id());
        assert_eq!(here.of(&owner("bob"), month).unwrap().id(), bob.id());
    }

    #[test]
    fn a_month_goes_with_all_its_keys_and_no_other_does() {
        let dir = tempfile::tempdir().unwrap();
        let (here, month) = (keys(dir.path(), 1), Day::of(0).plus(40).month());
        let ids: Vec<String> =
            (-1..=1).map(|months| here.of(&owner("ada"), month.minus(months)).unwrap().id().to_owned()).collect();
        let destroyed = here.of(&owner("bob"), month).unwrap();
        here.destroy(destroyed.id()).unwrap();
        assert_eq!(here.months_before(month).unwrap(), [month.minus(1)]);
        assert_eq!(here.months_before(month.minus(-9)).unwrap(), [month.minus(1), month, month.minus(-1)]);
        here.remove(month).unwrap();
        here.remove(month).unwrap();
        assert!(!dir.path().join("1970-02").exists());
        let there = |id: &String| here.with_id(id).unwrap().is_some();
        assert_eq!(ids.iter().map(there).collect::<Vec<_>>(), [true, false, true]);
        // Not even from memory.
        here.of(&owner("ada"), month).unwrap();
        assert!(there(&ids[1]));
        assert_eq!(here.months_before(month.minus(-9)).unwrap().len(), 3);
        std::fs::create_dir(dir.path().join("1970-2")).unwrap();
        std::fs::create_dir(dir.path().join("1970-13")).unwrap();
        assert_eq!(here.months_before(month.minus(-9)).unwrap().len(), 3, "no months");
    }

    #[test]
    fn keys_that_lie_all_together_are_found_and_destroyed_as_ever() {
        let dir = tempfile::tempdir().unwrap();
        let (here, month) = (keys(dir.path(), 1), Day::of(0).month());
        let ada = here.of(&owner("ada"), month).unwrap();
        std::fs::rename(dir.path().join("1970-01").join(ada.id()), dir.path().join(ada.id())).unwrap();
        std::fs::remove_dir(dir.path().join("1970-01")).unwrap();
        let here = keys(dir.path(), 1);
        assert_eq!(here.of(&owner("ada"), month).unwrap().id(), ada.id());
        assert_eq!(here.living(&owner("ada"), month), [ada.id()]);
        assert_eq!(here.months_before(month.minus(-9)).unwrap(), []);
        here.destroy(ada.id()).unwrap();
        assert!(dir.path().join(format!("{}.gone", ada.id())).exists());
        assert_ne!(here.of(&owner("ada"), month).unwrap().id(), ada.id());
    }
}
