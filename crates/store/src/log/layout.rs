//! Where the parts of a log lie in its directory.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The paths of one log.
///
/// ```text
/// origin, vkey              which log, and the key it began with
/// keys                      after a rotation: which key signs which sizes, as the records say
/// lock                      held by the gateway that writes, holds its process id
/// seg/<first_index>.log     zero-filled segments of frames; 20 digits, so that names sort
/// pruned                    once records were pruned: where they begin, and what stays known of those before
/// pruned.next               the same, of a removal that is under way
/// seg/spare                 the next segment, being filled
/// tile/...                  C2SP tiles of hashes, derived from the segments
/// checkpoint                the newest signed checkpoint
/// checkpoints/<size>        earlier ones, kept for good
/// witnesses/<key id>        for each witness, the checkpoint it cosigned last
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn witnesses(&self) -> PathBuf {
        self.root.join("witnesses")
    }

    /// What the witness with this key cosigned last.
    pub(crate) fn cosigned(&self, key_id: &str) -> PathBuf {
        self.witnesses().join(key_id)
    }

    /// The files of what witnesses cosigned, in order. What was not finished is replaced with the next cosignature, and what
    /// has no key's id for a name is not ours.
    pub(crate) fn cosigned_files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(self.witnesses()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    pub(crate) fn origin(&self) -> PathBuf {
        self.root.join("origin")
    }

    pub(crate) fn vkey(&self) -> PathBuf {
        self.root.join("vkey")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub(crate) fn keys_scratch(&self) -> PathBuf {
        self.root.join("keys.unfinished")
    }

    pub(crate) fn pruned(&self) -> PathBuf {
        self.root.join("pruned")
    }

    pub(crate) fn pruned_next(&self) -> PathBuf {
        self.root.join("pruned.next")
    }

    pub(crate) fn pruned_scratch(&self) -> PathBuf {
        self.root.join("pruned.unfinished")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn segment_dir(&self) -> PathBuf {
        self.root.join("seg")
    }

    /// Whether there is a log. What may not be looked at is an error, not a log that is not there.
    pub(crate) fn is_there(&self) -> io::Result<bool> {
        match std::fs::metadata(self.segment_dir()) {
            Ok(found) => Ok(found.is_dir()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.segment_dir().join(format!("{first:020}.log"))
    }

    pub(crate) fn spare(&self) -> PathBuf {
        self.segment_dir().join("spare")
    }

    pub(crate) fn tile_dir(&self) -> PathBuf {
        self.root.join("tile")
    }

    /// A tile or bundle by its relative path, which begins with `tile/`.
    pub(crate) fn tile(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Scratch file of tile writes; no tile's path has this form.
    pub(crate) fn tile_scratch(&self) -> PathBuf {
        self.tile_dir().join("unfinished")
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    pub(crate) fn checkpoint_scratch(&self) -> PathBuf {
        self.root.join("checkpoint.unfinished")
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    pub(crate) fn archived(&self, size: u64) -> PathBuf {
        self.archive().join(size.to_string())
    }

    /// First indices of the segments, ascending. Files of other names are none.
    pub(crate) fn segments(&self) -> io::Result<Vec<u64>> {
        let named = |name: &str| {
            let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 20)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        numbers_in(&self.segment_dir(), named)
    }

    /// Sizes of the archived checkpoints, ascending. Files of other names are none.
    pub(crate) fn archived_sizes(&self) -> io::Result<Vec<u64>> {
        let named = |name: &str| name.parse::<u64>().ok().filter(|size| size.to_string() == name);
        numbers_in(&self.archive(), named)
    }
}

/// The numbers file names stand for; none where there is no directory.
fn numbers_in(dir: &Path, number: impl Fn(&str) -> Option<u64>) -> io::Result<Vec<u64>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(entry?.file_name().to_str().and_then(&number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
