//! The keys of one project, drawn on first use.

mod check;
mod next;
mod reading;

pub use reading::ReadingKeys;

use crate::{atomic, hasher::LogHasher, log::Signers, payload::DataKeys, seal::Sealer};
use check::Check;
use proof::{KeyError, KeyHistory, KeyName, Signer};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use vocab::Secret;
use zeroize::Zeroizing;

/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;
/// Longer than any key file; a signing key of the longest origin in use is about 200 bytes.
const MAX_KEY_BYTES: u64 = 4096;
/// Length of the keys that are no signing keys.
const KEY_BYTES: usize = 32;
/// What data keys are sealed for.
const DATA_KEYS: &str = "data keys";

/// The keys of one project. A directory only its owner enters, one file for each key:
///
/// `log-signing` (a signed-note key), `log-hmac`, `seal`, `run-token`, `pseudonym` (32 bytes each); while the signing key is
/// rotated, `log-signing.next` and `log-signing.retired`. And `check`, by which a key that was changed is noticed.
pub struct Keys {
    files: SigningFiles,
    next: Option<Zeroizing<String>>,
    signing: Zeroizing<String>,
    hmac: Secret<[u8; KEY_BYTES]>,
    seal: Secret<[u8; KEY_BYTES]>,
    run_token: Secret<[u8; KEY_BYTES]>,
    pseudonym: Secret<[u8; KEY_BYTES]>,
}

/// Where the signing keys of a log lie.
#[derive(Clone, Debug)]
pub struct SigningFiles {
    dir: PathBuf,
    origin: KeyName,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Others may read or enter it, or it is somebody else's.
    #[error("`{path}` must belong to you and be closed to others, its mode is {mode:03o}")]
    Exposed {
        /// Directory or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key that is needed is not there, and whoever reads draws none.
    #[error("the key `{path}` is missing")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file is no key.
    #[error("`{path}` is not a key: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another key than the one that was here before: a flipped bit, or another project's.
    #[error(
        "`{path}` is not the key that was here before: put it back from a copy; if this one is meant, remove `check` beside it"
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The origin cannot name a key.
    #[error("`{origin}` cannot be the name of a log: {source}")]
    Origin {
        /// The origin given.
        origin: String,
        /// Why.
        source: KeyError,
    },
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Randomness,
    /// The file system failed.
    #[error("`{path}`: {source}")]
    Io {
        /// Directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Keys {
    /// Reads the keys in `dir`; draws those that are not there. The signing key is for the log `origin`.
    ///
    /// # Errors
    /// Others may read a key; a file is no key, or not the one that was there before; the file system fails.
    pub fn open(dir: &Path, origin: &str) -> Result<Self, KeysError> {
        let name = KeyName::parse(origin).map_err(|source| KeysError::Origin { origin: origin.to_owned(), source })?;
        atomic::create_dir(dir).map_err(|source| io_error(dir, source))?;
        let opened = File::open(dir).map_err(|source| io_error(dir, source))?;
        check_owner(&opened, dir)?;

        let sign = |seed: &[u8; KEY_BYTES]| {
            Zeroizing::new(Signer::from_seed(name.clone(), seed).to_skey().as_bytes().to_vec())
        };
        let plain = |random: &[u8; KEY_BYTES]| Zeroizing::new(random.to_vec());
        let forms: [(&str, &Form<'_>); 5] = [
            ("log-signing", &sign),
            ("log-hmac", &plain),
            ("seal", &plain),
            ("run-token", &plain),
            ("pseudonym", &plain),
        ];
        let missing = forms.into_iter().map(|(name, form)| (dir.join(name), form)).filter(|(path, _)| is_missing(path));
        let missing: Vec<_> = missing.collect();
        let any_drawn = !missing.is_empty();
        let mut known = Check::find(dir)?;
        if any_drawn && let Some(known) = known.take() {
            known.give_up(dir)?;
        }
        let drawn = atomic::at_once(missing.into_iter().map(|(path, form)| move || draw(&path, form)));
        drawn.into_iter().collect::<Result<(), _>>()?;
        let signing = read_signer(&dir.join("log-signing"), origin)?.to_skey();
        next::sweep(dir)?;
        let next = next::found(dir, origin)?.map(|signer| signer.to_skey());
        let plain = |name| read(&dir.join(name)).and_then(|bytes| as_key(&dir.join(name), &bytes));
        let keys = Self {
            files: SigningFiles { dir: dir.to_owned(), origin: name.clone() },
            next,
            signing,
            hmac: plain("log-hmac")?,
            seal: plain("seal")?,
            run_token: plain("run-token")?,
            pseudonym: plain("pseudonym")?,
        };
        keys.check(dir, known.as_ref())?;
        // Once for all of them: none is used before. Above, a new log makes the names durable.
        if any_drawn {
            opened.sync_all().map_err(|source| io_error(dir, source))?;
            atomic::names_are_synced(dir).map_err(|source| io_error(dir, source))?;
        }
        Ok(keys)
    }

    /// Compares the keys with those that are known from before; keeps what is to be known of them where that is less, or more.
    fn check(&self, dir: &Path, known: Option<&Check>) -> Result<(), KeysError> {
        let check = Check::of(&[
            ("log-hmac", &self.hmac),
            ("pseudonym", &self.pseudonym),
            ("run-token", &self.run_token),
            ("seal", &self.seal),
        ]);
        if known == Some(&check) {
            return Ok(());
        }
        known.map_or(Ok(()), |known| known.confirm(dir, &check))?;
        check.write(dir)
    }

    /// The log's signing key.
    ///
    /// # Errors
    /// None: the key was read when the keys were opened.
    pub fn signer(&self) -> Result<Signer, KeyError> {
        Signer::from_skey(&self.signing)
    }

    /// The keys the log is opened with: the one that signs and, while it is rotated, the one that comes.
    ///
    /// # Errors
    /// None: the keys were read when they were opened.
    pub fn signers(&self) -> Result<Signers, KeyError> {
        let mut signers = vec![self.signer()?];
        if let Some(next) = &self.next {
            signers.push(Signer::from_skey(next)?);
        }
        Ok(signers.into())
    }

    /// Where the signing keys lie, for whoever rotates them; no key is in it.
    #[must_use]
    pub fn files(&self) -> SigningFiles {
        self.files.clone()
    }

    /// Digests for the log.
    #[must_use]
    pub fn hasher(&self) -> LogHasher {
        LogHasher::new(&self.hmac)
    }

    /// A sealer for one purpose.
    #[must_use]
    pub fn sealer(&self, purpose: &str) -> Sealer {
        Sealer::new(&self.seal, purpose)
    }

    /// The data keys of the payloads beside the log in this directory.
    #[must_use]
    pub fn data_keys(&self, log: &Path) -> DataKeys {
        DataKeys::beside(log, self.sealer(DATA_KEYS), self.hasher())
    }

    /// Authenticates run tokens.
    #[must_use]
    pub const fn run_token(&self) -> &Secret<[u8; KEY_BYTES]> {
        &self.run_token
    }

    /// Makes pseudonyms of persons.
    #[must_use]
    pub const fn pseudonym(&self) -> &Secret<[u8; KEY_BYTES]> {
        &self.pseudonym
    }
}

impl SigningFiles {
    /// Draws the key that is to sign the log next. It is durable when this returns, and of no use until the log says so.
    ///
    /// # Errors
    /// The file system fails, or gives no random numbers.
    pub fn draw_next(&self) -> Result<Signer, KeysError> {
        next::draw(&self.dir, &self.origin)
    }

    /// Destroys signing keys that the log does not need, as its records say: one that was drawn and never named, and, unless
    /// a rotation is under way, the one that went. To be called when the log was opened, and when a rotation has ended.
    ///
    /// # Errors
    /// The file system fails; what is there is still what is needed.
    pub fn settle(&self, history: &KeyHistory, is_rotating: bool) -> Result<(), KeysError> {
        next::settle(&self.dir, self.origin.as_str(), history, is_rotating)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// The signing key in a file, which has to be of the log `origin`.
fn read_signer(path: &Path, origin: &str) -> Result<Signer, KeysError> {
    let text = read(path)?;
    let malformed = |reason: String| KeysError::Malformed { path: path.to_owned(), reason };
    let signing = str::from_utf8(&text).map_err(|_| malformed("it is not text".to_owned()))?;
    let signer = Signer::from_skey(signing).map_err(|error| malformed(error.to_string()))?;
    if signer.name().as_str() != origin {
        return Err(malformed(format!("it is of log `{}`, not `{origin}`", signer.name())));
    }
    Ok(signer)
}

/// The key that a file's bytes are.
fn as_key(path: &Path, bytes: &[u8]) -> Result<Secret<[u8; KEY_BYTES]>, KeysError> {
    <[u8; KEY_BYTES]>::try_from(bytes).map(Secret::new).map_err(|_| {
        let reason = format!("it has {} bytes, not {KEY_BYTES}", bytes.len());
        KeysError::Malformed { path: path.to_owned(), reason }
    })
}

/// The text of a key that is alone in its directory; what `form` makes of 32 random bytes where there was none. Durable.
pub(crate) fn own_key(
    path: &Path,
    form: impl Fn(&[u8; KEY_BYTES]) -> Zeroizing<String> + Sync,
) -> Result<Zeroizing<String>, KeysError> {
    if is_missing(path) {
        draw(path, &|seed| Zeroizing::new(form(seed).as_bytes().to_vec()))?;
        atomic::sync_parent(path).map_err(|source| io_error(path, source))?;
    }
    let bytes = read(path)?;
    let text = str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|_| KeysError::Malformed { path: path.to_owned(), reason: "it is not text".to_owned() })
}

/// What a key's file holds, made of 32 random bytes.
type Form<'a> = dyn Fn(&[u8; KEY_BYTES]) -> Zeroizing<Vec<u8>> + Sync + 'a;

/// Whether nothing has this name. Whatever has it is read, and refused if it is no key.
fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Draws a key that is not there. Its name is not durable yet. Where another process is first, its file stays.
fn draw(path: &Path, form: &Form<'_>) -> Result<(), KeysError> {
    let mut random = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *random).map_err(|_| KeysError::Randomness)?;
    create(path, &form(&random)).map_err(|source| io_error(path, source))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let nofollow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nofollow).open(path);
    let file = file.map_err(|source| io_error(path, source))?;
    check_owner(&file, path)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_KEY_BYTES).unwrap_or_default()));
    (&file).take(MAX_KEY_BYTES).read_to_end(&mut bytes).map_err(|source| io_error(path, source))?;
    Ok(bytes)
}

/// Writes the file whole under a name of this process, then links it under its own unless that is taken.
fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let scratch = path.with_extension(format!("unfinished-{}", std::process::id()));
    let mut file = atomic::create(&scratch)?;
    file.write_all(bytes)?;
    atomic::sync(&file, &scratch)?;
    let linked = atomic::link(&scratch, path);
    atomic::remove(&scratch)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn check_owner(file: &File, path: &Path) -> Result<(), KeysError> {
    let found = file.metadata().map_err(|source| io_error(path, source))?;
    if found.mode() & OTHERS != 0 || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(KeysError::Exposed { path: path.to_owned(), mode: found.mode() & 0o777 });
    }
    Ok(())
}

fn io_error(path: &Path, source: io::Error) -> KeysError {
    KeysError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    fn modes(dir: &Path) -> Vec<(String, u32)> {
        let mut modes: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(Result::unwrap)
            .map(|e| (e.file_name().into_string().unwrap(), e.metadata().unwrap().mode() & 0o777))
            .collect();
        modes.sort();
        modes
    }

    #[test]
    fn keys_are_drawn_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("keys");
        let first = Keys::open(&dir, "mortise.test/a").unwrap();
        let again = Keys::open(&dir, "mortise.test/a").unwrap();
        assert_eq!(first.hasher().hash(b"x"), again.hasher().hash(b"x"));
        assert_eq!(first.signer().unwrap().verifier(), again.signer().unwrap().verifier());
        let sealed = first.sealer("p").seal(b"x", b"").unwrap();
        assert!(again.sealer("p").open(&sealed, b"").is_ok());
        assert_ne!(first.run_token().expose(), first.pseudonym().expose());
        let names = ["check", "log-hmac", "log-signing", "pseudonym", "run-token", "seal"];
        assert_eq!(modes(&dir), names.map(|name| (name.to_owned(), 0o600)));
        assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn keys_others_may_read_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("keys");
        Keys::open(&dir, "a").unwrap();
        let set = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        for mode in [0o640, 0o604, 0o610] {
            set(&dir.join("seal"), mode);
            let error = Keys::open(&dir, "a").unwrap_err();
            assert!(matches!(error, KeysError::Exposed { mode: found, .. } if found == mode), "{error}");
        }
        set(&dir.join("seal"), 0o600);
        set(&dir, 0o750);
        assert!(matches!(Keys::open(&dir, "a"), Err(KeysError::Exposed { mode: 0o750, .. })));
    }

    #[test]
    fn short_keys_links_and_foreign_names_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("keys");
        Keys::open(&dir, "a").unwrap();
        assert!(matches!(Keys::open(&dir, "b"), Err(KeysError::Malformed { .. })));
        assert!(matches!(Keys::open(&dir, "a b"), Err(KeysError::Origin { .. })));
        let seal = dir.join("seal");
        std::fs::write(&seal, [0; 31]).unwrap();
        assert!(matches!(Keys::open(&dir, "a"), Err(KeysError::Malformed { .. })));
        std::fs::remove_file(&seal).unwrap();
        std::os::unix::fs::symlink(dir.join("log-hmac"), &seal).unwrap();
        assert!(matches!(Keys::open(&dir, "a"), Err(KeysError::Io { .. })));
    }
}
