//! A call taken through the checks and the decision without a server, a session or the log.
//!
//! What a suite asks: the same inventory, schemas, built-in refusals, bundle and redactors as in the pipeline, in the
//! same order, on stated facts. What only a live server can say - whether its definition is still the pinned one - is
//! taken to be so.

pub use crate::built_in::BuiltIn;
use crate::input::Seen;
use crate::snapshot::Snapshot;
use crate::trial::Trial;
use crate::validate::Complaint;
use policy::Facts;
use serde_json::Value;
use vocab::id::AgentId;
use vocab::{Authn, Decision, Target};

/// A call to be tried.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// Who acts.
    pub agent: &'a AgentId,
    /// How that was established.
    pub authn: Authn,
    /// What is called.
    pub target: &'a Target,
    /// The arguments, a JSON object.
    pub arguments: &'a Value,
    /// What else is known; [`declared`] has what the configuration itself says.
    pub facts: &'a Facts,
}

/// What would become of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The answer, as it would be recorded.
    pub decision: Decision,
    /// The built-in rule that ended it outside the policies; `None` when they decided.
    pub stopped: Option<BuiltIn>,
    /// What the schema objects to, when that is what stopped it.
    pub complaints: Vec<Complaint>,
}

/// The facts that the configuration itself states about a call: limits, mode, person.
#[must_use]
pub fn declared(snapshot: &Snapshot, agent: &AgentId, target: &Target) -> Facts {
    let file = snapshot.agent(agent);
    let limit = |declared: Option<u32>| declared.map_or(i64::MAX, i64::from);
    Facts {
        on_behalf_of: file.and_then(|agent| agent.user.clone()),
        agent_limit_1m: limit(file.and_then(|agent| agent.limits.calls_per_minute)),
        tool_limit_1m: limit(snapshot.tool_limit(agent, target)),
        mode: file.map(|agent| agent.mode).unwrap_or_default(),
        ..Facts::default()
    }
}

/// What would become of a call on these facts.
#[must_use]
pub fn preview(snapshot: &Snapshot, probe: &Probe<'_>) -> Preview {
    let tried = Trial { snapshot, probe, seen: &Seen::default() }.run();
    Preview { decision: tried.decision, stopped: tried.stopped, complaints: tried.complaints }
}
