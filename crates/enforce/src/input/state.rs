//! What was known beside the call: counters, labels, declared limits.

use policy::{Facts, Findings, Targets};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::{ApprovalId, Digest, RuleId};
use vocab::{Confidentiality, Discharge, Integrity, Mode, Origin, Tier};

/// Greatest count that is written: a JSON number that every reader holds exactly.
const MAX_COUNT: i64 = (1 << 53) - 1;

/// What was known of session and agent. Our own words and numbers: nothing in it comes out of an argument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Seconds since the epoch.
    pub now_s: i64,
    /// Calls of the session before this one.
    pub calls: i64,
    /// Refusals of the session.
    pub denials: i64,
    /// Money spent by the session, in millionths of a US dollar.
    pub cost_microusd: i64,
    /// Other calls of the session under way.
    pub in_flight: i64,
    /// Calls of the agent in the last minute.
    pub calls_1m: i64,
    /// Calls of this tool in the last minute.
    pub tool_calls_1m: i64,
    /// Failed validations of this tool's arguments in a row.
    pub validation_failures: i64,
    /// Declared limit to `calls_1m`; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_limit_1m: Option<i64>,
    /// Declared limit to `tool_calls_1m`; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_limit_1m: Option<i64>,
    /// How far the agent's rules bind.
    pub mode: Mode,
    /// The agent's tier; absent for an agent that is in no inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Whether the agent counted as uncertain.
    pub uncertain: bool,
    /// Whether the user's request came from somewhere the agent cannot write.
    pub request_attested: bool,
    /// Worst integrity of what the session has seen.
    pub integrity: Integrity,
    /// Confidentialities of what the session has seen.
    pub confidentiality: BTreeSet<Confidentiality>,
    /// The servers that what the session has seen came from; `*` when there were too many.
    pub sources: BTreeSet<String>,
}

/// What of a decision's facts stands in its record, in the member `facts` of `detail`: enough to decide again where no
/// rule looks at arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedFacts {
    /// What was known of session and agent.
    pub state: State,
    /// Whether policies saw less of the arguments than there was.
    pub unrepresentable: bool,
}

/// What was made out about the arguments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Derived {
    /// Where the call ends up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Where each argument's value comes from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, BTreeSet<Origin>>,
    /// Hosts aimed at.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub hosts: BTreeSet<String>,
    /// Paths aimed at.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub paths: BTreeSet<String>,
    /// Classes of SQL statements.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub sql_classes: BTreeSet<String>,
    /// Programs that a shell line would start.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub commands: BTreeSet<String>,
    /// Worst severity of what the detectors saw; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
    /// Kinds of what the detectors saw.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<String>,
}

/// A verified record that removes one ask-guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DischargedThen {
    /// The guard.
    pub rule: RuleId,
    /// Digest of its text when it was approved.
    pub text: Digest,
    /// The approval or grant.
    pub by: ApprovalId,
}

impl RecordedFacts {
    /// The member of `detail` it stands in.
    pub const MEMBER: &str = "facts";
}

impl State {
    pub(crate) fn of(facts: &Facts, validation_failures: u64, tier: Option<Tier>) -> Self {
        let count = |count: i64| count.clamp(-MAX_COUNT, MAX_COUNT);
        let limit = |limit: i64| (limit != i64::MAX).then_some(count(limit));
        Self {
            now_s: count(facts.now_s),
            calls: count(facts.calls),
            denials: count(facts.denials),
            cost_microusd: count(facts.cost_microusd),
            in_flight: count(facts.in_flight),
            calls_1m: count(facts.calls_1m),
            tool_calls_1m: count(facts.tool_calls_1m),
            validation_failures: count(i64::try_from(validation_failures).unwrap_or(i64::MAX)),
            agent_limit_1m: limit(facts.agent_limit_1m),
            tool_limit_1m: limit(facts.tool_limit_1m),
            mode: facts.mode,
            tier,
            uncertain: facts.uncertain,
            request_attested: facts.request_attested,
            integrity: facts.integrity,
            confidentiality: facts.confidentiality.clone(),
            sources: facts.sources.clone(),
        }
    }

    /// The facts of this, and nothing of the call itself.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            now_s: self.now_s,
            calls: self.calls,
            denials: self.denials,
            cost_microusd: self.cost_microusd,
            in_flight: self.in_flight,
            calls_1m: self.calls_1m,
            tool_calls_1m: self.tool_calls_1m,
            agent_limit_1m: self.agent_limit_1m.unwrap_or(i64::MAX),
            tool_limit_1m: self.tool_limit_1m.unwrap_or(i64::MAX),
            mode: self.mode,
            uncertain: self.uncertain,
            request_attested: self.request_attested,
            integrity: self.integrity,
            confidentiality: self.confidentiality.clone(),
            sources: self.sources.clone(),
            ..Facts::default()
        }
    }
}

impl Derived {
    pub(super) fn of(facts: &Facts) -> Self {
        let Targets { hosts, paths, sql_classes, commands } = facts.targets.clone();
        let Findings { worst, kinds } = facts.findings.clone();
        Self {
            destination: facts.destination.clone(),
            origins: facts.origins.clone(),
            hosts,
            paths,
            sql_classes,
            commands,
            worst: (worst != Findings::default().worst).then_some(worst),
            kinds,
        }
    }

    pub(super) fn put_into(&self, facts: &mut Facts) {
        let Self { destination, origins, hosts, paths, sql_classes, commands, worst, kinds } = self.clone();
        facts.destination = destination;
        facts.origins = origins;
        facts.targets = Targets { hosts, paths, sql_classes, commands };
        facts.findings = Findings { worst: worst.unwrap_or_else(|| Findings::default().worst), kinds };
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn is_in_known_words(&self) -> bool {
        self.worst.iter().all(|worst| policy::SEVERITIES.contains(&worst.as_str()))
            && self.kinds.iter().all(|kind| policy::FINDING_KINDS.contains(&kind.as_str()))
    }
}

impl DischargedThen {
    pub(super) fn of(discharge: &Discharge) -> Self {
        let Discharge { rule, text, by } = discharge.clone();
        Self { rule, text, by }
    }

    pub(super) fn discharge(&self) -> Discharge {
        let Self { rule, text, by } = self.clone();
        Discharge { rule, text, by }
    }
}
