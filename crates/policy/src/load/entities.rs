//! Names of agents, teams, servers, zones and people: Cedar checks their types, not whether they exist.

use super::nearest::nearest;
use super::parse::Parsed;
use crate::schema::{Actions, groups};
use crate::shapes::Shapes;
use std::collections::{BTreeMap, BTreeSet};
use vocab::Diagnostic;

/// What a policy may name, by entity type.
pub(crate) struct Inventory(BTreeMap<&'static str, BTreeSet<String>>);

impl Inventory {
    /// Collects the names.
    pub(crate) fn new(shapes: &Shapes, actions: &Actions) -> Self {
        let agents = &shapes.agents;
        Self(BTreeMap::from([
            ("Agent", agents.iter().map(|agent| agent.id.to_string()).collect()),
            ("Team", agents.iter().filter_map(|agent| agent.team.clone()).collect()),
            ("AgentClass", agents.iter().flat_map(|agent| agent.classes.clone()).collect()),
            ("Server", shapes.servers.iter().map(|server| server.id.to_string()).collect()),
            ("Zone", shapes.servers.iter().filter_map(|server| server.zone.clone()).collect()),
            ("User", shapes.users.iter().cloned().collect()),
            ("Action", actions.keys().map(ToString::to_string).chain(groups().map(str::to_owned)).collect()),
        ]))
    }
}

/// Reports names that nothing has.
pub(crate) fn check_entities(parsed: &Parsed, inventory: &Inventory, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    for literal in parsed.policy.entity_literals() {
        let kind = literal.type_name().to_string();
        let id = literal.id().unescaped();
        let Some(known) = inventory.0.get(kind.as_str()) else {
            continue;
        };
        if known.contains(id) || !seen.insert(literal.clone()) {
            continue;
        }
        let word = match kind.as_str() {
            "Agent" => "agent",
            "Team" => "team",
            "AgentClass" => "agent class",
            "Server" => "server",
            "Zone" => "zone",
            "User" => "person",
            _ => "tool",
        };
        let text = literal.to_string();
        let span = parsed.snippet().find(&text).map(|at| (parsed.span.0 + at, parsed.span.0 + at + text.len()));
        let error =
            Diagnostic::error("policy/unknown-name", &*parsed.file, format!("`{id}` is no {word} of this project"));
        let candidates = nearest(id, known.iter().map(String::as_str));
        let help = match known.len() {
            0 => format!("no {word} is declared"),
            1..=8 => format!("there are {}", known.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")),
            number => format!("{number} are declared; none has this name"),
        };
        diagnostics
            .push(error.at(&parsed.source, span.unwrap_or(parsed.span)).with_candidates(candidates).with_help(help));
    }
}
