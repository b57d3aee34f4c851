//! What a record says of a call whose document is gone.

use super::again::Aim;
use enforce::Snapshot;
use enforce::input::RecordedFacts;
use enforce::replay::Remains;
use serde::Deserialize as _;
use vocab::event::Event;
use vocab::id::{AgentId, RuleId, ServerId, ToolName, UserId};
use vocab::{Discharge, FaultKind, Operation, Reason, Target};

/// First parts of the rules that refuse before or after the policies, by something that stands in no record.
const LOOKED_ELSEWHERE: [(&str, &str); 6] = [
    ("schema/", "the tool's schema refused the arguments, which are gone"),
    ("builtin/", "what the arguments pointed at is gone with them"),
    ("pin/", "what the live server said is gone"),
    ("approval/", "where the approvals stood is gone"),
    ("sanitize/", "the redacted arguments are gone"),
    ("sandbox/", "what the dry-run twin was given is gone"),
];

/// What remains of the call, or why that is not enough.
pub(super) fn of(event: &Event<'_>, snapshot: &Snapshot, aim: Aim) -> Result<Remains, String> {
    let Some(facts) = event.detail.get(RecordedFacts::MEMBER) else {
        return Err("its input was not kept, nor the facts".to_owned());
    };
    let facts = RecordedFacts::deserialize(facts).map_err(|_| "its facts are not read by this version".to_owned())?;
    if let [only] = &*event.reasons
        && only.place.is_none()
        && let Some((_, why)) = LOOKED_ELSEWHERE.iter().find(|(first, _)| only.rule.as_str().starts_with(first))
    {
        return Err((*why).to_owned());
    }
    if event.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Deadline | FaultKind::Request)) {
        return Err("what went wrong while deciding is gone".to_owned());
    }
    let unnamed = || "the record does not say who did what".to_owned();
    let (agent, authn) = event.agent.as_deref().zip(event.authn).ok_or_else(unnamed)?;
    let target = target(event).ok_or_else(unnamed)?;
    let definition = snapshot.tool(&target).map(|tool| tool.description.definition.as_str());
    // What the inventory did not declare then was never held against a schema.
    let was_declared = !event.reasons.iter().any(|reason| reason.rule.as_str().starts_with("inventory/"));
    if aim == Aim::Others {
        if definition.is_some() && (definition != event.definition.as_deref() || !was_declared) {
            return Err("the tool is another one now, and the arguments to hold against it are gone".to_owned());
        }
        if event.reasons.iter().any(|reason| reason.discharged_by.is_some()) {
            return Err("which text of a guard a person approved is gone".to_owned());
        }
    }
    let discharges = event.reasons.iter().filter_map(|reason| discharge(reason, snapshot)).collect();
    Ok(Remains {
        agent: AgentId::new(agent),
        authn,
        user: event.user.as_deref().map(UserId::new),
        chain_depth: i64::try_from(event.parents.len()).unwrap_or(i64::MAX),
        target,
        facts,
        discharges,
    })
}

/// What was called. A tool and an operation of the same name are told apart by the definition, which only tools have, and
/// by the effect, which of a tool without a definition is one that no operation has.
pub(super) fn target(event: &Event<'_>) -> Option<Target> {
    let (server, name) = event.server.as_deref().zip(event.tool_name.as_deref())?;
    let fixed = Operation::FIXED.into_iter().find(|operation| operation.suffix().trim_start_matches('#') == name);
    let operation = fixed.filter(|fixed| event.definition.is_none() && event.effect == fixed.effect());
    let operation = operation.unwrap_or_else(|| Operation::Tool(ToolName::new(name)));
    Some(Target { server: ServerId::new(server), operation })
}

fn discharge(reason: &Reason, snapshot: &Snapshot) -> Option<Discharge> {
    let rule: &RuleId = &reason.rule;
    Some(Discharge {
        rule: rule.clone(),
        text: snapshot.bundle.guard_text_digest(rule)?.clone(),
        by: reason.discharged_by.clone()?,
    })
}
