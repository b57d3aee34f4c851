//! What an event says happened, and how a call ended.

use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The gateway opened its log.
    #[serde(rename = "gateway.started")]
    GatewayStarted,
    /// The gateway closed its log in good order.
    #[serde(rename = "gateway.stopped")]
    GatewayStopped,
    /// A configuration came into force.
    #[serde(rename = "config.changed")]
    ConfigChanged,
    /// A configuration loosens something and waits for `mortise policy accept`.
    #[serde(rename = "config.waiting")]
    ConfigWaiting,
    /// A configuration was refused; the one before stays.
    #[serde(rename = "config.refused")]
    ConfigRefused,
    /// A session began.
    #[serde(rename = "session.start")]
    SessionStart,
    /// A tool server was started or reached.
    #[serde(rename = "server.started")]
    ServerStarted,
    /// A tool server ended or was lost.
    #[serde(rename = "server.stopped")]
    ServerStopped,
    /// A live tool definition differs from the pinned one.
    #[serde(rename = "server.quarantined")]
    ServerQuarantined,
    /// A message was refused before it became a call.
    #[serde(rename = "message.refused")]
    MessageRefused,
    /// An agent means to use a tool.
    #[serde(rename = "tool.intent")]
    ToolIntent,
    /// What was decided about it.
    #[serde(rename = "policy.decision")]
    PolicyDecision,
    /// The effective call leaves for the tool.
    #[serde(rename = "tool.dispatch")]
    ToolDispatch,
    /// What came back, or that nothing did.
    #[serde(rename = "tool.result")]
    ToolResult,
    /// A call waits for a person.
    #[serde(rename = "approval.requested")]
    ApprovalRequested,
    /// A person approved it.
    #[serde(rename = "approval.granted")]
    ApprovalGranted,
    /// A person refused it.
    #[serde(rename = "approval.denied")]
    ApprovalDenied,
    /// Nobody answered in time.
    #[serde(rename = "approval.expired")]
    ApprovalExpired,
    /// An approval was attempted by somebody who may not give one.
    #[serde(rename = "approval.rejected")]
    ApprovalRejected,
    /// The log was repaired after a crash.
    #[serde(rename = "store.recovered")]
    StoreRecovered,
    /// Somebody read a payload.
    #[serde(rename = "access.read")]
    AccessRead,
    /// Something of the log was written out.
    #[serde(rename = "export.created")]
    ExportCreated,
    /// Another key signs the log from here on.
    #[serde(rename = "key.rotated")]
    KeyRotated,
    /// What was past its time was removed.
    #[serde(rename = "store.pruned")]
    StorePruned,
    /// A data key was destroyed: what was under it cannot be read any more.
    #[serde(rename = "store.shredded")]
    StoreShredded,
    /// A legal hold was placed: nothing is removed while it stands.
    #[serde(rename = "store.held")]
    StoreHeld,
    /// A legal hold was released.
    #[serde(rename = "store.released")]
    StoreReleased,
}

impl Kind {
    /// Every kind, in the order of the reference.
    pub const ALL: [Self; 27] = [
        Self::GatewayStarted,
        Self::GatewayStopped,
        Self::ConfigChanged,
        Self::ConfigWaiting,
        Self::ConfigRefused,
        Self::SessionStart,
        Self::ServerStarted,
        Self::ServerStopped,
        Self::ServerQuarantined,
        Self::MessageRefused,
        Self::ToolIntent,
        Self::PolicyDecision,
        Self::ToolDispatch,
        Self::ToolResult,
        Self::ApprovalRequested,
        Self::ApprovalGranted,
        Self::ApprovalDenied,
        Self::ApprovalExpired,
        Self::ApprovalRejected,
        Self::StoreRecovered,
        Self::AccessRead,
        Self::ExportCreated,
        Self::KeyRotated,
        Self::StorePruned,
        Self::StoreShredded,
        Self::StoreHeld,
        Self::StoreReleased,
    ];

    /// The word in the `type` member.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GatewayStarted => "gateway.started",
            Self::GatewayStopped => "gateway.stopped",
            Self::ConfigChanged => "config.changed",
            Self::ConfigWaiting => "config.waiting",
            Self::ConfigRefused => "config.refused",
            Self::SessionStart => "session.start",
            Self::ServerStarted => "server.started",
            Self::ServerStopped => "server.stopped",
            Self::ServerQuarantined => "server.quarantined",
            Self::MessageRefused => "message.refused",
            Self::ToolIntent => "tool.intent",
            Self::PolicyDecision => "policy.decision",
            Self::ToolDispatch => "tool.dispatch",
            Self::ToolResult => "tool.result",
            Self::ApprovalRequested => "approval.requested",
            Self::ApprovalGranted => "approval.granted",
            Self::ApprovalDenied => "approval.denied",
            Self::ApprovalExpired => "approval.expired",
            Self::ApprovalRejected => "approval.rejected",
            Self::StoreRecovered => "store.recovered",
            Self::AccessRead => "access.read",
            Self::ExportCreated => "export.created",
            Self::KeyRotated => "key.rotated",
            Self::StorePruned => "store.pruned",
            Self::StoreShredded => "store.shredded",
            Self::StoreHeld => "store.held",
            Self::StoreReleased => "store.released",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The tool answered.
    Ok,
    /// The tool answered with an error.
    ToolError,
    /// The tool answered; the answer was kept from the agent.
    Withheld,
    /// Not run.
    Refused,
    /// Nobody answered in time; not run.
    Expired,
    /// The caller withdrew it.
    Cancelled,
    /// It was dispatched and nobody knows whether it ran.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order of the reference.
    pub const ALL: [Self; 7] =
        [Self::Ok, Self::ToolError, Self::Withheld, Self::Refused, Self::Expired, Self::Cancelled, Self::Unknown];

    /// The word in the `outcome` member.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::Withheld => "withheld",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}
