//! What waits to be accepted, and accepting it.

use super::people::verify;
use super::protocol::Response;
use crate::process::{ConfigurationError, Edit, Gateway, Waiting};
use enforce::Recorder;
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::event::Kind;
use vocab::id::{Digest, UserId};
use vocab::{Diagnostic, Secret};

pub(super) async fn reload(gateway: &Gateway) -> Response {
    match gateway.look().await {
        Ok(edit) => Response::Ok(match edit {
            // Seen before, and as wrong as then: the files are not what is in force.
            Edit::None if !gateway.configuration.refused().is_empty() => {
                json!({ "edit": "refused", "diagnostics": gateway.configuration.refused() })
            }
            Edit::None => json!({ "edit": "none" }),
            Edit::Applied { change, .. } => {
                json!({ "edit": "applied", "tightens": change.tightens, "loosens": change.loosens })
            }
            Edit::Waits(change) => json!({ "edit": "waits", "tightens": change.tightens, "loosens": change.loosens }),
            Edit::Refused(diagnostics) => json!({ "edit": "refused", "diagnostics": diagnostics }),
        }),
        Err(error) => Response::refused("config/read", error.to_string(), "run `mortise check`"),
    }
}
pub(super) fn pending(waiting: Option<Waiting>) -> Value {
    match waiting {
        None => json!({ "waiting": false }),
        Some(Waiting { digest, change, .. }) => json!({
            "waiting": true, "candidate": digest, "loosens": change.loosens, "tightens": change.tightens,
        }),
    }
}

pub(super) async fn accept(
    gateway: &Arc<Gateway>,
    approver: &UserId,
    secret: Secret<String>,
    reason: &str,
    candidate: &Digest,
) -> Response {
    let pipeline = &gateway.shared.pipeline;
    if !pipeline.snapshot().project.settings.approvers.contains_key(approver) {
        return Response::refused("approver/unknown", "this project has no such approver", "");
    }
    if reason.trim().is_empty() {
        return Response::refused("policy/reason", "a loosening needs a reason", "give it with `--reason`");
    }
    if let Err(refused) = verify(gateway, approver, secret).await {
        return *refused;
    }
    let accepted = gateway.configuration.accept(candidate, approver, reason, pipeline.recorder().clock().now());
    match accepted {
        Ok((change, snapshot)) => {
            let mut event = pipeline.recorder().event(Kind::ConfigChanged);
            event.approver = Some(approver.into());
            event.text = Some(reason.chars().take(500).collect());
            event.config_revision = Some(snapshot.revision().into());
            event.policy_bundle = Some(snapshot.bundle.digest().into());
            event.detail.insert("loosens".to_owned(), change.loosens.len().into());
            let retention = crate::process::retention_days(&snapshot.project.settings.retention);
            event.detail.insert("retention_days".to_owned(), retention);
            let record = Recorder::encode(&event);
            pipeline.install(snapshot);
            if let Err(error) = pipeline.recorder().record(record).await {
                return Response::refused("log/write", error.to_string(), "the log must be repaired first");
            }
            Response::Ok(json!({ "loosens": change.loosens, "tightens": change.tightens }))
        }
        Err(ConfigurationError::Invalid(diagnostics)) => {
            let first = diagnostics.first().map(Diagnostic::to_string).unwrap_or_default();
            Response::refused("policy/invalid", first, "run `mortise check`")
        }
        Err(error) => Response::refused("policy/accept", error.to_string(), "look again with `mortise policy diff`"),
    }
}
