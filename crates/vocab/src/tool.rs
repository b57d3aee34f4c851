//! What a tool is: where it lives, what it does, what its arguments mean.

use crate::id::{Digest, ServerId, ToolName};
use crate::label::{Label, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a tool does to the world. What nobody declared is [`Effect::IrreversibleWrite`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Looks at something the operator holds.
    Read,
    /// Looks at something outside: the question itself may carry data out.
    EgressRead,
    /// Changes something that can be put back.
    ReversibleWrite,
    /// Changes something that cannot be put back.
    #[default]
    IrreversibleWrite,
    /// Runs code.
    Exec,
    /// Moves money.
    Money,
}

words!(Effect {
    Read => "read",
    EgressRead => "egress_read",
    ReversibleWrite => "reversible_write",
    IrreversibleWrite => "irreversible_write",
    Exec => "exec",
    Money => "money",
});

impl Effect {
    /// Whether the call cannot be taken back once it ran.
    #[must_use]
    pub const fn is_irreversible(self) -> bool {
        matches!(self, Self::IrreversibleWrite | Self::Exec | Self::Money)
    }

    /// The Cedar action group of the effect, `risk/<word>`.
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            Self::Read => "risk/read",
            Self::EgressRead => "risk/egress_read",
            Self::ReversibleWrite => "risk/reversible_write",
            Self::IrreversibleWrite => "risk/irreversible_write",
            Self::Exec => "risk/exec",
            Self::Money => "risk/money",
        }
    }
}

/// What part an argument plays in a call. What nobody declared is [`ArgumentClass::Critical`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgumentClass {
    /// Where something goes: recipient, host, account.
    Target,
    /// What is acted on.
    Object,
    /// A value that decides the harm: password, address, amount.
    #[default]
    Critical,
    /// What is said or written.
    Content,
    /// Harmless.
    Free,
}

words!(ArgumentClass {
    Target => "target", Object => "object", Critical => "critical", Content => "content", Free => "free",
});

impl ArgumentClass {
    /// Whether an argument of this class may be redacted without changing what the call does.
    #[must_use]
    pub const fn is_redactable(self) -> bool {
        matches!(self, Self::Content | Self::Free)
    }
}

/// The language an argument's text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgumentKind {
    /// Plain text.
    #[default]
    Text,
    /// A URL.
    Url,
    /// A file system path.
    Path,
    /// SQL.
    Sql,
    /// A shell command line.
    Shell,
}

words!(ArgumentKind { Text => "text", Url => "url", Path => "path", Sql => "sql", Shell => "shell" });

/// What the operator declared about one argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// The part it plays.
    pub class: ArgumentClass,
    /// The language it is written in.
    pub kind: ArgumentKind,
}

/// A tool as the operator described it and as its definition was pinned.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDescription {
    /// Where it lives.
    pub server: ServerId,
    /// Its name there.
    pub name: ToolName,
    /// What it does.
    pub effect: Effect,
    /// Its pinned input schema (JSON Schema).
    pub input_schema: Arc<serde_json::Value>,
    /// Its pinned output schema, when it has one.
    pub output_schema: Option<Arc<serde_json::Value>>,
    /// Digest of the pinned definition: name, description, schemas, annotations.
    pub definition: Digest,
    /// Declared arguments by name; others are critical text.
    pub arguments: BTreeMap<String, Argument>,
    /// Label of what it returns.
    pub label: Label,
    /// The tool of the same server that does the same without effect.
    pub dry_run: Option<ToolName>,
}

impl ToolDescription {
    /// The Cedar action id, `<server>/<tool>`.
    #[must_use]
    pub fn action(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// What is known of an argument.
    #[must_use]
    pub fn argument(&self, name: &str) -> Argument {
        self.arguments.get(name).copied().unwrap_or_default()
    }
}
