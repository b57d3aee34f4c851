//! A suite after reading: nothing in it can be malformed any more.

use super::facts::Stated;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use vocab::id::{AgentId, RuleId};
use vocab::{Diagnostic, Place, Target, Verdict};

/// Cases about one agent, from one file.
#[derive(Debug)]
pub struct Suite {
    /// What it is about.
    pub name: Arc<str>,
    /// The file, relative to the project.
    pub file: Arc<str>,
    /// Who calls.
    pub agent: Located<AgentId>,
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// One call, and what must become of it.
#[derive(Debug)]
pub struct Case {
    /// What must hold; unique in the suite.
    pub name: String,
    /// What kind of promise it is.
    pub kind: Kind,
    /// What is called.
    pub target: Located<Target>,
    /// The arguments, a JSON object.
    pub arguments: Value,
    /// What is known beside them.
    pub stated: Stated,
    /// The verdict.
    pub expect: Verdict,
    /// A rule that must have spoken.
    pub rule: Option<Located<RuleId>>,
    /// A rule that must not have spoken.
    pub not_rule: Option<Located<RuleId>>,
    /// Exactly the redactions obliged to, with their method.
    pub redact: Option<BTreeSet<String>>,
    /// What a failure means.
    pub severity: Severity,
    /// Where it is written.
    pub place: Place,
}

/// What kind of promise a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Kind {
    /// Harm is kept out.
    Safety,
    /// The agent can do its job.
    Correctness,
    /// Data stays where it belongs.
    Privacy,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Safety, Self::Correctness, Self::Privacy];

    /// The word in suites and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Correctness => "correctness",
            Self::Privacy => "privacy",
        }
    }
}

/// What a failure of a case means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Severity {
    /// The run fails.
    #[default]
    Blocking,
    /// It is said; the run fails with `--strict`.
    Advisory,
}

/// A value with its place in the file, for complaints that only the project can raise.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Byte range, when known.
    pub span: Option<(usize, usize)>,
}

impl<T> Located<T> {
    /// A complaint about the value.
    #[must_use]
    pub fn complain(&self, complaint: Diagnostic) -> Diagnostic {
        Diagnostic { line: self.line, column: self.column, span: self.span, ..complaint }
    }
}
