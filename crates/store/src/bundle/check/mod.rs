//! Checking a bundle, as its `VERIFY.md` says.

mod files;
mod keys;
mod payloads;
mod records;
mod report;
mod witnesses;

use super::{
    MANIFEST, PRUNED, earlier,
    manifest::{FORMAT, Manifest, Selection},
};
use crate::verify::VerifyError;
use proof::{Checkpoint, CosignatureVerifier, Note, Verifier};
use std::path::Path;

pub use report::{BundleReport, Cosignature, Problem};

/// What nothing can be checked without.
const NEEDED: [&str; 5] = ["vkey", "checkpoint", "records.index", "records.jsonl", "payloads.jsonl"];

/// Checks the bundle in `dir`. With `vkey` its log has to be signed with that key, or with one that it handed over to;
/// without, the bundle's own is believed, which finds damage and not a forger. Each of `witnesses` has to have cosigned the log.
///
/// # Errors
/// There is no bundle, or it cannot be read.
pub fn verify_bundle(
    dir: &Path,
    vkey: Option<&str>,
    witnesses: &[CosignatureVerifier],
) -> Result<BundleReport, VerifyError> {
    let given = vkey.map(|vkey| Verifier::from_vkey(vkey.trim())).transpose()?;
    let manifest: Manifest = serde_json::from_slice(&files::read(dir, MANIFEST)?)
        .map_err(|error| VerifyError::unreadable(format!("`{MANIFEST}` is no manifest: {error}")))?;
    if manifest.format != FORMAT {
        let text = format!("the bundle's format is `{}`, this Mortise reads `{FORMAT}`", manifest.format);
        return Err(VerifyError::unreadable(text));
    }
    let mut report = BundleReport { selection: manifest.selection.clone(), ..BundleReport::default() };
    let only_files = files::compare(dir, &manifest, &mut report)?;
    for name in NEEDED.into_iter().filter(|name| !manifest.files.contains_key(*name)) {
        report.problem(MANIFEST, format!("it does not name `{name}`"));
    }
    let are_there = NEEDED.iter().all(|name| dir.join(name).is_file());
    if !(only_files && are_there) {
        return Ok(report);
    }
    let Some((key, checkpoint)) = sealed(dir, &mut report)? else { return Ok(report) };
    report.origin = key.name().as_str().to_owned();
    report.size = checkpoint.size();
    let said = records::check(dir, &key, &checkpoint, &manifest.selection, &mut report)?;
    payloads::check(dir, &said.told, &said.selected, &mut report)?;
    if let Some(given) = given.filter(|given| given.to_vkey() != key.to_vkey()) {
        keys::check(dir, &given, &key, &checkpoint, &said.rotations, &mut report)?;
    }
    witnesses::check(dir, &key, &checkpoint, &said.rotations, witnesses, &mut report)?;
    compare(&manifest, &mut report);
    Ok(report)
}

/// The bundle's own key and the checkpoint it signed, if they are any.
fn sealed(dir: &Path, report: &mut BundleReport) -> Result<Option<(Verifier, Checkpoint)>, VerifyError> {
    let line = files::read(dir, "vkey")?;
    let key = match Verifier::from_vkey(String::from_utf8_lossy(&line).trim_end()) {
        Ok(key) => key,
        Err(error) => {
            report.problem("vkey", error.to_string());
            return Ok(None);
        }
    };
    let note = files::read(dir, "checkpoint")?;
    let note = Note::parse(&note).map_err(|error| error.to_string());
    match note.and_then(|note| Checkpoint::open(&note, &key).map_err(|error| error.to_string())) {
        Ok(checkpoint) => Ok(Some((key, checkpoint))),
        Err(what) => {
            report.problem("checkpoint", what);
            Ok(None)
        }
    }
}

/// What the manifest says besides, against what was found.
fn compare(manifest: &Manifest, report: &mut BundleReport) {
    let said = [
        ("origin", manifest.origin.clone(), report.origin.clone()),
        ("size", manifest.size.to_string(), report.size.to_string()),
        ("selected", manifest.selected.to_string(), report.selected.to_string()),
        ("supporting", manifest.supporting.to_string(), report.supporting.to_string()),
    ];
    let is_proved = report.proved == manifest.selected.saturating_add(manifest.supporting);
    for (name, said, found) in said {
        // What is not proved is counted nowhere, and named.
        let is_counted = is_proved || !matches!(name, "selected" | "supporting") || report.problems == 0;
        if said != found && is_counted {
            report.problem(MANIFEST, format!("`{name}` is said to be {said}, and is {found}"));
        }
    }
    if manifest.is_contiguous && !report.is_contiguous {
        report.problem("records.index", "the manifest says that no record is left out, and some are");
    }
    if manifest.payloads != report.payloads && report.problems == 0 {
        report.problem(MANIFEST, "`payloads` has other counts than `payloads.jsonl`");
    }
}
