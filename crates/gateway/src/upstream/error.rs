//! Why a request has no answer.

use thiserror::Error;

/// Why a request has no answer, or a connection ended. `dispatched` says whether the server may have acted on it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UpstreamError {
    /// The command could not be started, or ended during the handshake.
    #[error("server could not be started: {reason}")]
    NotStarted {
        /// What the system said.
        reason: String,
    },
    /// The address cannot be used or nobody answers there. Nothing was sent.
    #[error("server cannot be reached: {reason}")]
    Unreachable {
        /// What the system said.
        reason: String,
    },
    /// The handshake failed.
    #[error("handshake failed: {reason}")]
    Handshake {
        /// How.
        reason: String,
    },
    /// The server ended, or its connection broke.
    #[error("server ended")]
    Died {
        /// The server may have acted.
        dispatched: bool,
    },
    /// No answer within the deadline. The server was told that nobody waits any more.
    #[error("no answer in time")]
    Timeout {
        /// The server may have acted.
        dispatched: bool,
    },
    /// The server sent something that is not one message.
    #[error("server broke the protocol: {reason}")]
    Garbage {
        /// What was wrong.
        reason: String,
        /// The server may have acted.
        dispatched: bool,
    },
    /// The server sent more than anybody could take.
    #[error("server sent too many messages")]
    Flooded {
        /// The server may have acted.
        dispatched: bool,
    },
    /// The server no longer knows the session.
    #[error("session lost")]
    SessionLost {
        /// The server may have acted.
        dispatched: bool,
    },
    /// The server answered with another HTTP status than success.
    #[error("server answered with HTTP status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// Mortise closed the connection.
    #[error("connection closed")]
    Closed {
        /// The server may have acted.
        dispatched: bool,
    },
    /// Too many requests wait for an answer already. Nothing was sent.
    #[error("too many open requests")]
    Busy,
    /// The message is larger than the limit. Nothing was sent.
    #[error("message of {bytes} bytes is larger than {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The server answered a request of our own with an error.
    #[error("server answered with error {code}")]
    Answered {
        /// The code.
        code: i64,
    },
    /// The server's answer to a request of our own does not have the expected shape.
    #[error("unexpected answer: {reason}")]
    Malformed {
        /// What was expected.
        reason: String,
    },
}

impl UpstreamError {
    /// Whether the server may have acted on the request: then its outcome is *unknown* and it is never sent again.
    #[must_use]
    pub const fn dispatched(&self) -> bool {
        match self {
            Self::Died { dispatched }
            | Self::Timeout { dispatched }
            | Self::Garbage { dispatched, .. }
            | Self::Flooded { dispatched }
            | Self::SessionLost { dispatched }
            | Self::Closed { dispatched } => *dispatched,
            // A client error says that the request was refused; anything else may come from behind the effect.
            Self::Status { status } => !matches!(*status, 400..=499),
            Self::Answered { .. } | Self::Malformed { .. } => true,
            Self::NotStarted { .. }
            | Self::Unreachable { .. }
            | Self::Handshake { .. }
            | Self::Busy
            | Self::TooLarge { .. } => false,
        }
    }

    /// The same for a request that never left.
    pub(super) fn undispatched(mut self) -> Self {
        match &mut self {
            Self::Died { dispatched }
            | Self::Timeout { dispatched }
            | Self::Garbage { dispatched, .. }
            | Self::Flooded { dispatched }
            | Self::SessionLost { dispatched }
            | Self::Closed { dispatched } => *dispatched = false,
            _ => {}
        }
        self
    }

    pub(super) fn garbage(reason: &(impl ToString + ?Sized)) -> Self {
        Self::Garbage { reason: reason.to_string(), dispatched: true }
    }
}
