//! A call as it waits, sealed, for a person.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use vocab::id::{CallId, RunId, ServerId, SessionId, Tenant, ToolName};
use vocab::{Call, CallParts, Operation, Principal, Target, Untrusted};

/// Everything needed to run the effective call later.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredCall {
    id: CallId,
    tenant: Tenant,
    principal: Principal,
    session: SessionId,
    run: Option<RunId>,
    server: ServerId,
    operation: String,
    tool: Option<ToolName>,
    arguments: Value,
    purpose: Option<String>,
    confidence: Option<u8>,
    received_us: i64,
    /// Redaction terms already applied to the arguments.
    pub(crate) fulfilled: BTreeSet<String>,
    /// Keyed hash of the arguments as received.
    pub(crate) args_hash: String,
}

impl StoredCall {
    /// What is kept of an effective call.
    pub(crate) fn of(call: &Call, fulfilled: &BTreeSet<String>, args_hash: &str) -> Self {
        let tool = match &call.target.operation {
            Operation::Tool(name) => Some(name.clone()),
            _ => None,
        };
        Self {
            id: call.id.clone(),
            tenant: call.tenant.clone(),
            principal: call.principal.clone(),
            session: call.session.clone(),
            run: call.run.clone(),
            server: call.target.server.clone(),
            operation: call.target.operation.suffix().to_owned(),
            tool,
            arguments: call.arguments.examine().clone(),
            purpose: call.purpose.as_ref().map(|purpose| purpose.examine().clone()),
            confidence: call.confidence,
            received_us: call.received_us,
            fulfilled: fulfilled.clone(),
            args_hash: args_hash.to_owned(),
        }
    }

    /// The call again, or `None` when the record names an operation this Mortise does not know.
    pub(crate) fn revive(self) -> Option<Call> {
        let operation = match self.tool {
            Some(name) => Operation::Tool(name),
            None => Operation::FIXED.into_iter().find(|operation| operation.suffix() == self.operation)?,
        };
        Some(Call::new(CallParts {
            id: self.id,
            tenant: self.tenant,
            principal: self.principal,
            session: self.session,
            run: self.run,
            target: Target { server: self.server, operation },
            arguments: Untrusted::new(self.arguments),
            purpose: self.purpose.map(Untrusted::new),
            confidence: self.confidence,
            received_us: self.received_us,
        }))
    }
}
