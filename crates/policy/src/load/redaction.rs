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
    for term in rule.redactions.iter().filter(|term| term.root == Root::Args) {
        check(parsed, term, &in_scope, diagnostics);
    }
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
