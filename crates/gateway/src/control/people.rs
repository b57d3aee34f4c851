//! What people ask and answer: calls that wait, secrets that are typed.

use super::protocol::Response;
use super::server::record_text;
use crate::process::Gateway;
use govern::approval::{Approval, Say, State};
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::Secret;
use vocab::event::Kind;
use vocab::id::{ApprovalId, UserId};

pub(super) fn approvals(gateway: &Gateway) -> Value {
    gateway.shared.pipeline.approvals(|all| all.map(summary).collect())
}

fn summary(approval: &Approval) -> Value {
    json!({
        "id": approval.id,
        "state": approval.state,
        "agent": approval.asked.agent,
        "action": approval.asked.action,
        "session": approval.asked.session,
        "user": approval.asked.user,
        "tier": approval.asked.tier,
        "rules": approval.asked.guards.iter().map(|guard| guard.rule.as_str()).collect::<Vec<_>>(),
        "approvers": approval.asked.approvers,
        "quorum": approval.asked.quorum,
        "requested_us": approval.requested_us,
        "expires_us": approval.expires_us,
        "answers": approval.answers.iter().map(|answer| json!({
            "approver": answer.approver, "say": answer.say, "reason": answer.reason, "at_us": answer.at_us,
        })).collect::<Vec<_>>(),
    })
}

pub(super) fn show(gateway: &Gateway, id: &str) -> Response {
    let id = match find(gateway, id) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let pipeline = &gateway.shared.pipeline;
    let summary = pipeline.approvals(|mut all| Iterator::find(&mut all, |approval| approval.id == id).map(summary));
    let call = pipeline.stored_call(&id);
    let Some(mut shown) = summary else {
        return Response::refused("approval/unknown", "there is no such approval", "");
    };
    if let (Some(call), Some(shown)) = (call, shown.as_object_mut()) {
        shown.insert("arguments".to_owned(), call.arguments.examine().clone());
        let purpose = call.purpose.as_ref().map(|purpose| purpose.examine().clone());
        shown.insert("purpose_claimed".to_owned(), purpose.into());
        shown.insert("call".to_owned(), call.id.as_str().into());
        let snapshot = pipeline.snapshot();
        let reason = |id: &str| {
            let rule = snapshot.bundle.rules().find(|rule| rule.id.as_str() == id)?;
            rule.reason.as_deref().map(|reason| (id.to_owned(), Value::from(reason)))
        };
        let rules = shown.get("rules").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let reasons: serde_json::Map<String, Value> = rules.filter_map(reason).collect();
        shown.insert("reasons".to_owned(), reasons.into());
    }
    Response::Ok(shown)
}

/// The approval an id, or the unique beginning of one, names.
fn find(gateway: &Gateway, id: &str) -> Result<ApprovalId, Box<Response>> {
    let found: Vec<ApprovalId> = gateway.shared.pipeline.approvals(|all| {
        let all: Vec<&Approval> = all.collect();
        match all.iter().find(|approval| approval.id.as_str() == id) {
            Some(exact) => vec![exact.id.clone()],
            None => all.iter().filter(|a| a.id.as_str().starts_with(id)).map(|a| a.id.clone()).collect(),
        }
    });
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Box::new(Response::refused(
            "approval/unknown",
            "there is no such approval",
            "see `mortise approvals ls`",
        ))),
        _ => Err(Box::new(Response::refused(
            "approval/ambiguous",
            "several approvals begin like that",
            "give more of the id",
        ))),
    }
}

pub(super) async fn answer_approval(
    gateway: &Arc<Gateway>,
    id: &str,
    approver: &UserId,
    secret: Secret<String>,
    approve: bool,
    reason: &str,
) -> Response {
    let id = match find(gateway, id) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    if let Err(refused) = verify(gateway, approver, secret).await {
        return *refused;
    }
    let say = if approve { Say::Approve } else { Say::Refuse };
    match gateway.shared.pipeline.answer(&id, approver, say, reason).await {
        Ok(answered) => Response::Ok(json!({
            "id": id,
            "state": answered.state,
            "complete": answered.state != State::Pending,
        })),
        Err(error) => Response::refused("approval/answer", error.to_string(), "see `mortise approvals show`"),
    }
}

/// Checking a secret is slow on purpose: it must not hold up a worker thread that calls wait for.
pub(super) async fn verify(
    gateway: &Arc<Gateway>,
    approver: &UserId,
    secret: Secret<String>,
) -> Result<(), Box<Response>> {
    let now_us = gateway.shared.pipeline.recorder().clock().now();
    let (checking, who) = (Arc::clone(gateway), approver.clone());
    let verified = tokio::task::spawn_blocking(move || checking.callers.verify(&who, &secret, now_us)).await;
    match verified {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            record_text(gateway, Kind::ApprovalRejected, &format!("secret of `{approver}` not accepted")).await;
            let help = "set a secret once with `mortise approvals enroll NAME`";
            Err(Box::new(Response::refused("approver/secret", error.to_string(), help)))
        }
        Err(_) => Err(Box::new(Response::refused("approver/secret", "the secret could not be checked", ""))),
    }
}

pub(super) async fn enroll(
    gateway: &Arc<Gateway>,
    approver: String,
    secret: String,
    present: Option<String>,
) -> Response {
    let approver = UserId::new(approver);
    if !gateway.shared.pipeline.snapshot().project.settings.approvers.contains_key(&approver) {
        let help = "add `[approvers.NAME]` to `mortise.toml` first";
        return Response::refused("approver/unknown", "this project has no such approver", help);
    }
    let now_us = gateway.shared.pipeline.recorder().clock().now();
    let enrolling = Arc::clone(gateway);
    let (secret, present) = (Secret::new(secret), present.map(Secret::new));
    let enrolled =
        tokio::task::spawn_blocking(move || enrolling.callers.enroll(&approver, &secret, present.as_ref(), now_us));
    match enrolled.await {
        Ok(Ok(())) => Response::Ok(json!({})),
        Ok(Err(error)) => Response::refused("approver/enroll", error.to_string(), ""),
        Err(_) => Response::refused("approver/enroll", "the secret could not be stored", ""),
    }
}
