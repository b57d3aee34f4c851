//! Reading what is kept, holding it, and forgetting it.

use super::people::verify;
use super::protocol::Response;
use crate::process::{Gateway, RetentionError, SEEN_DAYS};
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::Secret;
use vocab::event::Kind;
use vocab::id::UserId;

/// Says in the log that payloads are about to be read, by whom and why. They may be read once this has succeeded.
pub(super) async fn access_read(gateway: &Gateway, uid: u32, subject: &str, payloads: u64, reason: &str) -> Response {
    if reason.trim().is_empty() {
        return Response::refused("access/reason", "reading payloads needs a reason", "give it with `--reason`");
    }
    let recorder = gateway.shared.pipeline.recorder();
    let mut event = recorder.event(Kind::AccessRead);
    event.text = Some(reason.chars().take(500).collect());
    event.detail.insert("uid".to_owned(), uid.into());
    event.detail.insert("subject".to_owned(), subject.chars().take(200).collect::<String>().into());
    // A bundle is asked for before it is known how many payloads are in it: no number is better than a wrong one.
    if payloads > 0 {
        event.detail.insert("payloads".to_owned(), payloads.into());
    }
    match recorder.durable(&[event]).await {
        Ok(range) => Response::Ok(json!({ "index": range.start })),
        Err(error) => Response::refused("log/write", error.to_string(), "the log must be repaired first"),
    }
}

/// Removes what is past its time, now.
pub(super) async fn prune(gateway: &Gateway) -> Response {
    match gateway.keep_to_retention().await {
        Ok(forgotten) => {
            let line = |removed: &crate::process::Removed| {
                json!({
                    "class": removed.class.as_str(), "through": removed.through.to_string(),
                    "payloads": removed.payloads, "bytes": removed.bytes,
                })
            };
            let records = forgotten.records.iter().map(|removed| {
                json!({
                    "class": "records", "through": removed.through.to_string(), "first": removed.first,
                    "records": removed.records, "bytes": removed.bytes,
                })
            });
            let removed: Vec<Value> = forgotten.payloads.iter().map(line).chain(records).collect();
            let (holds, clock) = (crate::process::holds(&gateway.state).unwrap_or_default(), clock(gateway));
            Response::Ok(json!({ "removed": removed, "holds": holds, "clock": clock }))
        }
        Err(error) => refused(&error),
    }
}

/// How long things are kept now, in days, and what stops removals: the holds in force, or that nobody knows which there are; a
/// clock that is not believed.
pub(super) fn retention(gateway: &Gateway) -> Value {
    let days = crate::process::retention_days(&gateway.shared.pipeline.snapshot().project.settings.retention);
    match crate::process::holds(&gateway.state) {
        Ok(holds) => json!({ "days": days, "holds": holds, "clock": clock(gateway) }),
        Err(error) => json!({ "days": days, "unknown": error.to_string(), "clock": clock(gateway) }),
    }
}

/// The day that removals go by where the clock is too far ahead to be believed yet.
fn clock(gateway: &Gateway) -> Value {
    let Ok(calendar) = gateway.calendar() else { return Value::Null };
    let Some(seen) = calendar.ahead.last() else { return Value::Null };
    json!({
        "goes_by": calendar.believed.to_string(), "shows": seen.to_string(), "seen_days": calendar.ahead.len(),
        "needed_days": SEEN_DAYS,
    })
}

/// What a person who may approve decides about what is kept.
pub(super) enum Deed {
    Erase { user: String },
    Hold { name: String },
    Release { name: String },
}

/// Does it, when the secret is this approver's.
pub(super) async fn decide(
    gateway: &Arc<Gateway>,
    approver: &UserId,
    secret: Secret<String>,
    reason: &str,
    deed: Deed,
) -> Response {
    if !gateway.shared.pipeline.snapshot().project.settings.approvers.contains_key(approver) {
        let help = "approvers are declared in `mortise.toml`";
        return Response::refused("approver/unknown", "this project has no such approver", help);
    }
    if reason.trim().is_empty() {
        return Response::refused("retention/reason", "this needs a reason", "give it with `--reason`");
    }
    if let Err(refused) = verify(gateway, approver, secret).await {
        return *refused;
    }
    let done = match deed {
        Deed::Erase { user } => {
            gateway.erase(&user, approver, reason).await.map(|keys| json!({ "user": user, "keys": keys }))
        }
        Deed::Hold { name } => gateway.hold(&name, approver, reason).await.map(|()| json!({ "hold": name })),
        Deed::Release { name } => gateway.release(&name, approver, reason).await.map(|()| json!({ "released": name })),
    };
    done.map_or_else(|error| refused(&error), Response::Ok)
}

fn refused(error: &RetentionError) -> Response {
    let (code, help) = match error {
        RetentionError::Held(_) => ("retention/held", "release it first with `mortise retention release`"),
        RetentionError::NoHold(_) | RetentionError::Exists(_) | RetentionError::TooMany => {
            ("retention/hold", "see `mortise retention show`")
        }
        RetentionError::Damaged(_) => ("retention/failed", "`mortise retention show` says how to put it right"),
        RetentionError::Records(_) => ("retention/failed", "`mortise trace verify` says what is wrong with the log"),
        _ => ("retention/failed", "run `mortise doctor`"),
    };
    Response::refused(code, error.to_string(), help)
}
