//! What policies are compiled against: files, agents, servers, tools, groups.

use crate::bundle::Bundle;
use std::sync::Arc;
use vocab::id::{AgentId, ServerId};
use vocab::{Diagnostic, Mode, Tier, ToolDescription};

/// One policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path, relative to the project.
    pub file: Arc<str>,
    /// Content.
    pub text: Arc<str>,
}

/// An agent of the inventory, as policies see it.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentShape {
    /// Its name: `Agent::"<id>"`.
    pub id: AgentId,
    /// Who answers for it.
    pub owner: String,
    /// Its risk tier.
    pub tier: Tier,
    /// Where it runs: a free word, but one that an agent file uses.
    pub env: String,
    /// The model it runs on, `provider/name`; may be empty.
    pub model: String,
    /// The model's version; may be empty.
    pub model_version: String,
    /// Its `AgentClass` parents.
    pub classes: Vec<String>,
    /// Its `Team` parent.
    pub team: Option<String>,
    /// Whether a valid attestation says that its evaluations passed.
    pub eval_passed: bool,
    /// How far user rules bind it.
    pub mode: Mode,
}

/// A tool server of the inventory, as policies see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerShape {
    /// Its name: `Server::"<id>"`.
    pub id: ServerId,
    /// How far the operator trusts it, 0 to 100.
    pub trust: i64,
    /// Its `Zone` parent.
    pub zone: Option<String>,
    /// Whether all its definitions are pinned.
    pub pinned: bool,
    /// How it is reached: `stdio`, `http`, ...
    pub transport: String,
    /// How it is confined: `none`, ...
    pub confinement: String,
}

/// Everything a policy may name.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    /// The agents.
    pub agents: Vec<AgentShape>,
    /// The servers.
    pub servers: Vec<ServerShape>,
    /// The tools, as described and pinned.
    pub tools: Vec<Arc<ToolDescription>>,
    /// Groups `@approvers` may name.
    pub approver_groups: Vec<String>,
    /// People `@approvers` and `User::"..."` may name.
    pub users: Vec<String>,
}

/// What came out of compiling.
#[derive(Debug)]
pub struct Compilation {
    /// The compiled rules; `None` exactly when a diagnostic is an error.
    pub bundle: Option<Bundle>,
    /// Everything worth saying, in order of file and line.
    pub diagnostics: Vec<Diagnostic>,
}
