//! What comes back: schema, redaction, the mark of a sandbox. An answer that needs none of it keeps its own bytes.

use crate::permit::Confinement;
use crate::route::Reply;
use crate::validate::Schema;
use detect::{PseudonymKey, Redaction};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::event::Outcome;
use vocab::redaction::Root;
use vocab::{Fault, FaultKind};

/// Member of a result's `_meta` that says how the tool was confined.
pub const META_CONFINEMENT: &str = "mortise/confinement";

/// An inspected reply.
pub(crate) struct Inspected {
    pub(crate) outcome: Outcome,
    /// `None` when it is withheld.
    pub(crate) reply: Option<Reply>,
    pub(crate) redactions: BTreeMap<String, u64>,
    pub(crate) faults: Vec<Fault>,
}

/// Inspects a reply.
pub(crate) fn reply(
    reply: Reply,
    output: Option<&Schema>,
    redact: &[Redaction],
    confinement: Confinement,
    pseudonyms: &PseudonymKey,
) -> Inspected {
    let bytes = match reply {
        // An error has no fields to redact by name; when some were to be redacted, nobody can say where they are.
        Reply::Error(_) if !redact.is_empty() => return withheld("an error cannot be redacted by field"),
        Reply::Error(_) => return passed(Outcome::ToolError, reply),
        Reply::Result(bytes) => bytes,
    };
    // How long a result may be was the transport's business; it has come through.
    let limits = canon::json::Limits { bytes: bytes.len(), ..canon::json::Limits::default() };
    // Most results are only looked at: values are built of those that are checked or changed.
    let Ok(scan) = canon::json::scan(&bytes, &limits) else {
        return withheld("the result is not strict JSON");
    };
    let is_error = scan.member("isError") == Some(b"true");
    let outcome = if is_error { Outcome::ToolError } else { Outcome::Ok };
    if let (Some(schema), Some(structured), false) = (output, scan.member("structuredContent"), is_error) {
        let structured = canon::json::parse(structured, &limits);
        if !structured.is_ok_and(|structured| schema.check(&structured).is_ok()) {
            return withheld("the result does not match the pinned output schema");
        }
    }
    if redact.is_empty() && confinement == Confinement::None {
        return passed(outcome, Reply::Result(bytes));
    }
    let Ok(mut value) = canon::json::parse(&bytes, &limits) else {
        return withheld("the result is not strict JSON");
    };
    let applied = detect::apply(Root::Result, &mut value, redact, pseudonyms);
    let redactions: BTreeMap<String, u64> =
        applied.into_iter().map(|made| (made.redaction.to_string(), made.count)).collect();
    let changed = redactions.values().any(|count| *count > 0);
    if confinement == Confinement::DryRun {
        mark_dry_run(&mut value);
    } else if !changed {
        return Inspected { redactions, ..passed(outcome, Reply::Result(bytes)) };
    }
    if changed {
        drop_unstructured_copies(&mut value, redact);
    }
    match serde_json::to_vec(&value) {
        Ok(bytes) => Inspected { redactions, ..passed(outcome, Reply::Result(bytes)) },
        Err(error) => withheld(&error.to_string()),
    }
}

/// A tool that returns structured content repeats it as text. When a structured field was redacted, the text copies
/// are replaced by the redacted structure, or they would give the field away.
fn drop_unstructured_copies(value: &mut Value, redact: &[Redaction]) {
    let structured_only = redact.iter().any(|term| term.path.to_string().starts_with("structuredContent"));
    let Some(structured) = value.get("structuredContent").cloned().filter(|_| structured_only) else { return };
    if let Some(content) = value.get_mut("content") {
        *content = json!([{ "type": "text", "text": structured.to_string() }]);
    }
}

fn mark_dry_run(value: &mut Value) {
    let Some(result) = value.as_object_mut() else { return };
    let meta = result.entry("_meta").or_insert_with(|| json!({}));
    if let Some(meta) = meta.as_object_mut() {
        meta.insert(META_CONFINEMENT.to_owned(), json!(Confinement::DryRun.as_str()));
    }
    let note = json!({ "type": "text", "text": "Mortise ran this as a dry run: nothing was changed." });
    if let Some(content) = result.get_mut("content").and_then(Value::as_array_mut) {
        content.insert(0, note);
    }
}

fn passed(outcome: Outcome, reply: Reply) -> Inspected {
    Inspected { outcome, reply: Some(reply), redactions: BTreeMap::new(), faults: Vec::new() }
}

fn withheld(why: &str) -> Inspected {
    let fault = Fault { kind: FaultKind::Detector, rule: None, text: why.to_owned() };
    Inspected { outcome: Outcome::Withheld, reply: None, redactions: BTreeMap::new(), faults: vec![fault] }
}
