//! Which log a directory holds.

use super::rotation::Signers;
use super::{error::OpenError, layout::Layout};
use crate::atomic::{self, Durable};
use proof::Verifier;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Checks that the directory holds the log of this origin, or makes it that; the key it began with. Whether the keys at hand
/// are those that sign it now, its records say.
pub(crate) fn claim(layout: &Layout, origin: &str, signers: &Signers) -> Result<Verifier, OpenError> {
    let vkey = signers.all().first().map(|signer| signer.verifier().to_vkey()).unwrap_or_default();
    if signers.all().iter().any(|signer| signer.name().as_str() != origin) {
        return Err(OpenError::Key { found: vkey, expected: origin.to_owned() });
    }
    let (found, new_origin) = text(&layout.origin(), origin)?;
    if found != origin {
        return Err(OpenError::Origin { found, expected: origin.to_owned() });
    }
    let (found, new_key) = text(&layout.vkey(), &vkey)?;
    let first = Verifier::from_vkey(&found).map_err(|_| OpenError::Key { found: vkey, expected: found })?;
    if new_origin || new_key {
        // They lie in one directory.
        let path = layout.vkey();
        atomic::sync_parent(&path).map_err(|source| OpenError::Io { path, source })?;
    }
    Ok(first)
}

/// The file's line; `fresh` and true where there was none, after writing it.
fn text(path: &Path, fresh: &str) -> Result<(String, bool), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    match read_line(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut scratch = path.as_os_str().to_owned();
            scratch.push(".unfinished");
            let line = format!("{fresh}\n");
            atomic::replace(path, &PathBuf::from(scratch), line.as_bytes(), Durable::Whole).map_err(failed)?;
            Ok((fresh.to_owned(), true))
        }
        read => Ok((read.map_err(failed)?, false)),
    }
}

/// A file of one line, without its line feed. Anything more or less is kept, so that it compares unequal.
pub(crate) fn read_line(path: &Path) -> io::Result<String> {
    let mut text = std::fs::read_to_string(path)?;
    if text.ends_with('\n') {
        text.pop();
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "it does not end with a line feed"))
    }
}
