//! Which kinds of promise an agent's suites leave out.

use crate::suite::{Kind, Suite};
use govern::project::Project;
use std::collections::BTreeSet;
use vocab::{Diagnostic, Severity, Tier};

/// Agents without a safety, a correctness or a privacy case: a warning in tiers high and critical, a remark below.
#[must_use]
pub fn missing_kinds(project: &Project, suites: &[Suite]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for agent in project.agents.values() {
        let own = suites.iter().filter(|suite| suite.agent.value == agent.id);
        let present: BTreeSet<Kind> = own.flat_map(|suite| &suite.cases).map(|case| case.kind).collect();
        let missing: Vec<&str> =
            Kind::ALL.into_iter().filter(|kind| !present.contains(kind)).map(Kind::as_str).collect();
        if missing.is_empty() {
            continue;
        }
        let file = format!("mortise/agents/{}.toml", agent.id);
        let message =
            format!("agent `{}` (tier {}) has no {} case", agent.id, agent.tier.as_str(), missing.join(", no "));
        let severity = match agent.tier {
            Tier::Critical | Tier::High => Severity::Warning,
            Tier::Medium | Tier::Low => Severity::Info,
        };
        let complaint = Diagnostic { severity, ..Diagnostic::warning("tests/missing-kind", file, message) };
        found.push(complaint.with_help(format!("add a suite with `agent: {}` to `mortise/tests/`", agent.id)));
    }
    found
}
