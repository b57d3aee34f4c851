//! Which word of ours is which of OCSF's. `docs/guides/export.md` has the same as a table.

use super::super::calls::{End, Told};
use super::super::time::milliseconds;
use serde_json::{Map, Value, json};

/// The version of OCSF that is spoken.
const VERSION: &str = "1.8.0";
/// Application Activity.
const CATEGORY: u32 = 6;
/// API Activity.
const CLASS: u32 = 6003;

/// Columns that have a place of their own.
const PLACED: [&str; 15] = [
    "tenant",
    "agent",
    "user",
    "session",
    "call",
    "server",
    "tool_name",
    "effect",
    "definition",
    "decision",
    "rules",
    "policy_bundle",
    "outcome",
    "mortise_version",
    "model_id",
];

/// A call as OCSF tells it.
#[must_use]
pub fn event(origin: &str, told: &Told) -> Value {
    let text = |name: &str| told.text(name);
    let (activity, activity_name) = activity(text("effect"));
    let (status, status_name) = status(told);
    let decision = text("decision");
    let (action, action_name, disposition, disposition_name) = control(decision, told.how);
    let (severity, severity_name) = if decision == Some("deny") { (3, "Medium") } else { (1, "Informational") };
    let policy = policy(told);
    let mut event = json!({
        "class_uid": CLASS,
        "class_name": "API Activity",
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("API Activity: {activity_name}"),
        "time": milliseconds(told.start),
        "start_time": milliseconds(told.start),
        "end_time": milliseconds(told.end),
        "duration": milliseconds(told.end).saturating_sub(milliseconds(told.start)).max(0),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "status_code": told.failure().unwrap_or("ok"),
        "action_id": action,
        "action": action_name,
        "disposition_id": disposition,
        "disposition": disposition_name,
        "metadata": {
            "version": VERSION,
            "profiles": ["ai_operation", "security_control"],
            "product": { "name": "Mortise", "vendor_name": "Mortise", "version": text("mortise_version") },
            "uid": told.call,
            "event_code": "tool.call",
            "log_name": origin,
            "sequence": told.first,
            "tenant_uid": text("tenant"),
            "correlation_uid": text("session"),
        },
        "actor": {
            "app_name": text("agent").unwrap_or("unknown"),
            "session": text("session").map(|uid| json!({ "uid": uid })),
            "user": text("user").map(|name| json!({ "name": name })),
            "authorizations": [{ "decision": decision, "policy": policy }],
        },
        // The gateway is where the call came from, and nothing is known of the agent's address.
        "src_endpoint": { "svc_name": "mortise" },
        "dst_endpoint": text("server").map(|server| json!({ "svc_name": server })),
        "api": {
            "operation": text("tool_name").unwrap_or("unknown"),
            "service": text("server").map(|name| json!({ "name": name })),
            "request": { "uid": told.call },
        },
        "resources": [{
            "name": text("tool_name").unwrap_or("unknown"),
            "type": "tool",
            "version": text("definition"),
        }],
        "policy": policy,
        "ai_model": text("model_id").map(|name| json!({ "name": name, "ai_provider": "unknown" })),
        "unmapped": unmapped(told),
    });
    prune(&mut event);
    event
}

/// From what the tool does.
fn activity(effect: Option<&str>) -> (u32, &'static str) {
    match effect {
        Some("read" | "egress_read") => (2, "Read"),
        Some("reversible_write" | "irreversible_write") => (3, "Update"),
        Some(_) => (99, "Other"),
        None => (0, "Unknown"),
    }
}

fn status(told: &Told) -> (u32, &'static str) {
    match (told.how, told.failure()) {
        (End::Result, None) => (1, "Success"),
        (End::Result, Some("unknown")) | (End::Open | End::Repeated, _) => (0, "Unknown"),
        _ => (2, "Failure"),
    }
}

/// Action and disposition of the security control. What was asked about is allowed or denied by its end.
fn control(decision: Option<&str>, how: End) -> (u32, &'static str, u32, &'static str) {
    match (decision, how) {
        (Some("deny"), _) | (_, End::Denied | End::ApprovalDenied | End::ApprovalExpired) => {
            (2, "Denied", 2, "Blocked")
        }
        (Some("sanitize"), _) => (4, "Modified", 11, "Corrected"),
        (Some("sandbox"), _) => (4, "Modified", 4, "Isolated"),
        (Some("ask"), End::Result) => (1, "Allowed", 8, "Approved"),
        (Some("ask"), _) => (3, "Observed", 14, "Delayed"),
        (Some(_), _) => (1, "Allowed", 1, "Allowed"),
        (None, _) => (0, "Unknown", 0, "Unknown"),
    }
}

/// The rules that decided: guards, else permit rules.
fn policy(told: &Told) -> Value {
    let name = told.text("rules").or_else(|| told.text("permits"));
    if name.is_none() && told.text("policy_bundle").is_none() {
        return Value::Null;
    }
    json!({ "name": name, "uid": told.text("policy_bundle"), "is_applied": true })
}

fn unmapped(told: &Told) -> Value {
    let rest = told.cells.iter().filter(|(column, _)| !PLACED.contains(&column.name));
    let mut rest: Map<String, Value> = rest.map(|(column, cell)| (column.name.to_owned(), cell.to_json())).collect();
    rest.insert("first_index".to_owned(), told.first.into());
    rest.insert("last_index".to_owned(), told.last.into());
    rest.insert("end".to_owned(), told.how.as_str().into());
    rest.insert("decision".to_owned(), told.text("decision").into());
    Value::Object(rest)
}

/// OCSF has no `null`: what is not known is not there.
fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}
