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
    let (found_origin, found_key) = (find(&layout.origin())?, find(&layout.vkey())?);
    if let Some(found) = found_origin.as_ref().filter(|found| *found != origin) {
        return Err(OpenError::Origin { found: found.clone(), expected: origin.to_owned() });
    }
    let missing = [(layout.origin(), &found_origin, origin), (layout.vkey(), &found_key, &vkey)];
    let missing = missing.into_iter().filter(|(_, found, _)| found.is_none());
    let written = atomic::at_once(missing.map(|(path, _, text)| move || write(&path, text)));
    let any_written = !written.is_empty();
    written.into_iter().collect::<Result<(), _>>()?;
    let found = found_key.unwrap_or_else(|| vkey.clone());
    let first = Verifier::from_vkey(&found).map_err(|_| OpenError::Key { found: vkey, expected: found })?;
    if any_written {
        // They lie in one directory.
        let path = layout.vkey();
        atomic::sync_parent(&path).map_err(|source| OpenError::Io { path, source })?;
    }
    Ok(first)
}

/// The file's line, if there is one.
fn find(path: &Path) -> Result<Option<String>, OpenError> {
    match read_line(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(|source| OpenError::Io { path: path.to_owned(), source }),
    }
}

fn write(path: &Path, text: &str) -> Result<(), OpenError> {
    let mut scratch = path.as_os_str().to_owned();
    scratch.push(".unfinished");
    let line = format!("{text}\n");
    let written = atomic::replace(path, &PathBuf::from(scratch), line.as_bytes(), Durable::Whole);
    written.map_err(|source| OpenError::Io { path: path.to_owned(), source })
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
