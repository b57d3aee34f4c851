//! What became of what the records commit to.

use super::{BundleReport, files, records::Selected};
use crate::{
    bundle::manifest::PayloadLine,
    payload::{Found, digest_of},
    verify::{Told, VerifyError},
};
use std::{collections::BTreeSet, path::Path};
use vocab::event::Payload;

/// Every payload that a selected record commits to is accounted for.
pub(super) fn check(
    dir: &Path,
    told: &Told,
    selected: &Selected,
    report: &mut BundleReport,
) -> Result<(), VerifyError> {
    let mut seen = BTreeSet::new();
    for (at, line) in files::lines(dir, "payloads.jsonl")?.enumerate() {
        let line = line?;
        let place = format!("payloads.jsonl line {}", at + 1);
        let Ok(said) = serde_json::from_str::<PayloadLine>(&line) else {
            report.problem(place, "it is no payload's line");
            continue;
        };
        let record = match selected.get(&said.index) {
            Some(Some(record)) => record,
            // That it is not proved is said already.
            Some(None) => continue,
            None => {
                report.problem(place, format!("event #{} is not among the records that were asked for", said.index));
                continue;
            }
        };
        let is_meant = |payload: &&Payload<'_>| payload.name == said.name && payload.digest == said.digest;
        let committed = record.1.iter().find(is_meant).map(|payload| (record.0, payload));
        let Some((t, payload)) = committed else {
            report.problem(place, format!("event #{} does not commit to `{}`", said.index, said.name));
            continue;
        };
        seen.insert((said.index, said.name.clone()));
        *report.payloads.entry(said.state.clone()).or_default() += 1;
        match said.state.as_str() {
            "disclosed" => {
                let name = format!("payloads/{}-{}", said.index, said.name);
                match files::read(dir, &name) {
                    Ok(bytes) if digest_of(&bytes) == *payload.digest => {}
                    // That it is missing is said already, if the manifest names it.
                    Err(VerifyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                        report.missing(place, format!("`{name}` is said to be disclosed, and is missing"));
                    }
                    _ => report.problem(name, format!("altered: it is not what event #{} commits to", said.index)),
                }
            }
            "kept" => {
                if let Some((state, index)) = told.gone(t, payload) {
                    let what = format!(
                        "`{}` of event #{} is said to be kept, and by event #{index} it is {state}",
                        said.name, said.index
                    );
                    report.problem(place, what);
                }
            }
            state => {
                let (judged, because) = told.state(said.index, t, payload, &Found::Absent);
                let what = format!("`{}` of event #{} is {state}", said.name, said.index);
                if state == "missing" {
                    report.missing(place, what);
                } else if state == "altered" {
                    report.problem(place, what);
                } else if judged != state || because != said.because {
                    let what = format!(
                        "`{}` of event #{} is said to be {state}; no record bears that out",
                        said.name, said.index
                    );
                    report.problem(place, what);
                }
                if judged == "erased" {
                    report.erasures.extend(because);
                }
                if let Some(removal) = told.removal_of(payload.class, t).filter(|_| judged == "pruned") {
                    report.removals.insert((
                        removal.class.as_str().to_owned(),
                        removal.through.to_string(),
                        removal.days,
                        removal.index,
                    ));
                }
            }
        }
    }
    for (index, record) in selected {
        for payload in record.iter().flat_map(|(_, payloads)| payloads) {
            if !seen.contains(&(*index, payload.name.to_string())) {
                report.problem(
                    "payloads.jsonl",
                    format!("it does not say what became of `{}` of event #{index}", payload.name),
                );
            }
        }
    }
    Ok(())
}
