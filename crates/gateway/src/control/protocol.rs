//! What the command line and the shims say to the gateway over its unix socket.
//!
//! One JSON object per line. The first line of a connection is a [`Hello`]; a control connection then sends
//! [`Request`]s and gets one [`Response`] each, a proxy connection becomes a stream of MCP frames.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of this protocol. A shim and a gateway of different versions refuse each other.
pub const PROTOCOL: u32 = 1;

/// Longest line of a control connection, bytes.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The first line of a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Hello {
    /// Requests follow.
    Control {
        /// Protocol version.
        protocol: u32,
    },
    /// MCP frames of one stdio server follow.
    Proxy {
        /// Protocol version.
        protocol: u32,
        /// Agent the shim was started for.
        agent: Option<String>,
        /// Run token from the environment.
        run_token: Option<String>,
        /// Server by name.
        server: Option<String>,
        /// Server by its start command, as in the client's configuration.
        command: Vec<String>,
    },
}

/// A control request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What is in force and what is open.
    Status,
    /// Reads the project again now.
    Reload,
    /// Ends the gateway in good order.
    Shutdown,
    /// Offers MCP over HTTP: on the given address, else on a free loopback port if none is offered yet.
    Listen {
        /// `address:port`.
        address: Option<String>,
    },
    /// Mints a run token for an agent that the caller is about to start.
    RunBegin {
        /// Agent.
        agent: String,
        /// Run token of the agent that starts it, if one does.
        parent: Option<String>,
    },
    /// Calls that wait, or waited.
    Approvals,
    /// One of them with its arguments.
    ApprovalShow {
        /// Approval.
        id: String,
    },
    /// A person's answer.
    ApprovalAnswer {
        /// Approval.
        id: String,
        /// Who answers.
        approver: String,
        /// The typed secret.
        secret: String,
        /// Yes or no.
        approve: bool,
        /// Why.
        reason: String,
    },
    /// Sets an approver's secret.
    Enroll {
        /// Who.
        approver: String,
        /// The new secret, typed.
        secret: String,
        /// The present secret, when there is one.
        present: Option<String>,
    },
    /// What a waiting configuration would change.
    PolicyPending,
    /// Puts the waiting configuration in force.
    PolicyAccept {
        /// Who accepts.
        approver: String,
        /// The typed secret.
        secret: String,
        /// Why.
        reason: String,
        /// Digest of the configuration that was shown.
        candidate: String,
    },
    /// Says in the log that payloads are about to be read.
    AccessRead {
        /// Whose payloads: a record's index, or what was asked for.
        subject: String,
        /// How many.
        payloads: u64,
        /// Why.
        reason: String,
    },
    /// Removes what is past its time, now.
    Prune,
    /// Destroys the data keys of one person.
    Erase {
        /// The person.
        user: String,
        /// Who decides.
        approver: String,
        /// The typed secret.
        secret: String,
        /// Why.
        reason: String,
    },
    /// Places a legal hold, or ends one.
    Hold {
        /// Its name.
        name: String,
        /// Whether it ends.
        release: bool,
        /// Who decides.
        approver: String,
        /// The typed secret.
        secret: String,
        /// Why.
        reason: String,
    },
    /// Rotates the log's signing key.
    KeysRotate {
        /// Why.
        reason: String,
        /// Records that both keys sign.
        overlap_entries: u64,
        /// Seconds for which both sign.
        overlap_s: u64,
    },
    /// Makes a key for an agent over HTTP. The key is shown once.
    AgentKey {
        /// Agent.
        agent: String,
    },
    /// Something of the log is about to be written out.
    Exported(Exported),
}

/// What is about to be written out of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// A format of [`store::formats::ALL`], or [`store::bundle::NAME`].
    pub format: String,
    /// Only what this agent did.
    pub agent: Option<String>,
    /// From then on, microseconds since the epoch.
    pub since_us: Option<i64>,
    /// Before then, microseconds since the epoch.
    pub until_us: Option<i64>,
    /// Records that were read: those with an index below this.
    pub records: u64,
    /// Rows that were written.
    pub rows: u64,
    /// Length of the file; of a bundle, of its manifest.
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal; of a bundle, of its manifest.
    pub sha256: String,
}

impl Request {
    /// Whether a governed process (an agent, or what it started) may ask this. It may look whether the gateway is
    /// there and start agents below itself; it may not answer for a person, nor end the gateway.
    #[must_use]
    pub const fn is_open_to_governed(&self) -> bool {
        matches!(self, Self::Status | Self::RunBegin { .. } | Self::Listen { address: None })
    }
}

/// The answer to a control request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Done.
    Ok(Value),
    /// Not done, and why.
    Refused {
        /// Stable code.
        code: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

impl Response {
    /// A refusal.
    #[must_use]
    pub fn refused(code: &str, message: impl Into<String>, help: &str) -> Self {
        let help = (!help.is_empty()).then(|| help.to_owned());
        Self::Refused { code: code.to_owned(), message: message.into(), help }
    }
}
