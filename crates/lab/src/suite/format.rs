//! The file as it is written. Field documentation here is what editors show, by way of the JSON Schema.
//!
//! Unknown keys are errors; nothing is tagged, untagged or flattened, because errors would then lose their place.

use super::arguments::Arguments;
use super::case::{Kind, Severity};
use super::schema as words;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use vocab::{Authn, Confidentiality, Integrity, Mode, Origin, Verdict};

/// Cases about one agent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Mortise test suite")]
pub(super) struct SuiteFile {
    /// What the suite is about, in a few words.
    #[schemars(with = "String")]
    pub suite: Spanned<String>,
    /// The agent that makes the calls: the name of a file in `mortise/agents/`.
    #[schemars(with = "String")]
    pub agent: Spanned<String>,
    /// The cases, run in this order.
    #[schemars(with = "Vec<CaseEntry>", length(max = 10_000))]
    pub cases: Vec<Spanned<CaseEntry>>,
}

/// One call, and what must become of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Case")]
pub(super) struct CaseEntry {
    /// What must hold, as a sentence; unique in the suite.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What kind of promise this is. Agents of tier high and critical need a case of each kind.
    pub kind: Kind,
    /// What is called: `server/tool`, or `server#resources/read`, `#prompts/get`, `#sampling`, `#elicitation`, `#roots`.
    #[schemars(with = "String")]
    pub call: Spanned<String>,
    /// The arguments.
    #[serde(default)]
    pub args: Arguments,
    /// What is known beside the arguments; whatever is left out is a fresh session of an agent that behaves.
    #[serde(default)]
    pub facts: FactsEntry,
    /// The verdict.
    #[schemars(schema_with = "words::verdicts")]
    pub expect: Verdict,
    /// A rule that must be among those that spoke.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub rule: Option<Spanned<String>>,
    /// A rule that must not be among those that spoke.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub not_rule: Option<Spanned<String>>,
    /// Exactly the redactions the answer obliges to: `args.body:mask`, `result.items[].email:pseudonymise`.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub redact: Option<Vec<Spanned<String>>>,
    /// Whether a failure blocks, or is only said (and fails with `--strict`).
    #[serde(default)]
    pub severity: Severity,
}

/// What is known beside the arguments.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Facts")]
pub(super) struct FactsEntry {
    /// What the session has seen so far.
    #[serde(default)]
    pub labels: LabelsEntry,
    /// What the session has done so far.
    #[serde(default)]
    pub session: SessionEntry,
    /// How sure the agent says it is, in percent. Below the project's limit it counts as uncertain.
    #[serde(default)]
    #[schemars(with = "Option<u64>", range(max = 100))]
    pub confidence: Option<Spanned<u64>>,
    /// Whether the agent counts as uncertain, whatever it says.
    #[serde(default)]
    pub uncertain: Option<bool>,
    /// Why, in the agent's words.
    #[serde(default)]
    pub purpose: Option<String>,
    /// Seconds since the epoch; 0 when left out.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub now: Option<u64>,
    /// The person at the end of the chain; by default the `user` of the agent's file.
    #[serde(default)]
    pub on_behalf_of: Option<String>,
    /// Agents between the caller and the person.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub chain_depth: Option<u32>,
    /// Where the call ends up, when that is known beside the arguments.
    #[serde(default)]
    pub destination: Option<String>,
    /// Whether the user's request came from somewhere the agent cannot write.
    #[serde(default)]
    pub request_attested: Option<bool>,
    /// How the agent proved who it is.
    #[serde(default)]
    #[schemars(schema_with = "words::authns")]
    pub authn: Option<Authn>,
    /// Where the value of each argument comes from.
    #[serde(default)]
    #[schemars(schema_with = "words::origins_by_argument")]
    pub origins: BTreeMap<String, BTreeSet<Origin>>,
    /// What the arguments aim at, in canonical form.
    #[serde(default)]
    pub targets: TargetsEntry,
    /// What the detectors saw.
    #[serde(default)]
    pub findings: Option<FindingsEntry>,
}

/// What the session has seen so far.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Labels")]
pub(super) struct LabelsEntry {
    /// Confidentialities of what was seen.
    #[serde(default)]
    #[schemars(schema_with = "words::confidentialities")]
    pub confidentiality: BTreeSet<Confidentiality>,
    /// The worst integrity of what was seen.
    #[serde(default)]
    #[schemars(schema_with = "words::integrities")]
    pub integrity: Option<Integrity>,
    /// Servers it came from.
    #[serde(default)]
    pub sources: BTreeSet<String>,
}

/// What the session has done so far.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Session")]
pub(super) struct SessionEntry {
    /// Calls.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub calls: Option<u32>,
    /// Refusals.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub denials: Option<u32>,
    /// Money spent, in millionths of a US dollar.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub cost_microusd: Option<u32>,
    /// Calls under way.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub in_flight: Option<u32>,
    /// Calls of the agent in the last minute.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub calls_1m: Option<u32>,
    /// Calls of the tool in the last minute.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub tool_calls_1m: Option<u32>,
    /// Limit to `calls_1m`; by default the one of the agent's file.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub agent_limit_1m: Option<u32>,
    /// Limit to `tool_calls_1m`; by default the stricter of the agent's and the tool's file.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub tool_limit_1m: Option<u32>,
    /// How far rules bind; the stricter of this and the agent's own mode holds.
    #[serde(default)]
    #[schemars(schema_with = "words::modes")]
    pub mode: Option<Mode>,
}

/// What the arguments aim at.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Targets")]
pub(super) struct TargetsEntry {
    /// Hosts.
    #[serde(default)]
    pub hosts: BTreeSet<String>,
    /// Normalised paths.
    #[serde(default)]
    pub paths: BTreeSet<String>,
    /// Classes of SQL statements.
    #[serde(default)]
    pub sql_classes: BTreeSet<String>,
    /// Programs a shell line would start.
    #[serde(default)]
    pub commands: BTreeSet<String>,
}

/// What the detectors saw.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Findings")]
pub(super) struct FindingsEntry {
    /// The worst severity.
    #[schemars(with = "String", extend("enum" = policy::SEVERITIES))]
    pub worst: Spanned<String>,
    /// The kinds.
    #[serde(default)]
    #[schemars(schema_with = "words::finding_kinds")]
    pub kinds: Vec<Spanned<String>>,
}
