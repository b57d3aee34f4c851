//! The call itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vocab::id::{AgentId, CallId, RunId, ServerId, SessionId, Tenant, ToolName, UserId};
use vocab::{Authn, Call, Operation, Target};

/// Who does what, with which arguments, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Called {
    /// Its id in the log.
    pub id: CallId,
    /// Whose data it touches.
    pub tenant: Tenant,
    /// The agent.
    pub agent: AgentId,
    /// The agents that started it, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<AgentId>,
    /// The person at the end of the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How the agent proved who it is.
    pub authn: Authn,
    /// The session.
    pub session: SessionId,
    /// The run token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The server.
    pub server: ServerId,
    /// The tool; absent for another operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// What follows the server's name in the action of an operation that is no tool: `#resources/read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The arguments that were decided on first, in canonical form: as received, or as stored for a person.
    pub arguments: Value,
    /// Why, in the agent's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// How sure the agent says it is, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    /// When it arrived, microseconds since the epoch.
    pub received_us: i64,
}

impl Called {
    pub(super) fn of(call: &Call) -> Self {
        let (tool, operation) = match &call.target.operation {
            Operation::Tool(name) => (Some(name.clone()), None),
            other => (None, Some(other.suffix().to_owned())),
        };
        Self {
            id: call.id.clone(),
            tenant: call.tenant.clone(),
            agent: call.principal.agent.clone(),
            parents: call.principal.parents.clone(),
            user: call.principal.user.clone(),
            authn: call.principal.authn,
            session: call.session.clone(),
            run: call.run.clone(),
            server: call.target.server.clone(),
            tool,
            operation,
            arguments: call.arguments.examine().clone(),
            purpose: call.purpose.as_ref().map(|purpose| purpose.examine().clone()),
            confidence: call.confidence,
            received_us: call.received_us,
        }
    }

    /// What is called; `None` for an operation that this Mortise does not know.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        let operation = match (&self.tool, &self.operation) {
            (Some(tool), None) => Operation::Tool(tool.clone()),
            (None, Some(suffix)) => Operation::FIXED.into_iter().find(|operation| operation.suffix() == suffix)?,
            _ => return None,
        };
        Some(Target { server: self.server.clone(), operation })
    }
}
