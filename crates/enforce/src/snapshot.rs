//! One configuration in force: inventory, schemas and policy bundle, replaced as a whole.

use crate::validate::Schema;
use foldhash::HashMap;
use govern::inventory::Inventory;
use govern::project::{Agent, Project};
use govern::protected::Protected;
use policy::Bundle;
use std::sync::Arc;
use vocab::id::{AgentId, Digest, ServerId, ToolName};
use vocab::{Label, Operation, Target, ToolDescription};

/// A tool with its schemas, compiled at their first use.
pub struct ToolEntry {
    /// As declared and pinned.
    pub description: Arc<ToolDescription>,
    /// Its input schema.
    pub input: Schema,
    /// Its output schema, when pinned.
    pub output: Option<Schema>,
}

/// What is in force. Built outside the data path, swapped atomically.
pub struct Snapshot {
    /// The parsed configuration.
    pub project: Arc<Project>,
    /// The outer bound of every agent.
    pub inventory: Inventory,
    /// The compiled policies, or a bundle that denies everything with the reason.
    pub bundle: Arc<Bundle>,
    /// Mortise's own files.
    pub protected: Protected,
    /// Running with `--dev`.
    pub dev: bool,
    tools: HashMap<ServerId, HashMap<ToolName, Arc<ToolEntry>>>,
}

impl Snapshot {
    /// Takes everything as given; a schema is compiled when the first value is checked against it.
    #[must_use]
    pub fn new(project: Arc<Project>, bundle: Arc<Bundle>, protected: Protected, dev: bool) -> Self {
        let mut tools: HashMap<ServerId, HashMap<ToolName, Arc<ToolEntry>>> = HashMap::default();
        for description in project.tools() {
            let (server, name) = (description.server.clone(), description.name.clone());
            let entry = ToolEntry {
                input: Schema::new(Arc::clone(&description.input_schema)),
                output: description.output_schema.clone().map(Schema::new),
                description,
            };
            tools.entry(server).or_default().insert(name, Arc::new(entry));
        }
        Self { inventory: Inventory::of(&project), project, bundle, protected, dev, tools }
    }

    /// The tool a target names, if it is pinned.
    #[must_use]
    pub fn tool(&self, target: &Target) -> Option<&Arc<ToolEntry>> {
        match &target.operation {
            Operation::Tool(name) => self.tools.get(&target.server)?.get(name),
            _ => None,
        }
    }

    /// Whether the agent is in the inventory.
    #[must_use]
    pub fn knows_agent(&self, agent: &AgentId) -> bool {
        self.project.agents.contains_key(agent)
    }

    /// The agent's file.
    #[must_use]
    pub fn agent(&self, agent: &AgentId) -> Option<&Agent> {
        self.project.agents.get(agent)
    }

    /// How often the tool may be called per minute in one session: the stricter of the agent's and the tool's file.
    #[must_use]
    pub fn tool_limit(&self, agent: &AgentId, target: &Target) -> Option<u32> {
        let entry = self.inventory.allows(agent, target).ok()?;
        match (entry.calls_per_minute, entry.session_calls_per_minute) {
            (Some(agent), Some(session)) => Some(agent.min(session)),
            (agent, session) => agent.or(session),
        }
    }

    /// The label of what an operation returns. Undeclared: third-party and private.
    #[must_use]
    pub fn label(&self, target: &Target) -> Label {
        let server = self.project.servers.get(&target.server);
        match target.operation {
            Operation::Tool(_) => self.tool(target).map_or_else(Label::default, |tool| tool.description.label),
            Operation::ReadResource => server.map_or_else(Label::default, |server| server.resources),
            Operation::GetPrompt => server.map_or_else(Label::default, |server| server.prompts),
            Operation::Sampling | Operation::Elicitation | Operation::Roots => Label::default(),
        }
    }

    /// Digest of the whole configuration.
    #[must_use]
    pub fn revision(&self) -> &Digest {
        &self.project.revision
    }
}
