//! One intended tool use.

use crate::guarded::Untrusted;
use crate::id::{CallId, RunId, ServerId, SessionId, Tenant, ToolName};
use crate::principal::Principal;
use serde_json::Value;
use std::ops::Deref;
use std::sync::Arc;

/// One intended use of a tool: who, what, why. Immutable once parsed; clones share it.
#[derive(Clone, Debug)]
pub struct Call(Arc<Sealed>);

#[derive(Debug)]
struct Sealed {
    parts: CallParts,
    action: String,
}

/// What a [`Call`] is made of.
#[derive(Clone, Debug)]
pub struct CallParts {
    /// Identifies the call in the log.
    pub id: CallId,
    /// Whose data it touches.
    pub tenant: Tenant,
    /// Who acts.
    pub principal: Principal,
    /// The run it belongs to, for labels and counters.
    pub session: SessionId,
    /// The run token's id, when one was used.
    pub run: Option<RunId>,
    /// What is to be done, and where.
    pub target: Target,
    /// The arguments, a JSON object, as strictly parsed.
    pub arguments: Untrusted<Value>,
    /// Why, in the agent's words. A claim.
    pub purpose: Option<Untrusted<String>>,
    /// How sure the agent says it is, in percent. A claim.
    pub confidence: Option<u8>,
    /// When it arrived, microseconds since the epoch.
    pub received_us: i64,
}

impl Call {
    /// Seals the parts.
    #[must_use]
    pub fn new(parts: CallParts) -> Self {
        let action = parts.target.action();
        Self(Arc::new(Sealed { parts, action }))
    }

    /// The same call with other arguments: what sanitising and a dry-run twin make.
    #[must_use]
    pub fn with_arguments(&self, arguments: Value) -> Self {
        Self::new(CallParts { arguments: Untrusted::new(arguments), ..self.0.parts.clone() })
    }

    /// The same call to another operation of the same server: what a dry-run twin makes.
    #[must_use]
    pub fn with_operation(&self, operation: Operation) -> Self {
        let target = Target { server: self.target.server.clone(), operation };
        Self::new(CallParts { target, ..self.0.parts.clone() })
    }

    /// The Cedar action id of its target, put together once.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.0.action
    }

    /// Whether this is the very same call, not one made from it.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Call {
    type Target = CallParts;

    fn deref(&self) -> &CallParts {
        &self.0.parts
    }
}

/// What the `tool_name` column says of a tool that nobody declared, under a name that could be any text.
pub const UNDECLARED: &str = "undeclared";

/// An operation and the server it is asked of (or, for client requests, the server that asks).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The server.
    pub server: ServerId,
    /// The operation.
    pub operation: Operation,
}

impl Target {
    /// The Cedar action id: `desk/close_ticket`, `desk#resources/read`, ...
    #[must_use]
    pub fn action(&self) -> String {
        match &self.operation {
            Operation::Tool(name) => format!("{}/{name}", self.server),
            other => format!("{}{}", self.server, other.suffix()),
        }
    }

    /// What the `tool_name` column says: the tool, or the method of another decided operation.
    #[must_use]
    pub fn tool_name(&self) -> &str {
        match &self.operation {
            Operation::Tool(name) => name.as_str(),
            other => other.suffix().trim_start_matches('#'),
        }
    }
}

/// The operations that are decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `tools/call` of a tool.
    Tool(ToolName),
    /// `resources/read`.
    ReadResource,
    /// `prompts/get`.
    GetPrompt,
    /// The server asks the client's model: `sampling/createMessage`.
    Sampling,
    /// The server asks the client's user: `elicitation/create`.
    Elicitation,
    /// The server asks for the client's roots: `roots/list`.
    Roots,
}

impl Operation {
    /// The operations that every server has beside its tools, in the order of the generated schema.
    pub const FIXED: [Self; 5] = [Self::ReadResource, Self::GetPrompt, Self::Sampling, Self::Elicitation, Self::Roots];

    /// What the operation does to the world, when it is not a tool with a declared effect.
    ///
    /// A resource is addressed by a URI the agent chose; sampling, elicitation and roots carry data between a server and
    /// the agent's model, user or machine: all of them can take something across the boundary.
    #[must_use]
    pub const fn effect(&self) -> Option<crate::tool::Effect> {
        match self {
            Self::Tool(_) => None,
            Self::ReadResource | Self::Sampling | Self::Elicitation | Self::Roots => {
                Some(crate::tool::Effect::EgressRead)
            }
            Self::GetPrompt => Some(crate::tool::Effect::Read),
        }
    }

    /// What follows the server's name in the action id; empty for tools.
    #[must_use]
    pub const fn suffix(&self) -> &'static str {
        match self {
            Self::Tool(_) => "",
            Self::ReadResource => "#resources/read",
            Self::GetPrompt => "#prompts/get",
            Self::Sampling => "#sampling",
            Self::Elicitation => "#elicitation",
            Self::Roots => "#roots",
        }
    }
}
