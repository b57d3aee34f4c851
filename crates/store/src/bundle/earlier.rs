//! Earlier checkpoints of the log, and the proofs that it grew from them to the bundle's: what witnesses cosigned, and where one
//! key of the log handed over to the next.
//!
//! Each is a note; beside it lies what a witness would be asked to cosign next (`tlog-witness`): the old size, the consistency
//! proof, and the bundle's own checkpoint.

use super::BundleError;
use crate::{
    cosigned::grown,
    log::{checkpoints, layout::Layout},
    prove::{ProveError, Prover},
};
use proof::{AddCheckpoint, Checkpoint, Note, Seen, Verifier};

/// What witnesses cosigned, each named by the key's id.
pub(super) const WITNESSES: &str = "witnesses";
/// Checkpoints that two keys of the log signed, each named by its size.
pub(super) const HANDOVERS: &str = "handovers";
/// What the name of a proof ends with.
pub(super) const GROWN: &str = ".grown";

/// Files of a bundle, by name.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// Everything earlier than the checkpoint that `prover` proves under. To be read when that is: what is cosigned later is not
/// under it.
pub(super) fn files(layout: &Layout, prover: &Prover) -> Result<Files, BundleError> {
    let failed = |path: std::path::PathBuf| move |source| BundleError::Io { path, source };
    let unsound = |error: &dyn std::fmt::Display| BundleError::Prove(ProveError::Unsound(error.to_string()));
    let cosigned = layout.cosigned_files().map_err(failed(layout.witnesses()))?;
    let cosigned = cosigned.into_iter().map(|path| (WITNESSES, path));
    let handovers = prover.keys().spans().iter().map(|span| span.from).filter(|from| *from > 0);
    let handovers = handovers.map(|from| (HANDOVERS, layout.archived(from)));
    let mut files = Files::new();
    for (folder, path) in cosigned.chain(handovers) {
        let stored = checkpoints::read_signed(&path, prover.keys()).map_err(|error| unsound(&error))?;
        // A handover that is not sealed yet has none.
        let Some(stored) = stored.filter(|stored| stored.checkpoint.size() <= prover.size()) else { continue };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let old = stored.checkpoint.size();
        let is_same = old == 0 || old == prover.size();
        let proof = if is_same { Vec::new() } else { grown(layout, old, prover.sealed())? };
        let grown = AddCheckpoint { old, proof, note: prover.note().clone() };
        files.push((format!("{folder}/{name}"), stored.note.format().into_bytes()));
        files.push((format!("{folder}/{name}{GROWN}"), grown.format().into_bytes()));
    }
    Ok(files)
}

/// The checkpoint of an earlier note, if `keys` has one that signed it and the log grew from it to the bundle's, which `own`
/// signed. Otherwise why not.
pub(super) fn opened(
    note: &Note,
    grown: &[u8],
    keys: &[Verifier],
    own: &Verifier,
    newest: &Checkpoint,
) -> Result<Checkpoint, String> {
    let earlier = Checkpoint::open_any(note, keys).map_err(|error| error.to_string())?;
    let grown = AddCheckpoint::parse(grown).map_err(|error| format!("its proof: {error}"))?;
    let seen = Seen { size: earlier.size(), root: *earlier.root() };
    let to = grown.judge(Some(seen), std::slice::from_ref(own)).map_err(|error| format!("its proof: {error}"))?;
    match (to.size(), to.root()) == (newest.size(), newest.root()) {
        true => Ok(earlier),
        false => Err("its proof is to another checkpoint than the bundle's".to_owned()),
    }
}
