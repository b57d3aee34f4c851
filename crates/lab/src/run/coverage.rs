//! Which rules a run made speak, and which kinds of promise it tried for each agent.

use crate::suite::Kind;
use enforce::Snapshot;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::{AgentId, RuleId};
use vocab::{Decision, Place};

/// What a run reached.
#[derive(Debug, Default, Serialize)]
pub struct Coverage {
    /// The project's own rules, in the order in which they are written.
    pub rules: Vec<RuleCoverage>,
    /// Kinds of cases that ran, by agent; agents without a case are listed with none.
    pub kinds: BTreeMap<AgentId, BTreeSet<Kind>>,
}

/// How often a rule spoke.
#[derive(Debug, Serialize)]
pub struct RuleCoverage {
    /// The rule.
    pub rule: RuleId,
    /// Where it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Cases in which it was satisfied, whether it bound or was only recorded.
    pub cases: u64,
}

impl Coverage {
    /// The rules that no case made speak.
    pub fn silent(&self) -> impl Iterator<Item = &RuleCoverage> {
        self.rules.iter().filter(|rule| rule.cases == 0)
    }
}

/// A coverage being counted.
pub(super) struct Counting {
    coverage: Coverage,
    by_id: BTreeMap<RuleId, usize>,
}

impl Counting {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let own = snapshot.bundle.rules().filter(|rule| !rule.shipped);
        let rules: Vec<RuleCoverage> =
            own.map(|rule| RuleCoverage { rule: rule.id.clone(), place: rule.place.clone(), cases: 0 }).collect();
        let by_id = rules.iter().enumerate().map(|(number, rule)| (rule.rule.clone(), number)).collect();
        let kinds = snapshot.project.agents.keys().map(|agent| (agent.clone(), BTreeSet::new())).collect();
        Self { coverage: Coverage { rules, kinds }, by_id }
    }

    pub(super) fn count(&mut self, agent: &AgentId, kind: Kind, decision: &Decision) {
        if let Some(kinds) = self.coverage.kinds.get_mut(agent) {
            kinds.insert(kind);
        }
        let reasons = decision.reasons.iter().map(|reason| &reason.rule);
        let would = decision.would.iter().map(|would| &would.rule);
        let spoke: BTreeSet<&RuleId> = reasons.chain(&decision.permits).chain(would).collect();
        for rule in spoke {
            let entry = self.by_id.get(rule).and_then(|&number| self.coverage.rules.get_mut(number));
            if let Some(entry) = entry {
                entry.cases += 1;
            }
        }
    }

    pub(super) fn finish(self) -> Coverage {
        self.coverage
    }
}
