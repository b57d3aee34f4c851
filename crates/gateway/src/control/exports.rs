//! What is written out of the log, said in the log.

use super::protocol::{Exported, Response};
use crate::process::Gateway;
use serde_json::{Value, json};
use vocab::event::Kind;

/// Longest name of an agent that is recorded, bytes.
const MAX_NAME: usize = 256;

/// Records `export.created`. What it says is what the command line says; the digest ties it to one file.
pub(super) async fn record(gateway: &Gateway, exported: &Exported) -> Response {
    let is_known = store::formats::named(&exported.format).is_some() || exported.format == store::bundle::NAME;
    let is_digest = exported.sha256.len() == 64 && exported.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_short = exported.agent.as_ref().is_none_or(|agent| agent.len() <= MAX_NAME);
    // Numbers of a record stay below 2^53.
    let is_small = |number: u64| number < 1 << 53;
    let numbers = [exported.records, exported.rows, exported.bytes];
    let times = [exported.since_us, exported.until_us];
    let are_small =
        numbers.into_iter().all(is_small) && times.into_iter().flatten().all(|us| is_small(us.unsigned_abs()));
    if !(is_known && is_digest && is_short && are_small) {
        return Response::refused("export/unknown", "this is not an export of this version of Mortise", "");
    }
    let recorder = gateway.shared.pipeline.recorder();
    let mut event = recorder.event(Kind::ExportCreated);
    let selected: [(&str, Option<Value>); 3] = [
        ("agent", exported.agent.as_deref().map(Value::from)),
        ("since_us", exported.since_us.map(Value::from)),
        ("until_us", exported.until_us.map(Value::from)),
    ];
    event.detail.insert("format".to_owned(), exported.format.as_str().into());
    event.detail.insert("records".to_owned(), exported.records.into());
    event.detail.insert("rows".to_owned(), exported.rows.into());
    event.detail.insert("bytes".to_owned(), exported.bytes.into());
    event.detail.insert("sha256".to_owned(), exported.sha256.as_str().into());
    event.detail.extend(selected.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    match recorder.durable(&[event]).await {
        Ok(_) => Response::Ok(json!({})),
        Err(error) => Response::refused("log/write", error.to_string(), "the log must be repaired first"),
    }
}
