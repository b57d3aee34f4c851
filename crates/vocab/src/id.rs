//! Identifiers. Each is a newtype, so that a session cannot be passed where an agent is meant.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name that its source has already checked.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text of the identifier.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'a> From<&'a $name> for std::borrow::Cow<'a, str> {
            fn from(id: &'a $name) -> Self {
                Self::Borrowed(&id.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

id! {
    /// Whose data this is. `default` on a single-tenant gateway.
    Tenant,
    /// An agent of the inventory.
    AgentId,
    /// A person, as named by the principal chain.
    UserId,
    /// A tool server of the inventory.
    ServerId,
    /// A tool's name on its server.
    ToolName,
    /// One run of an agent: (tenant, agent credential, run token).
    SessionId,
    /// One run started by `mortise run`.
    RunId,
    /// One call, a UUIDv7.
    CallId,
    /// A rule's `@id`, or a built-in such as `inventory/support-bot`.
    RuleId,
    /// A pending or answered approval.
    ApprovalId,
    /// `sha256:` and 64 hexadecimal digits over named content.
    Digest,
}

impl Default for Tenant {
    fn default() -> Self {
        Self::new("default")
    }
}
