//! What `@redact` names, against the tools its guard can match.
//!
//! Redacting what decides the effect of a call would silently turn it into another call.

use super::nearest::nearest;
use super::parse::Parsed;
use crate::rule::Rule;
use crate::schema::{ActionShape, Actions};
use cedar_policy::{ActionConstraint, EntityUid, ResourceConstraint};
use vocab::redaction::{Redaction, Root};
use vocab::{ArgumentKind, Diagnostic};

/// Reports redactions of arguments that must stay as they are, or that no tool in scope has.
pub(crate) fn check_redactions(parsed: &Parsed, rule: &Rule, actions: &Actions, diagnostics: &mut Vec<Diagnostic>) {
    let in_scope: Vec<&ActionShape> =
        actions.values().filter(|action| action.server.is_some() && reaches(parsed, action)).collect();
    for term in &rule.redactions {
        match term.root {
            Root::Args => check(parsed, term, &in_scope, diagnostics),
            Root::Result => check_result(parsed, term, &in_scope, diagnostics),
        }
    }
}

/// Reports a redaction of a result's structured content that no tool in scope can have: nothing would be taken out, and
/// what should have been would be sent on. Tools without an output schema can have anything.
fn check_result(parsed: &Parsed, term: &Redaction, in_scope: &[&ActionShape], diagnostics: &mut Vec<Diagnostic>) {
    let Some(path) = term.path.strip_prefix("structuredContent.") else { return };
    let mut missing = None;
    for action in in_scope {
        match action.output.as_deref().map_or(Ok(()), |schema| member(schema, path)) {
            Ok(()) => return,
            Err(unknown) => missing = Some((action, unknown)),
        }
    }
    let Some((action, Unknown { name, known })) = missing else { return };
    let message = format!("`{term}` takes nothing out: the result of `{}` has no `{name}`", action.id);
    let error = parsed.error_at("policy/redact", "redact", message);
    diagnostics.push(
        error
            .with_candidates(nearest(name, known.iter().map(String::as_str)))
            .with_help("name a field of the output schema that `mortise.lock` pins"),
    );
}

/// A name that a schema leaves no room for, and those it has.
struct Unknown<'a> {
    name: &'a str,
    known: Vec<String>,
}

/// Whether a value of this schema may have a member at the path. Only what is plainly said counts: where a schema refers,
/// combines, or lets further members in, it may.
fn member<'a>(schema: &serde_json::Value, path: &'a str) -> Result<(), Unknown<'a>> {
    let mut schema = schema;
    for segment in path.split('.') {
        let name = segment.trim_end_matches("[]");
        let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) else { return Ok(()) };
        let Some(found) = properties.get(name) else {
            let is_closed = schema.get("additionalProperties").is_some_and(|more| more == false);
            let is_plain =
                ["patternProperties", "$ref", "allOf", "anyOf", "oneOf"].iter().all(|key| schema.get(key).is_none());
            let known = properties.keys().cloned().collect();
            return if is_closed && is_plain { Err(Unknown { name, known }) } else { Ok(()) };
        };
        schema = found;
        for _ in 0..segment.matches("[]").count() {
            match schema.get("items") {
                Some(items) if schema.get("prefixItems").is_none() => schema = items,
                _ => return Ok(()),
            }
        }
    }
    Ok(())
}

fn check(parsed: &Parsed, term: &Redaction, in_scope: &[&ActionShape], diagnostics: &mut Vec<Diagnostic>) {
    let name = term.path.split('.').next().unwrap_or_default().trim_end_matches("[]");
    let mut is_known = false;
    for action in in_scope.iter().filter(|action| action.argument_names.iter().any(|known| **known == *name)) {
        is_known = true;
        let argument = action.argument(name);
        let problem = if argument.kind != ArgumentKind::Text {
            format!("`{name}` of `{}` is written in a language ({})", action.id, argument.kind.as_str())
        } else if !argument.class.is_redactable() {
            format!("`{name}` of `{}` is a {} argument", action.id, argument.class.as_str())
        } else {
            continue;
        };
        let error = parsed.error_at("policy/redact", "redact", format!("`{term}` cannot be redacted: {problem}"));
        diagnostics.push(error.with_help(
            "redact `content` and `free` text arguments only, or use `@decision(\"ask\")`; classes are declared in `mortise/tools/<server>.toml`",
        ));
    }
    if !is_known {
        let error = parsed.error_at(
            "policy/redact",
            "redact",
            format!("no tool this guard can match has an argument `{name}`"),
        );
        let known = in_scope.iter().flat_map(|action| &action.argument_names).map(|name| &**name);
        diagnostics.push(
            error.with_candidates(nearest(name, known)).with_help("name an argument of the tools in the guard's scope"),
        );
    }
}

/// Whether the scope of a policy has an action.
fn reaches(parsed: &Parsed, action: &ActionShape) -> bool {
    let is_it = |uid: &EntityUid| {
        let id = uid.id().unescaped();
        id == &*action.id || action.groups.contains(&id)
    };
    let by_action = match parsed.policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is_it(&uid),
        ActionConstraint::In(uids) => uids.iter().any(is_it),
    };
    let by_server = match parsed.policy.resource_constraint() {
        ResourceConstraint::Eq(uid) => {
            action.server.as_ref().is_some_and(|server| server.as_str() == uid.id().unescaped())
        }
        _ => true,
    };
    by_action && by_server
}

#[cfg(test)]
mod tests {
    use super::member;
    use serde_json::json;

    #[test]
    fn only_what_a_schema_leaves_no_room_for_is_unknown() {
        let ticket = json!({ "type": "object", "properties": { "email": {} }, "additionalProperties": false });
        let closed = json!({
            "type": "object",
            "properties": { "tickets": { "type": "array", "items": ticket }, "more": { "$ref": "#/x" }, "any": {} },
            "additionalProperties": false,
        });
        for path in
            ["tickets", "tickets[]", "tickets[].email", "more.what", "any.thing[].at.all", "tickets[].email.deeper"]
        {
            assert!(member(&closed, path).is_ok(), "{path}");
        }
        for (path, name) in [("ticket", "ticket"), ("tickets[].emial", "emial"), ("emial.x", "emial")] {
            assert_eq!(member(&closed, path).err().map(|unknown| unknown.name), Some(name), "{path}");
        }
        let mut open = closed.clone();
        open["additionalProperties"] = json!(true);
        let mut combined = closed.clone();
        combined["anyOf"] = json!([{}]);
        for schema in [open, combined, json!({}), json!({ "type": "object" }), json!(true)] {
            assert!(member(&schema, "ticket").is_ok(), "{schema}");
        }
    }
}
