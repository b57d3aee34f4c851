//! The way to a tool, as the pipeline sees it: transports implement this, tests fake it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use vocab::id::{Digest, SessionId};
use vocab::{Call, Principal, Target};

/// A future that can be kept in a trait object.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One connection to a tool server (or, for client requests, back to the agent's client).
pub trait Route: Send + Sync {
    /// What the live server says the operation is.
    fn live(&self, target: &Target) -> Live;

    /// Sends the effective call. Called by the holder of a permit only.
    fn send<'a>(&'a self, effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>>;

    /// The folder the server works in, against which relative paths are read.
    fn working_directory(&self) -> String {
        String::new()
    }
}

/// Finds the way to a server for a stored call whose caller may be gone.
pub trait Routes: Send + Sync {
    /// Reuses or opens the session's connection to the target's server.
    fn route<'a>(
        &'a self,
        session: &'a SessionId,
        principal: &'a Principal,
        target: &'a Target,
    ) -> Boxed<'a, Result<Arc<dyn Route>, String>>;
}

/// The live definition of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    /// A tool with this definition.
    Definition(Digest),
    /// An operation that has no definition to pin (a resource, a prompt, a client request).
    Unpinned,
    /// The server does not offer it.
    Absent,
}

/// What a tool answered, as raw JSON that nobody has re-serialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The `result` member.
    Result(Vec<u8>),
    /// The `error` member.
    Error(Vec<u8>),
}

impl Reply {
    /// The raw JSON, whichever member it is.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Result(bytes) | Self::Error(bytes) => bytes,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Nothing was sent.
    #[error("the call was not sent: {0}")]
    NotSent(String),
    /// It was sent; whether it ran is not known.
    #[error("the call was sent and no answer came: {0}")]
    Unknown(String),
}
