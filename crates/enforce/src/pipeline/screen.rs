//! What is refused before any policy is asked: undeclared, drifted, malformed, or aimed at Mortise itself.

use super::case::Case;
use super::{Answer, Pipeline};
use crate::refusal::Refusal;
use crate::route::Live;
use crate::session::lock;
use crate::validate::Complaint;
use serde_json::Value;
use vocab::id::RuleId;
use vocab::{Decision, Fault, Obligations, Operation, Reason, Verdict};

/// Failed validations of one tool after which the agent counts as uncertain.
pub(super) const UNCERTAIN_AFTER_FAILURES: u64 = 2;

/// A refusal by a rule that is built in.
pub(super) struct Stop {
    pub(super) rule: RuleId,
    pub(super) reason: String,
    pub(super) schema: Vec<Complaint>,
    pub(super) allowed: &'static str,
    pub(super) how_to_ask: &'static str,
    pub(super) faults: Vec<Fault>,
}

impl Stop {
    pub(super) fn new(rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            rule: RuleId::new(rule.into()),
            reason: reason.into(),
            schema: Vec::new(),
            allowed: "",
            how_to_ask: "ask the operator of this gateway",
            faults: Vec::new(),
        }
    }

    /// The decision this refusal is.
    pub(super) fn decision(&self, case: &Case) -> Decision {
        Decision {
            verdict: Verdict::Deny,
            reasons: vec![Reason {
                rule: self.rule.clone(),
                verdict: Verdict::Deny,
                text: Some(self.reason.as_str().into()),
                place: None,
                discharged_by: None,
            }],
            permits: Vec::new(),
            obligations: Obligations::default(),
            would: Vec::new(),
            faults: self.faults.clone(),
            bundle: case.snapshot.bundle.digest().clone(),
        }
    }
}

impl Pipeline {
    /// The checks that come before policy, cheapest and widest first.
    pub(super) fn screen(&self, case: &Case) -> Result<(), Stop> {
        check_inventory(case)?;
        check_pin(case)?;
        self.check_arguments(case)?;
        check_protected(case)
    }

    /// The schema, and what a failure does to the session.
    fn check_arguments(&self, case: &Case) -> Result<(), Stop> {
        let Some(tool) = &case.tool else { return Ok(()) };
        let Err(schema) = tool.input.check(case.call.arguments.examine()) else { return Ok(()) };
        lock(&case.in_flight.session).facts.validation_failed(&case.action);
        Err(Stop {
            schema,
            allowed: "arguments that match the tool's schema",
            how_to_ask: "correct the arguments and call again",
            ..Stop::new(format!("schema/{}", case.action), "the arguments do not match the tool's schema")
        })
    }

    /// Records a refusal by a built-in rule and tells the agent.
    pub(super) async fn stop(&self, case: &mut Case, stop: Stop) -> Answer {
        let decision = stop.decision(case);
        self.refuse(case, &decision, |refusal: &mut Refusal| {
            refusal.schema = stop.schema;
            if !stop.allowed.is_empty() {
                stop.allowed.clone_into(&mut refusal.allowed);
            }
            stop.how_to_ask.clone_into(&mut refusal.how_to_ask);
        })
        .await
    }
}

/// The outer bound. What the inventory does not declare and what does not exist answer alike.
fn check_inventory(case: &Case) -> Result<(), Stop> {
    let (agent, target) = (&case.call.principal.agent, &case.call.target);
    let inventory = &case.snapshot.inventory;
    let allowed = match target.operation {
        // A prompt without a name is no declared prompt.
        Operation::GetPrompt => {
            let prompt = case.call.arguments.examine().get("name").and_then(Value::as_str).unwrap_or_default();
            inventory.allows_prompt(agent, &target.server, prompt)
        }
        _ => inventory.allows(agent, target),
    };
    // INVARIANT: a declared tool that is not pinned has no schema, so it cannot be validated, so it cannot run.
    let is_pinned = case.tool.is_some() || !matches!(target.operation, Operation::Tool(_));
    match allowed {
        Ok(_) if is_pinned => Ok(()),
        _ => Err(Stop {
            allowed: "only what this agent's inventory file declares and `mortise.lock` pins",
            how_to_ask: "ask the agent's owner to request the privilege (`may_request`) or to declare it",
            ..Stop::new(format!("inventory/{agent}"), "not declared for this agent")
        }),
    }
}

/// The live definition must be the pinned one.
fn check_pin(case: &Case) -> Result<(), Stop> {
    let Some(tool) = &case.tool else { return Ok(()) };
    let quarantined = |reason: &str| Stop {
        how_to_ask: "ask the operator to review the change and run `mortise lock`",
        ..Stop::new(format!("pin/{}", case.action), reason)
    };
    match case.route.live(&case.call.target) {
        Live::Definition(digest) if digest == tool.description.definition => Ok(()),
        Live::Definition(_) => Err(quarantined("the tool's definition differs from the pinned one: quarantined")),
        Live::Unpinned | Live::Absent => Err(quarantined("the server no longer offers the tool as it was pinned")),
    }
}

/// Mortise's own files, sockets and keys are out of reach, whatever the policies say.
fn check_protected(case: &Case) -> Result<(), Stop> {
    let working_directory = case.route.working_directory();
    let tool = case.tool.as_ref();
    let touches = |name: Option<&str>, text: &str| {
        let kind = name.and_then(|name| Some(tool?.description.argument(name).kind)).unwrap_or_default();
        case.snapshot.protected.touches(&working_directory, text, kind)
    };
    if any_text(case.call.arguments.examine(), None, &touches) {
        return Err(Stop::new("builtin/protected-files", "Mortise's own files cannot be reached through a tool"));
    }
    Ok(())
}

/// Whether any text in a value (at most as deep as the parser lets through) has the property. Texts inside an argument
/// are looked at as what the argument was declared to be.
fn any_text(value: &Value, argument: Option<&str>, has: &dyn Fn(Option<&str>, &str) -> bool) -> bool {
    match value {
        Value::String(text) => has(argument, text),
        Value::Array(items) => items.iter().any(|item| any_text(item, argument, has)),
        Value::Object(members) => {
            members.iter().any(|(name, member)| any_text(member, Some(argument.unwrap_or(name.as_str())), has))
        }
        _ => false,
    }
}
