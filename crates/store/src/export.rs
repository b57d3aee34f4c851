//! A log as others expect to be served one.

use crate::{
    atomic,
    log::{
        bundle::Bundle,
        checkpoints::StoredError,
        derive::{Derived, Write},
        identity::read_line,
        keyring::{self, KeyringError},
        layout::Layout,
        prune::prefix::Prefix,
        walk::{WalkError, walk},
    },
};
use proof::{BundleId, TileId};
use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Why a log was not exported, or not to its end. Without a `checkpoint` beside them, the files are of no use.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Something is there already.
    #[error("`{0}` is not empty")]
    NotEmpty(PathBuf),
    /// The log does not verify.
    #[error("the log does not verify: {0}")]
    Unsound(String),
    /// The file system failed.
    #[error("`{path}` cannot be read or written: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes the log in `dir` to `to`, a directory that is empty or not there, as [tlog-tiles] lays it out: `checkpoint`,
/// `tile/...` and `tile/entries/...` of the records under the newest checkpoint, and `origin`, `vkey` and `keys` beside them. Any
/// server of static files can offer it. Returns the number of records.
///
/// All of it is made from the records, which have to give the signed root; the checkpoint is written last. Of a log whose
/// beginning was pruned, the bundles begin with the first one that is whole, and the tiles before it are those that are kept.
///
/// # Errors
/// `to` holds something; the log does not verify; the file system fails.
///
/// [tlog-tiles]: https://c2sp.org/tlog-tiles
pub fn export(dir: &Path, to: &Path) -> Result<u64, ExportError> {
    let (log, out) = (Layout::new(dir), Layout::new(to));
    let line = |path: PathBuf| read_line(&path).map_err(|source| ExportError::Io { path, source });
    let (origin, vkey) = (line(log.origin())?, line(log.vkey())?);
    let (stored, keys) = keyring::published(&log)?;
    let stored = stored.ok_or_else(|| ExportError::Unsound("its checkpoint is missing".to_owned()))?;
    begin(to)?;

    let sealed = stored.checkpoint.size();
    let prefix = Prefix::read(&log).map_err(failed(&log.pruned()))?;
    let whole_from = prefix.as_ref().map_or(0, |prefix| prefix.first).next_multiple_of(u64::from(proof::TILE_WIDTH));
    let mut derived = match &prefix {
        Some(prefix) => {
            copy_kept(&log, &out, prefix)?;
            Derived::after(out.clone(), prefix)
        }
        None => Derived::new(out.clone()),
    };
    let mut bundle = Bundle::default();
    walk(&log, &mut |frame| {
        if frame.index >= sealed {
            return Ok(());
        }
        derived.push(frame.bytes.to_vec(), Write::Always).map_err(failed(&out.tile_dir()))?;
        if frame.index < whole_from {
            return Ok(());
        }
        bundle.push(frame.bytes).ok_or_else(|| ExportError::Unsound(format!("record {} is too long", frame.index)))?;
        if bundle.is_full() {
            write_bundle(&out, &bundle, frame.index)?;
            bundle.clear();
        }
        Ok::<(), ExportError>(())
    })?;
    if derived.size() != sealed {
        return Err(ExportError::Unsound(format!("record {} is missing", derived.size())));
    }
    if bundle.len() > 0 {
        write_bundle(&out, &bundle, sealed.saturating_sub(1))?;
    }
    derived.write_partial(Write::Always).map_err(failed(&out.tile_dir()))?;
    if derived.root().map_err(failed(&out.tile_dir()))? != *stored.checkpoint.root() {
        return Err(ExportError::Unsound("the records are not those that were signed".to_owned()));
    }
    if keys.spans().len() > 1 {
        write(&out.keys(), keys.format().as_bytes()).map_err(failed(&out.keys()))?;
    }
    for (path, text) in [
        (out.origin(), format!("{origin}\n")),
        (out.vkey(), format!("{vkey}\n")),
        (out.checkpoint(), stored.note.format().to_owned()),
    ] {
        write(&path, text.as_bytes()).map_err(failed(&path))?;
    }
    atomic::sync_below(to).map_err(failed(to))?;
    Ok(sealed)
}

/// The tiles that are kept of records that are gone, and what says where the log begins.
fn copy_kept(log: &Layout, out: &Layout, prefix: &Prefix) -> Result<(), ExportError> {
    let before = |level: u8| (0..prefix.first >> (8 * (u32::from(level) + 1))).map(move |index| (level, index));
    // Level 7 is above every log.
    for (level, index) in (0..7).flat_map(before) {
        let name = TileId::new(level, index, proof::TILE_WIDTH).map_err(|error| unsound(&error))?.path();
        let (from, to) = (log.tile(&name), out.tile(&name));
        match std::fs::read(&from) {
            // Of the leaves' tiles few are kept.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&from)(error)),
            Ok(bytes) => {
                let made = to.parent().map_or(Ok(()), atomic::create_dir);
                made.and_then(|()| write(&to, &bytes)).map_err(failed(&to))?;
            }
        }
    }
    let path = out.pruned();
    write(&path, prefix.format().as_bytes()).map_err(failed(&path))
}

/// Makes the directory, unless something is in it.
fn begin(to: &Path) -> Result<(), ExportError> {
    match std::fs::read_dir(to).map(|mut found| found.next().is_some()) {
        Ok(true) => return Err(ExportError::NotEmpty(to.to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(to)(error)),
        _ => {}
    }
    atomic::create_dir(&Layout::new(to).tile_dir().join("entries")).map_err(failed(to))
}

/// Writes the bundle whose last record has this index.
fn write_bundle(out: &Layout, bundle: &Bundle, last: u64) -> Result<(), ExportError> {
    let width = u16::try_from(bundle.len()).map_err(|error| unsound(&error))?;
    let id = BundleId::new(last / u64::from(proof::TILE_WIDTH), width).map_err(|error| unsound(&error))?;
    let path = out.tile(&id.path());
    let written = path.parent().map_or(Ok(()), atomic::create_dir);
    let bytes = bundle.encoded(bundle.len()).unwrap_or_default();
    written.and_then(|()| write(&path, bytes)).map_err(failed(&path))
}

/// A file that only the owner reads, like those of the log.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    atomic::create(path)?.write_all(bytes)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ExportError + use<'_> {
    |source| ExportError::Io { path: path.to_owned(), source }
}

fn unsound(error: &impl ToString) -> ExportError {
    ExportError::Unsound(error.to_string())
}

impl From<WalkError> for ExportError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Io { path, source } => Self::Io { path, source },
            altered => unsound(&altered),
        }
    }
}

impl From<StoredError> for ExportError {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Io { path, source } => Self::Io { path, source },
            invalid @ StoredError::Invalid { .. } => unsound(&invalid),
        }
    }
}

impl From<KeyringError> for ExportError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Stored(error) => error.into(),
            no_key @ KeyringError::NoKey(_) => unsound(&no_key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{append, closed, copy, open, record, records};
    use proof::{decode_bundle, decode_hashes, leaf_hashes};

    fn leaves(dir: &Path, size: u64) -> (Vec<Vec<u8>>, Vec<proof::Hash>) {
        let (mut entries, mut hashes) = (Vec::new(), Vec::new());
        for index in 0..size.div_ceil(256) {
            let width = u16::try_from((size - index * 256).min(256)).unwrap();
            let (tile, bundle) = (TileId::new(0, index, width).unwrap(), BundleId::new(index, width).unwrap());
            let bytes = std::fs::read(dir.join(bundle.path())).unwrap();
            entries.extend(decode_bundle(bundle, &bytes).unwrap().into_iter().map(<[u8]>::to_vec));
            hashes.extend(decode_hashes(tile, &std::fs::read(dir.join(tile.path())).unwrap()).unwrap());
        }
        (entries, hashes)
    }

    #[test]
    fn what_is_sealed_is_exported_and_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        let log_dir = dir.path().join("log");
        for size in [0, 1, 256, 300] {
            let (to, copied) = (dir.path().join(format!("to-{size}")), dir.path().join(format!("log-{size}")));
            closed(&copied, size);
            assert_eq!(export(&copied, &to).unwrap(), size);
            let (entries, hashes) = leaves(&to, size);
            assert_eq!(entries, records(size));
            assert_eq!(hashes, leaf_hashes(&entries));
            for name in ["checkpoint", "origin", "vkey"] {
                assert_eq!(std::fs::read(to.join(name)).unwrap(), std::fs::read(copied.join(name)).unwrap(), "{name}");
            }
        }
        closed(&log_dir, 3);
        let (log, _) = open(&log_dir);
        append(&log, vec![record(3, 0)]).unwrap();
        assert_eq!(export(&log_dir, &dir.path().join("open")).unwrap(), 3);
    }

    #[test]
    fn nothing_is_written_over_and_what_does_not_verify_gets_no_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let (log, to) = (dir.path().join("log"), dir.path().join("to"));
        closed(&log, 3);
        std::fs::create_dir(&to).unwrap();
        std::fs::write(to.join("mine"), b"").unwrap();
        assert!(matches!(export(&log, &to), Err(ExportError::NotEmpty(_))));
        std::fs::remove_file(to.join("mine")).unwrap();
        assert_eq!(export(&log, &to).unwrap(), 3);

        let segment = "seg/00000000000000000000.log";
        let other = tempfile::tempdir().unwrap();
        let (foreign, _) = open(other.path());
        append(&foreign, (5..8).map(|number| record(number, 0)).collect()).unwrap();
        drop(foreign);
        for (name, change) in [
            ("replaced", std::fs::read(other.path().join(segment)).unwrap()),
            ("short", std::fs::read(log.join(segment)).unwrap()[..record(0, 0).len() + 24].to_vec()),
        ] {
            let (changed, to) = (dir.path().join(name), dir.path().join(format!("to-{name}")));
            copy(&log, &changed);
            std::fs::write(changed.join(segment), change).unwrap();
            assert!(matches!(export(&changed, &to), Err(ExportError::Unsound(_))), "{name}");
            assert!(!to.join("checkpoint").exists(), "{name}");
        }
    }

    #[test]
    fn what_was_exported_survives_a_power_cut() {
        let dir = tempfile::tempdir().unwrap();
        let (log, base) = (dir.path().join("log"), dir.path().join("base"));
        closed(&log, 300);
        std::fs::create_dir(&base).unwrap();
        crate::atomic::ending::power_after(&base, u64::MAX, 7);
        assert_eq!(export(&log, &base.join("to")).unwrap(), 300);
        crate::atomic::ending::power_goes(&base);
        let (entries, hashes) = leaves(&base.join("to"), 300);
        assert_eq!(entries, records(300));
        assert_eq!(hashes, leaf_hashes(&entries));
        assert_eq!(std::fs::read(base.join("to/checkpoint")).unwrap(), std::fs::read(log.join("checkpoint")).unwrap());
    }
}
