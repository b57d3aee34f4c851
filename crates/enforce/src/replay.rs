//! A call that was decided, decided again.
//!
//! Contains no log and no comparison: what was read then comes in as a document, or as what a record still says of it.

use crate::input::{DecisionInput, RecordedFacts};
use crate::permit::Confinement;
use crate::preview::Probe;
use crate::snapshot::Snapshot;
use crate::trial::{Trial, Tried};
use policy::{Facts, Gone, LooksAtUnknown, Request};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use vocab::id::{AgentId, UserId};
use vocab::{Authn, Decision, Discharge, Operation, Target, Verdict};

/// Whose declarations count: limits, modes, and below which confidence an agent is uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// Those of then, as they were read.
    Then,
    /// Those of the configuration that decides now.
    Now,
}

/// The second answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Redecided {
    /// As it would be recorded.
    pub decision: Decision,
    /// Argument redactions made, by term.
    pub redactions: BTreeMap<String, u64>,
    /// How the tool is confined; `None` when the call does not leave.
    pub confinement: Option<Confinement>,
}

/// Decides a call again on everything that was read then.
#[must_use]
pub fn redecide(snapshot: &Snapshot, input: &DecisionInput, declared: Declared) -> Option<Redecided> {
    let target = input.call.target()?;
    let mut facts = input.facts();
    if declared == Declared::Now {
        declare(&mut facts, snapshot, &input.call.agent, &target, Some(input.state.validation_failures));
    }
    let (agent, authn, arguments) = (&input.call.agent, input.call.authn, &input.call.arguments);
    let probe = Probe { agent, authn, target: &target, arguments, facts: &facts };
    let Tried { decision, redactions, confinement, .. } = Trial { snapshot, probe: &probe, seen: &input.seen }.run();
    Some(Redecided { decision, redactions, confinement })
}

/// What a record says of a call whose document is gone.
#[derive(Clone, Debug)]
pub struct Remains {
    /// The agent.
    pub agent: AgentId,
    /// How it proved who it is.
    pub authn: Authn,
    /// The person at the end of the chain.
    pub user: Option<UserId>,
    /// How many agents are between it and the person.
    pub chain_depth: i64,
    /// What is called.
    pub target: Target,
    /// The facts in the record.
    pub facts: RecordedFacts,
    /// Approvals that discharged a guard then, for the same guard.
    pub discharges: Vec<Discharge>,
}

/// Why a call cannot be decided again without its document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// A rule looks at something that is gone.
    #[error(transparent)]
    Rule(#[from] LooksAtUnknown),
    /// The inventory declares prompts by name, which is an argument.
    #[error("the prompt's name is gone")]
    Prompt,
    /// Redacting and confining work on arguments.
    #[error("`{0}` is done with arguments, which are gone")]
    Verdict(Verdict),
}

/// Decides a call again on what its record says. Arguments, purpose and what was made out about them are gone, so this
/// is an answer only where no rule that can speak looks at them; schema and protected files are taken to let it pass, as
/// they did then.
///
/// # Errors
/// It depends on what is gone.
pub fn redecide_without_arguments(
    snapshot: &Snapshot,
    remains: &Remains,
    declared: Declared,
) -> Result<Redecided, Lacking> {
    let Remains { agent, authn, target, .. } = remains;
    let mut facts = remains.facts.state.facts();
    facts.on_behalf_of.clone_from(&remains.user);
    facts.chain_depth = remains.chain_depth;
    facts.discharges.clone_from(&remains.discharges);
    if declared == Declared::Now {
        // The confidence is gone; whoever was uncertain then still is.
        declare(&mut facts, snapshot, agent, target, None);
    }
    if target.operation == Operation::GetPrompt {
        return Err(Lacking::Prompt);
    }
    let nothing = Value::Object(Map::new());
    let probe = Probe { agent, authn: *authn, target, arguments: &nothing, facts: &facts };
    let seen = crate::input::Seen::default();
    let trial = Trial { snapshot, probe: &probe, seen: &seen };
    if let Some(refused) = trial.undeclared() {
        return Ok(Redecided { decision: refused, redactions: BTreeMap::new(), confinement: None });
    }
    let request = Request {
        agent,
        authn: *authn,
        action: &target.action(),
        server: &target.server,
        arguments: &nothing,
        facts: &facts,
    };
    let gone = Gone { is_known: &in_records, unrepresentable: remains.facts.unrepresentable };
    let decision = snapshot.bundle.decide_without_arguments(&request, &gone)?;
    let redacts = decision.obligations.redact.iter().any(|term| term.starts_with("args."));
    match decision.verdict {
        Verdict::Deny => {}
        _ if redacts => return Err(Lacking::Verdict(Verdict::Sanitize)),
        Verdict::Sandbox => return Err(Lacking::Verdict(Verdict::Sandbox)),
        _ if decision.obligations.sandbox.is_some() => return Err(Lacking::Verdict(Verdict::Sandbox)),
        Verdict::Allow | Verdict::Sanitize | Verdict::Ask => {}
    }
    let confinement = Some(Confinement::None).filter(|_| decision.verdict < Verdict::Ask);
    Ok(Redecided { decision, redactions: BTreeMap::new(), confinement })
}

/// Whether a member of the context is in the records.
fn in_records(part: &str, member: Option<&str>) -> bool {
    match (part, member) {
        ("session" | "labels", _) => true,
        ("call", Some(member)) => {
            ["now", "chain_depth", "effect", "request_attested", "unrepresentable", "on_behalf_of"].contains(&member)
        }
        _ => false,
    }
}

/// Lays what this configuration declares over what was declared then.
fn declare(facts: &mut Facts, snapshot: &Snapshot, agent: &AgentId, target: &Target, failures: Option<i64>) {
    let declared = crate::preview::declared(snapshot, agent, target);
    facts.agent_limit_1m = declared.agent_limit_1m;
    facts.tool_limit_1m = declared.tool_limit_1m;
    facts.mode = declared.mode;
    if let Some(failures) = failures {
        let below = snapshot.project.settings.uncertain_below;
        let failed = i64::try_from(crate::pipeline::UNCERTAIN_AFTER_FAILURES).unwrap_or(i64::MAX);
        facts.uncertain = facts.confidence.is_some_and(|confidence| confidence < below) || failures >= failed;
    }
}
