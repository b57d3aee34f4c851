//! The rules that are written in no policy file: who may never be overruled, and under which name each speaks.

use vocab::Target;
use vocab::id::{AgentId, RuleId};

/// A built-in rule about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// Not declared for this agent, or not pinned.
    Inventory,
    /// The arguments do not match the tool's schema.
    Schema,
    /// The arguments point at Mortise's own files.
    ProtectedFiles,
    /// A redaction is not understood.
    SanitizeFailed,
    /// The redacted arguments do not match the tool's schema.
    SanitizeSchema,
    /// The redacted call asks for further redactions.
    NotConverging,
    /// The dry-run twin is missing or does not accept the call.
    Twin,
    /// No permit rule is satisfied.
    NoPermit,
    /// The request could not be built.
    Undecidable,
    /// The agent is uncertain.
    Uncertain,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Inventory,
        Self::Schema,
        Self::ProtectedFiles,
        Self::SanitizeFailed,
        Self::SanitizeSchema,
        Self::NotConverging,
        Self::Twin,
        Self::NoPermit,
        Self::Undecidable,
        Self::Uncertain,
    ];

    /// The id it speaks under about a call.
    #[must_use]
    pub fn id(self, agent: &AgentId, target: &Target) -> RuleId {
        match self {
            Self::Inventory => RuleId::new(format!("inventory/{agent}")),
            Self::Schema => RuleId::new(format!("schema/{}", target.action())),
            Self::ProtectedFiles => RuleId::new("builtin/protected-files"),
            Self::SanitizeFailed => RuleId::new("sanitize/failed"),
            Self::SanitizeSchema => RuleId::new("sanitize/schema"),
            Self::NotConverging => RuleId::new("sanitize/not-converging"),
            Self::Twin => RuleId::new("sandbox/twin"),
            Self::NoPermit => RuleId::new(policy::NO_PERMIT),
            Self::Undecidable => RuleId::new(policy::UNDECIDABLE),
            Self::Uncertain => RuleId::new(policy::UNCERTAIN),
        }
    }

    /// Its static reason.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Inventory => "not declared for this agent",
            Self::Schema => "the arguments do not match the tool's schema",
            Self::ProtectedFiles => "Mortise's own files cannot be reached through a tool",
            Self::SanitizeFailed => "a redaction is not understood",
            Self::SanitizeSchema => "the redacted arguments fail the schema",
            Self::NotConverging => "the redacted call asks for further redactions",
            Self::Twin => "the dry-run twin is missing, changed or does not accept the call",
            Self::NoPermit => "no permit rule allows this",
            Self::Undecidable => "this call cannot be decided",
            Self::Uncertain => "the agent is uncertain about this call",
        }
    }
}
