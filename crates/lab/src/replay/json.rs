//! For machines: one document.

use super::again::Aim;
use super::report::Report;
use serde_json::{Value, json};

/// One document.
#[must_use]
pub fn json(report: &Report, aim: Aim) -> Value {
    let policies = match aim {
        Aim::Same => "those that decided",
        Aim::Others => "others",
    };
    let groups: Vec<Value> = report.groups.iter().map(|group| json!(group)).collect();
    json!({
        "policies": policies,
        "bundle": report.bundle,
        "revision": report.revision,
        "span_us": report.span_us.map(|(first, last)| [first, last]),
        "summary": report.summary,
        "groups": groups,
        "not_replayable": report.not_replayable,
        "altered": report.altered.iter().map(|(index, call)| json!({"index": index, "call": call})).collect::<Vec<_>>(),
    })
}
