//! The gateway's small files outside the repository.

pub(crate) mod summed;

use crate::atomic::{self, Durable};
use ring::digest::{SHA256, digest};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, Dir, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

/// Largest small file read back: 16 MiB.
pub const MAX_STATE_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Digits of the project's digest in the name of its folder: 64 bits, so that no two projects of one person share one.
const FOLDER_DIGITS: usize = 16;

/// What the environment says about where state lies. Empty values count as unset.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateEnv<'a> {
    /// `MORTISE_STATE_DIR`.
    pub mortise_state_dir: Option<&'a OsStr>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<&'a OsStr>,
    /// `HOME`.
    pub home: Option<&'a OsStr>,
}

/// The state directory of one project: closed to others, never left through a symbolic link.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    root: OwnedFd,
}

/// Why state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither a state directory nor a home is set, as an absolute path.
    #[error("no place for state: `MORTISE_STATE_DIR`, `XDG_STATE_HOME` and `HOME` name no absolute path")]
    NoPlace,
    /// Others may enter it, or it is somebody else's.
    #[error("`{path}` must belong to you and be closed to others, its mode is {mode:03o}")]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a plain relative name.
    #[error("`{0}` is not the name of a state file")]
    Name(String),
    /// Longer than [`MAX_STATE_FILE_BYTES`].
    #[error("`{0}` is longer than 16 MiB")]
    TooLong(PathBuf),
    /// The content is not what was written.
    #[error("`{0}` is damaged: its content is not what its digest says")]
    Damaged(PathBuf),
    /// The file system failed, or a symbolic link is in the way.
    #[error("`{path}`: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where the state of a project lies: `$MORTISE_STATE_DIR`, else `$XDG_STATE_HOME/mortise`, else
/// `~/.local/state/mortise`; below it the first 16 hexadecimal digits of SHA-256 of the project's canonical path.
///
/// # Errors
/// The environment names no place; `MORTISE_STATE_DIR` is not absolute.
pub fn resolve(env: &StateEnv<'_>, project: &Path) -> Result<PathBuf, StateError> {
    let set = |value: Option<&OsStr>| value.filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let base = match set(env.mortise_state_dir) {
        Some(chosen) => absolute(chosen),
        // A relative XDG directory is to be ignored (XDG Base Directory Specification).
        None => set(env.xdg_state_home)
            .and_then(absolute)
            .map(|state| state.join("mortise"))
            .or_else(|| set(env.home).and_then(absolute).map(|home| home.join(".local/state/mortise"))),
    };
    let digest = hex::encode(digest(&SHA256, project.as_os_str().as_bytes()));
    let folder: String = digest.chars().take(FOLDER_DIGITS).collect();
    base.map(|base| base.join(folder)).ok_or(StateError::NoPlace)
}

impl StateDir {
    /// Opens the directory; makes it where it is not there.
    ///
    /// # Errors
    /// Others may enter it; it is a symbolic link; the file system fails.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Io { path: path.to_owned(), source };
        atomic::create_dir(path).map_err(failed)?;
        let root = rustix::fs::open(path, DIRECTORY, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let found = File::from(root.try_clone().map_err(failed)?).metadata().map_err(failed)?;
        if found.mode() & 0o077 != 0 || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(StateError::Exposed { path: path.to_owned(), mode: found.mode() & 0o777 });
        }
        Ok(Self { path: path.to_owned(), root })
    }

    /// The directory's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log lies.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the keys lie.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// Replaces a file such as `accepted.json` or `approvals/0198.json`. When this returns it is durable, and whoever
    /// reads it meanwhile sees the old or the new one whole.
    ///
    /// # Errors
    /// The name is not plain; a symbolic link is in the way; the file system fails.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.replace(name, bytes, Durable::There)
    }

    /// The same for what can be made again: after a power cut the file may be the old one, missing, or torn.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn write_cache(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.replace(name, bytes, Durable::Nothing)
    }

    fn replace(&self, name: &str, bytes: &[u8], durable: Durable) -> Result<(), StateError> {
        let (folder, file) = self.enter(name, Missing::Make)?;
        let failed = |source: io::Error| self.io_error(name, source);
        let scratch = format!(".{file}.unfinished-{}", std::process::id());
        let path = self.path.join(name);
        atomic::step(&path).map_err(failed)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&folder, scratch.as_str(), flags, Mode::RUSR | Mode::WUSR);
        let mut opened = File::from(opened.map_err(|errno| failed(errno.into()))?);
        opened.write_all(bytes).map_err(failed)?;
        if durable == Durable::There {
            atomic::sync(&opened, &path.with_file_name(&scratch)).map_err(failed)?;
        }
        atomic::step(&path).map_err(failed)?;
        rustix::fs::renameat(&folder, scratch.as_str(), &folder, file).map_err(|errno| failed(errno.into()))?;
        if durable == Durable::There {
            atomic::step(&path).map_err(failed)?;
            rustix::fs::fsync(&folder).map_err(|errno| failed(errno.into()))?;
            path.parent().map_or(Ok(()), atomic::names_are_synced).map_err(failed)?;
        }
        Ok(())
    }

    /// Reads a file; `None` where there is none.
    ///
    /// # Errors
    /// The name is not plain; a symbolic link is in the way; the file is longer than 16 MiB; the file system fails.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let (folder, file) = match self.enter(name, Missing::Refuse) {
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            entered => entered?,
        };
        let failed = |source: io::Error| self.io_error(name, source);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match rustix::fs::openat(&folder, file, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            opened => File::from(opened.map_err(|errno| failed(errno.into()))?),
        };
        let mut bytes = Vec::new();
        (&opened).take(MAX_STATE_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_STATE_FILE_BYTES {
            return Err(StateError::TooLong(self.path.join(name)));
        }
        Ok(Some(bytes))
    }

    /// Names of the files in a folder such as `approvals`, sorted; none where there is no folder. Unfinished files are
    /// not among them.
    ///
    /// # Errors
    /// The name is not plain; a symbolic link is in the way; the file system fails.
    pub fn list(&self, folder: &str) -> Result<Vec<String>, StateError> {
        let failed = |errno: Errno| self.io_error(folder, errno.into());
        let (parent, last) = match self.enter(folder, Missing::Refuse) {
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entered => entered?,
        };
        let opened = match rustix::fs::openat(&parent, last, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            opened => opened.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in Dir::read_from(opened).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Removes a file, durably. It need not be there.
    ///
    /// # Errors
    /// The name is not plain; a symbolic link is in the way; the file system fails.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        let failed = |errno: Errno| self.io_error(name, errno.into());
        let (folder, file) = match self.enter(name, Missing::Refuse) {
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
            entered => entered?,
        };
        match rustix::fs::unlinkat(&folder, file, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => removed.and_then(|()| rustix::fs::fsync(&folder)).map_err(failed),
        }
    }

    /// The folder a name is in, entered step by step so that no step is a symbolic link; and the last part of the name.
    fn enter<'n>(&self, name: &'n str, missing: Missing) -> Result<(OwnedFd, &'n str), StateError> {
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\0');
        if !name.split('/').all(plain) {
            return Err(StateError::Name(name.to_owned()));
        }
        let failed = |source: io::Error| self.io_error(name, source);
        let (folders, file) = name.rsplit_once('/').map_or((None, name), |(folders, file)| (Some(folders), file));
        let (mut at, mut path) = (self.root.try_clone().map_err(failed)?, self.path.clone());
        for folder in folders.into_iter().flat_map(|folders| folders.split('/')) {
            if missing == Missing::Make {
                atomic::step(&path.join(folder)).map_err(failed)?;
                match rustix::fs::mkdirat(&at, folder, Mode::RWXU) {
                    Ok(()) => {
                        rustix::fs::fsync(at.as_fd()).map_err(|errno| failed(errno.into()))?;
                        atomic::names_are_synced(&path).map_err(failed)?;
                    }
                    Err(Errno::EXIST) => {}
                    Err(errno) => return Err(failed(errno.into())),
                }
            }
            path.push(folder);
            let next = rustix::fs::openat(&at, folder, DIRECTORY, Mode::empty());
            at = next.map_err(|errno| failed(errno.into()))?;
        }
        Ok((at, file))
    }

    fn io_error(&self, name: &str, source: io::Error) -> StateError {
        StateError::Io { path: self.path.join(name), source }
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What to do where a folder is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn env<'a>(own: &'a str, xdg: &'a str, home: &'a str) -> StateEnv<'a> {
        let value = |text: &'a str| Some(OsStr::new(text));
        StateEnv { mortise_state_dir: value(own), xdg_state_home: value(xdg), home: value(home) }
    }

    #[test]
    fn the_place_is_the_first_one_named() {
        let place = |own, xdg, home| resolve(&env(own, xdg, home), Path::new("/p")).ok();
        // printf /p | sha256sum
        let folder = "00d74baf14ea415c".to_owned();
        assert_eq!(place("/s", "/x", "/h"), Some(PathBuf::from("/s").join(&folder)));
        assert_eq!(place("", "/x", "/h"), Some(PathBuf::from("/x/mortise").join(&folder)));
        assert_eq!(place("", "x", "/h"), Some(PathBuf::from("/h/.local/state/mortise").join(&folder)));
        assert_eq!(place("s", "/x", "/h"), None);
        assert_eq!(place("", "", ""), None);
        assert!(resolve(&StateEnv::default(), Path::new("/p")).is_err());
    }

    fn state() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("a/b")).unwrap();
        (dir, state)
    }

    #[test]
    fn files_are_written_listed_and_removed() {
        let (_dir, state) = state();
        assert_eq!(state.read("approvals/1.json").unwrap(), None);
        assert_eq!(state.list("approvals").unwrap(), Vec::<String>::new());
        state.write("approvals/2.json", b"two").unwrap();
        state.write("approvals/1.json", b"one").unwrap();
        state.write("approvals/1.json", b"uno").unwrap();
        assert_eq!(state.read("approvals/1.json").unwrap().unwrap(), b"uno");
        assert_eq!(state.list("approvals").unwrap(), ["1.json", "2.json"]);
        let mode = |path: &str| std::fs::metadata(state.path().join(path)).unwrap().mode() & 0o777;
        assert_eq!((mode("."), mode("approvals"), mode("approvals/1.json")), (0o700, 0o700, 0o600));
        state.remove("approvals/1.json").unwrap();
        state.remove("approvals/1.json").unwrap();
        state.remove("nowhere/1.json").unwrap();
        assert_eq!(state.list("approvals").unwrap(), ["2.json"]);
    }

    #[test]
    fn names_and_links_do_not_lead_out() {
        let (dir, state) = state();
        for name in ["", "/etc/passwd", "../x", "a/../x", "a//x", "a/", ".hidden", "a\0b"] {
            assert!(matches!(state.write(name, b""), Err(StateError::Name(_))), "{name:?}");
        }
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("x"), b"secret").unwrap();
        symlink(&outside, state.path().join("folder")).unwrap();
        symlink(outside.join("x"), state.path().join("file")).unwrap();
        assert!(matches!(state.read("folder/x"), Err(StateError::Io { .. })));
        assert!(matches!(state.write("folder/y", b""), Err(StateError::Io { .. })));
        assert!(matches!(state.list("folder"), Err(StateError::Io { .. })));
        assert!(matches!(state.remove("folder/x"), Err(StateError::Io { .. })));
        assert!(matches!(state.read("file"), Err(StateError::Io { .. })));
        // Writing puts a file in the place of the link.
        state.write("file", b"ours").unwrap();
        assert_eq!(std::fs::read(outside.join("x")).unwrap(), b"secret");
        symlink(state.path(), dir.path().join("link")).unwrap();
        assert!(matches!(StateDir::open(&dir.path().join("link")), Err(StateError::Io { .. })));
    }

    #[test]
    fn a_directory_open_to_others_is_refused() {
        let (_dir, state) = state();
        std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(StateDir::open(state.path()), Err(StateError::Exposed { mode: 0o755, .. })));
    }

    #[test]
    fn the_longest_file_reads_back_and_a_longer_one_does_not() {
        let (_dir, state) = state();
        let file = File::create(state.path().join("big")).unwrap();
        file.set_len(MAX_STATE_FILE_BYTES).unwrap();
        assert!(state.read("big").unwrap().is_some());
        file.set_len(MAX_STATE_FILE_BYTES + 1).unwrap();
        assert!(matches!(state.read("big"), Err(StateError::TooLong(_))));
    }
}
