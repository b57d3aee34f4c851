//! What witnesses cosigned of the bundle's log.

use super::{BundleReport, Cosignature, earlier, files};
use crate::verify::VerifyError;
use proof::{Checkpoint, CosignatureVerifier, Note, Verifier};
use std::path::Path;

/// Every note in `witnesses/` is one of the log's keys, and the log grew from it to the bundle's checkpoint; each witness that
/// is trusted has cosigned one of them.
pub(super) fn check(
    dir: &Path,
    own: &Verifier,
    newest: &Checkpoint,
    rotations: &[(u64, Verifier, Verifier)],
    trusted: &[CosignatureVerifier],
    report: &mut BundleReport,
) -> Result<(), VerifyError> {
    let keys: Vec<Verifier> = rotations.iter().flat_map(|(_, old, new)| [old, new]).chain([own]).cloned().collect();
    let mut notes = Vec::new();
    for name in names(dir)? {
        match opened(dir, &name, &keys, own, newest) {
            Ok(found) => notes.extend(found),
            Err(what) => report.problem(name, what),
        }
    }
    report.witness_files = notes.len() as u64;
    for witness in trusted {
        let cosigned = notes.iter().filter_map(|(note, size)| Some((witness.cosigned(note)?, *size)));
        match cosigned.max_by_key(|(_, size)| *size) {
            Some((time, size)) => {
                report.cosigned.push(Cosignature { witness: witness.name().to_string(), size, time });
            }
            None => {
                report.missing(earlier::WITNESSES, format!("`{}` has cosigned nothing in here", witness.name()));
            }
        }
    }
    Ok(())
}

fn opened(
    dir: &Path,
    name: &str,
    keys: &[Verifier],
    own: &Verifier,
    newest: &Checkpoint,
) -> Result<Option<(Note, u64)>, String> {
    let read = |name: &str| files::read(dir, name).map_err(|error| error.to_string());
    let grown = format!("{name}{}", earlier::GROWN);
    if !dir.join(&grown).exists() {
        return Ok(None);
    }
    let note = Note::parse(&read(name)?).map_err(|error| error.to_string())?;
    let size = earlier::opened(&note, &read(&grown)?, keys, own, newest)?.size();
    Ok(Some((note, size)))
}

/// Notes, by name; their proofs lie beside them. One without, as in bundles of before there were any, says nothing.
fn names(dir: &Path) -> Result<Vec<String>, VerifyError> {
    let folder = dir.join(earlier::WITNESSES);
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| VerifyError::Io { path: folder.clone(), source })?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| VerifyError::Io { path: folder.clone(), source })?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(earlier::GROWN) {
            names.push(format!("{}/{name}", earlier::WITNESSES));
        }
    }
    names.sort();
    Ok(names)
}
