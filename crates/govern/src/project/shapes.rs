//! What other crates are told about a project.

use super::Project;
use super::agent::Agent;
use super::files::{Files, Part};
use super::server::{Access, Server};
use crate::lock::Pinned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use vocab::ToolDescription;
use vocab::id::{ToolName, UserId};

/// The policy files as the compiler takes them.
pub(crate) fn sources(files: &Files) -> Vec<policy::Source> {
    files.of(Part::Policy).map(|(file, text)| policy::Source { file: file.into(), text: text.into() }).collect()
}

impl Project {
    /// Everything a policy may name. No attestation of evaluations is read yet, so none has passed.
    #[must_use]
    pub fn shapes(&self) -> policy::Shapes {
        let groups: BTreeSet<&String> = self.settings.approvers.values().flatten().collect();
        let people = self.settings.approvers.keys().chain(self.agents.values().filter_map(|agent| agent.user.as_ref()));
        let people: BTreeSet<&UserId> = people.collect();
        policy::Shapes {
            agents: self.agents.values().map(agent_shape).collect(),
            servers: self.servers.values().map(|server| self.server_shape(server)).collect(),
            tools: self.tools(),
            approver_groups: groups.into_iter().cloned().collect(),
            users: people.into_iter().map(UserId::to_string).collect(),
        }
    }

    fn server_shape(&self, server: &Server) -> policy::ServerShape {
        let transport = match server.access {
            Access::Start(_) => "stdio",
            Access::Reach(_) => "http",
        };
        policy::ServerShape {
            id: server.id.clone(),
            trust: i64::from(server.trust),
            zone: server.zone.clone(),
            pinned: self.lock.servers.contains_key(&server.id),
            transport: transport.to_owned(),
            confinement: "none".to_owned(),
        }
    }

    /// Every tool that is pinned and whose server is in the inventory.
    #[must_use]
    pub fn tools(&self) -> Vec<Arc<ToolDescription>> {
        let servers = self.servers.values().filter_map(|server| Some((server, self.lock.servers.get(&server.id)?)));
        servers
            .flat_map(|(server, pinned)| {
                pinned.tools.iter().map(|(name, tool)| Arc::new(described(server, name, tool)))
            })
            .collect()
    }
}

fn agent_shape(agent: &Agent) -> policy::AgentShape {
    policy::AgentShape {
        id: agent.id.clone(),
        owner: agent.owner.clone(),
        tier: agent.tier,
        env: agent.env.clone(),
        model: agent.model.clone().unwrap_or_default(),
        model_version: agent.model_version.clone().unwrap_or_default(),
        classes: agent.classes.iter().cloned().collect(),
        team: agent.team.clone(),
        eval_passed: false,
        mode: agent.mode,
    }
}

fn described(server: &Server, name: &ToolName, pinned: &Pinned) -> ToolDescription {
    let declared = server.tools.get(name).cloned().unwrap_or_default();
    // A schema of `null` allows nothing; the lock has refused definitions without one.
    let schema = |key: &str| pinned.definition.get(key).cloned();
    ToolDescription {
        server: server.id.clone(),
        name: name.clone(),
        effect: declared.effect,
        input_schema: Arc::new(schema("inputSchema").unwrap_or(Value::Bool(false))),
        output_schema: schema("outputSchema").map(Arc::new),
        definition: pinned.digest.clone(),
        arguments: declared.arguments,
        label: declared.label,
        dry_run: declared.dry_run,
    }
}
