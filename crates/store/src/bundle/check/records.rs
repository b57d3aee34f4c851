//! Records, each against its proof.

use super::{BundleReport, PRUNED, Selection, files};
use crate::{
    log::{
        prune::prefix::Prefix,
        rotation::{KeyChange, key_change},
    },
    verify::{Told, VerifyError},
};
use proof::{Checkpoint, TlogProof, Verifier};
use std::{collections::BTreeMap, path::Path};
use vocab::{Event, event::Payload};

/// What stays known of records that are gone, if some are.
fn prefix(dir: &Path, report: &mut BundleReport) -> Result<Option<Prefix>, VerifyError> {
    let path = dir.join(PRUNED);
    match Prefix::read_at(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            report.problem(PRUNED, error.to_string());
            Ok(None)
        }
        read => read.map_err(|source| VerifyError::Io { path, source }),
    }
}

/// A record that was asked for: its time, and what it commits to. Nothing where it is not proved.
pub(super) type Selected = BTreeMap<u64, Option<(i64, Vec<Payload<'static>>)>>;

/// What the records that are proved say.
pub(super) struct Said {
    pub(super) told: Told,
    pub(super) selected: Selected,
    /// Where the log's key was handed over, and to which.
    pub(super) rotations: Vec<(u64, Verifier, Verifier)>,
}

/// Each record against its proof, and against what was asked for.
pub(super) fn check(
    dir: &Path,
    key: &Verifier,
    checkpoint: &Checkpoint,
    selection: &Selection,
    report: &mut BundleReport,
) -> Result<Said, VerifyError> {
    let prefix = prefix(dir, report)?;
    let mut told = Told::after(prefix.as_ref());
    let mut rotations = Vec::new();
    let begin = prefix.as_ref().map_or(0, |prefix| prefix.first);
    let mut vouched = false;
    let mut selected = Selected::new();
    let (mut next, mut gaps, mut line) = (None::<u64>, false, 0_u64);
    let mut roles = files::lines(dir, "records.index")?;
    for record in files::lines(dir, "records.jsonl")? {
        let record = record?;
        line += 1;
        let Some(role) = roles.next().transpose()? else {
            report.problem(format!("records.jsonl line {line}"), "`records.index` has fewer lines");
            continue;
        };
        let parsed = role.split_once('\t').and_then(|(index, role)| Some((index.parse::<u64>().ok()?, role)));
        let Some((index, role @ ("selected" | "supporting"))) = parsed else {
            report.problem(format!("records.index line {line}"), "it is no index and role");
            continue;
        };
        if next.is_some_and(|next| index < next) {
            report.problem(format!("records.index line {line}"), "it is not in order");
        }
        gaps |= next.is_some_and(|next| next != index);
        report.leave_out(next.unwrap_or(begin), index);
        next = Some(index.saturating_add(1));
        let place = format!("records.jsonl line {line} (event #{index})");
        if let Err(what) = proved(dir, index, record.as_bytes(), key, checkpoint) {
            report.problem(&place, what);
            selected.insert(index, None);
            continue;
        }
        report.proved += 1;
        let event = match Event::from_bytes(record.as_bytes()) {
            Ok(event) => event,
            Err(error) => {
                report.problem(&place, error.to_string());
                continue;
            }
        };
        told.hear(index, &event);
        if let Some(Ok(KeyChange::Begun { old, new, .. })) = key_change(record.as_bytes()) {
            rotations.push((index, old, new));
        }
        if selection.takes(&event) != (role == "selected") {
            report.problem(
                format!("records.index line {line}"),
                match role {
                    "selected" => "it is not among what was asked for, by the manifest",
                    _ => "it is among what was asked for, by the manifest, and called supporting",
                },
            );
        }
        vouched |= prefix.as_ref().is_some_and(|prefix| {
            let digest = event.detail.get("pruned").and_then(serde_json::Value::as_str);
            event.kind == vocab::event::Kind::StorePruned && digest == Some(&prefix.digest())
        });
        if role == "supporting" {
            report.supporting += 1;
        } else {
            report.selected += 1;
            let payloads = event.payloads.into_iter().map(Payload::into_owned).collect();
            selected.insert(index, Some((event.t, payloads)));
        }
    }
    if roles.next().is_some() {
        report.problem("records.jsonl", "it has fewer lines than `records.index`");
    }
    report.leave_out(next.unwrap_or(begin), checkpoint.size());
    match prefix {
        Some(_) if !vouched => report.problem(PRUNED, "no record in here says that records were pruned so"),
        prefix => report.pruned = prefix.map(|prefix| prefix.removed),
    }
    report.is_contiguous = !gaps && line > 0;
    Ok(Said { told, selected, rotations })
}

fn proved(dir: &Path, index: u64, record: &[u8], key: &Verifier, checkpoint: &Checkpoint) -> Result<(), String> {
    let name = format!("proofs/{index}.tlog-proof");
    let bytes = files::read(dir, &name).map_err(|error| match error {
        VerifyError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            format!("it is not proved: `{name}` is missing")
        }
        error => format!("`{name}`: {error}"),
    })?;
    let proof = TlogProof::parse(&bytes).map_err(|error| format!("`{name}`: {error}"))?;
    if proof.index() != index {
        return Err(format!("`{name}` is a proof of event #{}", proof.index()));
    }
    let of = proof.verify(record, key).map_err(|error| format!("altered: it is not what `{name}` proves: {error}"))?;
    if (of.size(), of.root()) != (checkpoint.size(), checkpoint.root()) {
        return Err(format!("`{name}` is under another checkpoint"));
    }
    Ok(())
}
