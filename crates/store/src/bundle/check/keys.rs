//! From the key that an auditor was given to the one that signed the bundle's checkpoint.

use super::{BundleReport, earlier, files};
use crate::verify::VerifyError;
use proof::{Checkpoint, Note, Verifier};
use std::path::Path;

/// Follows the handovers from `given` to `own`. Each is a record, proved to be in the log, that names the next key; and a
/// checkpoint over that record which the key before has signed, and from which the log grew to the bundle's. So it is the key
/// before that says which one comes next, not whoever made the bundle.
pub(super) fn check(
    dir: &Path,
    given: &Verifier,
    own: &Verifier,
    checkpoint: &Checkpoint,
    rotations: &[(u64, Verifier, Verifier)],
    report: &mut BundleReport,
) -> Result<(), VerifyError> {
    let mut trusted = given.clone();
    let mut from = 0;
    while trusted.to_vkey() != own.to_vkey() {
        let next = rotations.iter().find(|(index, old, _)| *index >= from && old.to_vkey() == trusted.to_vkey());
        let Some((index, _, new)) = next else {
            let what = match report.handovers.last() {
                None => "it is not the key you gave, nor does a record in here hand over from that one".to_owned(),
                Some(last) => format!("the key you gave hands over at event #{last}, and not to this one"),
            };
            report.problem("vkey", what);
            return Ok(());
        };
        let name = format!("{}/{}", earlier::HANDOVERS, index.saturating_add(1));
        if let Err(what) = handed_over(dir, &name, *index, &trusted, own, checkpoint) {
            report.problem(name, format!("event #{index} hands over to another key: {what}"));
            return Ok(());
        }
        report.handovers.push(*index);
        (trusted, from) = (new.clone(), index.saturating_add(1));
    }
    Ok(())
}

fn handed_over(
    dir: &Path,
    name: &str,
    index: u64,
    trusted: &Verifier,
    own: &Verifier,
    newest: &Checkpoint,
) -> Result<(), String> {
    let read = |name: &str| files::read(dir, name).map_err(|error| error.to_string());
    let note = Note::parse(&read(name)?).map_err(|error| error.to_string())?;
    let grown = read(&format!("{name}{}", earlier::GROWN))?;
    let earlier = earlier::opened(&note, &grown, std::slice::from_ref(trusted), own, newest)?;
    match earlier.size() > index {
        true => Ok(()),
        false => Err(format!("the checkpoint is over {} records, and not over that one", earlier.size())),
    }
}
