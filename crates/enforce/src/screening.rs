//! What is refused before any policy is asked, as far as it needs no live server.

use crate::built_in::BuiltIn;
use crate::input::LiveThen;
use crate::snapshot::{Snapshot, ToolEntry};
use crate::validate::Complaint;
use serde_json::Value;
use vocab::id::AgentId;
use vocab::{Operation, Target};

/// The rule and reason of an approved call whose tool is not the one that the person was shown.
pub(crate) const APPROVED_OTHERWISE: (&str, &str) =
    ("approval/definition", "the tool's definition changed after the call was approved");

/// The outer bound. What the inventory does not declare and what does not exist answer alike. `tool` is the target's, if
/// it is pinned.
pub(crate) fn inventory(
    snapshot: &Snapshot,
    agent: &AgentId,
    target: &Target,
    tool: Option<&ToolEntry>,
    arguments: &Value,
) -> Result<(), BuiltIn> {
    let inventory = &snapshot.inventory;
    let allowed = match target.operation {
        // A prompt without a name is no declared prompt.
        Operation::GetPrompt => {
            let prompt = arguments.get("name").and_then(Value::as_str).unwrap_or_default();
            inventory.allows_prompt(agent, &target.server, prompt)
        }
        _ => inventory.allows(agent, target),
    };
    // INVARIANT: a declared tool that is not pinned has no schema, so it cannot be validated, so it cannot run.
    let is_pinned = !matches!(target.operation, Operation::Tool(_)) || tool.is_some();
    if allowed.is_ok() && is_pinned { Ok(()) } else { Err(BuiltIn::Inventory) }
}

/// The live definition must be the pinned one.
pub(crate) fn pin(tool: &ToolEntry, live: &LiveThen) -> Result<(), &'static str> {
    match live {
        LiveThen::Definition(digest) if *digest == tool.description.definition => Ok(()),
        LiveThen::Definition(_) => Err("the tool's definition differs from the pinned one: quarantined"),
        LiveThen::Unpinned | LiveThen::Absent => Err("the server no longer offers the tool as it was pinned"),
    }
}

/// The arguments against the tool's pinned schema. Operations that are no tool have none.
pub(crate) fn schema(tool: Option<&ToolEntry>, arguments: &Value) -> Result<(), Vec<Complaint>> {
    match tool {
        Some(tool) => tool.input.check(arguments),
        None => Ok(()),
    }
}

/// Mortise's own files, sockets and keys are out of reach, whatever the policies say.
pub(crate) fn protected(
    snapshot: &Snapshot,
    working_directory: &str,
    tool: Option<&ToolEntry>,
    arguments: &Value,
) -> Result<(), BuiltIn> {
    let kind = |name: &str| tool.map(|tool| tool.description.argument(name).kind).unwrap_or_default();
    let touches = |name: &str, text: &str| snapshot.protected.touches(working_directory, text, kind(name));
    let mut members = arguments.as_object().into_iter().flatten();
    match members.any(|(name, value)| any_text(value, &|text| touches(name, text))) {
        true => Err(BuiltIn::ProtectedFiles),
        false => Ok(()),
    }
}

/// Whether any text in a value (at most as deep as the parser lets through) has the property. Names of members are
/// texts too: a tool may take a path as one.
fn any_text(value: &Value, has: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => has(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, has)),
        Value::Object(members) => members.iter().any(|(name, member)| has(name) || any_text(member, has)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
