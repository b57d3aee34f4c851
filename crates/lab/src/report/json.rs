//! For machines: one document, or one a line.

use crate::run::{CaseResult, Report};
use crate::suite::Severity;
use serde_json::{Value, json};

/// One document.
#[must_use]
pub fn json(report: &Report, strict: bool) -> Value {
    let cases: Vec<Value> = report.cases.iter().map(case).collect();
    json!({ "cases": cases, "coverage": report.coverage, "summary": summary(report, strict) })
}

/// One line a case, then one for coverage and one for the summary; each says in `type` which it is.
pub fn ndjson(report: &Report, strict: bool) -> impl Iterator<Item = String> {
    let lines = report.cases.iter().map(|result| typed("case", case(result)));
    let coverage = typed("coverage", json!(report.coverage));
    lines.chain([coverage, typed("summary", summary(report, strict))])
}

fn typed(kind: &str, value: Value) -> String {
    let mut line = serde_json::Map::from_iter([("type".to_owned(), json!(kind))]);
    if let Value::Object(members) = value {
        line.extend(members);
    }
    Value::Object(line).to_string()
}

fn case(result: &CaseResult) -> Value {
    json!(result)
}

fn summary(report: &Report, strict: bool) -> Value {
    json!({
        "passed": report.passed(),
        "failed": report.failed(Severity::Blocking),
        "advisory": report.failed(Severity::Advisory),
        "warnings": report.warnings,
        "exit": report.exit(strict).code(),
        "policy_bundle": report.bundle,
        "config_revision": report.revision,
        "mortise_version": vocab::MORTISE_VERSION,
    })
}
