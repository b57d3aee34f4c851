//! What is decided on: one call and the facts known about it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::{AgentId, ServerId, UserId};
use vocab::{Authn, Confidentiality, Discharge, Integrity, Mode, Origin};

/// One call to decide.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who acts.
    pub agent: &'a AgentId,
    /// How that was established.
    pub authn: Authn,
    /// The action id: `desk/close_ticket`, `desk#resources/read`.
    pub action: &'a str,
    /// The server, as it stands in the action id.
    pub server: &'a ServerId,
    /// The arguments, a JSON object that was validated against the tool's schema.
    pub arguments: &'a Value,
    /// What else is known.
    pub facts: &'a Facts,
}

/// What is known of a call beside its arguments. The default knows nothing and limits nothing.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Seconds since the epoch.
    pub now_s: i64,
    /// Why, in the agent's words. A claim.
    pub purpose: Option<String>,
    /// How sure the agent says it is, in percent. A claim.
    pub confidence: Option<u8>,
    /// The agent counts as uncertain: it says so, or its calls failed validation.
    pub uncertain: bool,
    /// The person at the end of the principal chain.
    pub on_behalf_of: Option<UserId>,
    /// Number of agents between the caller and the person.
    pub chain_depth: i64,
    /// Where the call ends up, when that is known beside the arguments.
    pub destination: Option<String>,
    /// Whether the user's request came from somewhere the agent cannot write.
    pub request_attested: bool,
    /// Calls of the session so far.
    pub calls: i64,
    /// Refusals of the session so far.
    pub denials: i64,
    /// Money spent by the session, in millionths of a US dollar.
    pub cost_microusd: i64,
    /// Calls of the session under way.
    pub in_flight: i64,
    /// Calls of the agent in the last minute.
    pub calls_1m: i64,
    /// Calls of this tool in the last minute.
    pub tool_calls_1m: i64,
    /// Declared limit to `calls_1m`; `i64::MAX` when none.
    pub agent_limit_1m: i64,
    /// Declared limit to `tool_calls_1m`; `i64::MAX` when none.
    pub tool_limit_1m: i64,
    /// How far user rules bind; the stricter of this and the agent's own mode holds.
    pub mode: Mode,
    /// Worst integrity of what the session has seen.
    pub integrity: Integrity,
    /// Confidentialities of what the session has seen.
    pub confidentiality: BTreeSet<Confidentiality>,
    /// Where what the session has seen came from, `server/tool`.
    pub sources: BTreeSet<String>,
    /// Where each argument's value comes from. A present argument without an entry comes from nowhere.
    pub origins: BTreeMap<String, BTreeSet<Origin>>,
    /// What the arguments aim at.
    pub targets: Targets,
    /// What the detectors saw.
    pub findings: Findings,
    /// Verified records, each of which removes one ask-guard.
    pub discharges: Vec<Discharge>,
    /// Redaction terms that were already applied, or undertaken for the result.
    pub fulfilled: BTreeSet<String>,
}

/// What the arguments aim at, in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Hosts.
    pub hosts: BTreeSet<String>,
    /// Normalised paths.
    pub paths: BTreeSet<String>,
    /// Classes of SQL statements.
    pub sql_classes: BTreeSet<String>,
    /// Programs a shell line would start.
    pub commands: BTreeSet<String>,
}

/// What detectors saw, in the words of [`FINDING_KINDS`](crate::FINDING_KINDS) and [`SEVERITIES`](crate::SEVERITIES).
/// A word that is not in these lists makes the request unusable, and an unusable request is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The worst severity; `none` without findings.
    pub worst: String,
    /// The kinds seen.
    pub kinds: BTreeSet<String>,
}

impl Default for Findings {
    fn default() -> Self {
        Self { worst: "none".to_owned(), kinds: BTreeSet::new() }
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            now_s: 0,
            purpose: None,
            confidence: None,
            uncertain: false,
            on_behalf_of: None,
            chain_depth: 0,
            destination: None,
            request_attested: false,
            calls: 0,
            denials: 0,
            cost_microusd: 0,
            in_flight: 0,
            calls_1m: 0,
            tool_calls_1m: 0,
            agent_limit_1m: i64::MAX,
            tool_limit_1m: i64::MAX,
            mode: Mode::Enforce,
            integrity: Integrity::System,
            confidentiality: BTreeSet::new(),
            sources: BTreeSet::new(),
            origins: BTreeMap::new(),
            targets: Targets::default(),
            findings: Findings::default(),
            discharges: Vec::new(),
            fulfilled: BTreeSet::new(),
        }
    }
}
