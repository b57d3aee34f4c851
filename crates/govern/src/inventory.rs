//! The outer bound: what each agent may use at all, whatever the policies permit.
//!
//! A lookup is one hash and one comparison. A tool that does not exist and one that was not declared give the same
//! answer, so that a refusal tells an agent nothing about what else there is.

use crate::project::{Agent, Project, ToolPattern};
use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vocab::id::{AgentId, RuleId, ServerId, ToolName};
use vocab::{Operation, Target, ToolDescription};

/// What every agent may use.
#[derive(Debug, Default)]
pub struct Inventory {
    agents: HashMap<AgentId, Privileges>,
}

#[derive(Debug, Default)]
struct Privileges {
    entries: HashMap<Target, ToolEntry>,
    prompts: HashMap<ServerId, BTreeSet<String>>,
    models: BTreeSet<String>,
    may_request: HashMap<Target, Arc<ToolDescription>>,
    calls_per_minute: Option<u32>,
}

/// Something an agent may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolEntry {
    /// The tool as described and pinned; `None` for operations that are no tool.
    pub tool: Option<Arc<ToolDescription>>,
    /// How often this agent may call it, per minute.
    pub calls_per_minute: Option<u32>,
    /// How often all agents of a session may call it, per minute.
    pub session_calls_per_minute: Option<u32>,
}

/// The agent does not have it, or there is no such agent, tool, server or operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undeclared {
    agent: AgentId,
}

impl Undeclared {
    /// The built-in rule that refuses: `inventory/<agent>`.
    #[must_use]
    pub fn rule(&self) -> RuleId {
        RuleId::new(format!("inventory/{}", self.agent))
    }
}

impl Inventory {
    /// The inventory of a project. Wildcards are resolved against what is pinned now.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        let tools: BTreeMap<(ServerId, ToolName), Arc<ToolDescription>> =
            project.tools().into_iter().map(|tool| ((tool.server.clone(), tool.name.clone()), tool)).collect();
        let building = Building { project, tools };
        Self { agents: project.agents.values().map(|agent| (agent.id.clone(), building.privileges(agent))).collect() }
    }

    /// Whether the agent is known.
    #[must_use]
    pub fn knows(&self, agent: &AgentId) -> bool {
        self.agents.contains_key(agent)
    }

    /// Whether an agent may use something at all. For `prompts/get` see also [`Inventory::allows_prompt`].
    ///
    /// # Errors
    /// When it may not, for whichever reason.
    pub fn allows(&self, agent: &AgentId, target: &Target) -> Result<&ToolEntry, Undeclared> {
        self.agents
            .get(agent)
            .and_then(|privileges| privileges.entries.get(target))
            .ok_or_else(|| Undeclared { agent: agent.clone() })
    }

    /// Whether an agent may get one prompt of a server.
    ///
    /// # Errors
    /// When it may not, for whichever reason.
    pub fn allows_prompt(&self, agent: &AgentId, server: &ServerId, prompt: &str) -> Result<&ToolEntry, Undeclared> {
        let target = Target { server: server.clone(), operation: Operation::GetPrompt };
        let entry = self.allows(agent, &target)?;
        let prompts = self.agents.get(agent).and_then(|privileges| privileges.prompts.get(server));
        match prompts.is_some_and(|prompts| prompts.contains(prompt)) {
            true => Ok(entry),
            false => Err(Undeclared { agent: agent.clone() }),
        }
    }

    /// Whether an agent may use a model.
    ///
    /// # Errors
    /// When it may not, for whichever reason.
    pub fn allows_model(&self, agent: &AgentId, model: &str) -> Result<(), Undeclared> {
        let declared = self.agents.get(agent).is_some_and(|privileges| privileges.models.contains(model));
        if declared { Ok(()) } else { Err(Undeclared { agent: agent.clone() }) }
    }

    /// The tool, when the agent does not have it but may ask for it.
    #[must_use]
    pub fn may_request(&self, agent: &AgentId, target: &Target) -> Option<&Arc<ToolDescription>> {
        self.agents.get(agent)?.may_request.get(target)
    }

    /// The tools of one server an agent may use: what it is shown. In no order.
    pub fn tools<'a>(
        &'a self,
        agent: &AgentId,
        server: &'a ServerId,
    ) -> impl Iterator<Item = &'a Arc<ToolDescription>> {
        let entries = self.agents.get(agent).into_iter().flat_map(|privileges| privileges.entries.values());
        entries.filter_map(|entry| entry.tool.as_ref()).filter(move |tool| tool.server == *server)
    }

    /// The prompts of one server an agent may get.
    pub fn prompts(&self, agent: &AgentId, server: &ServerId) -> impl Iterator<Item = &str> {
        let prompts = self.agents.get(agent).and_then(|privileges| privileges.prompts.get(server));
        prompts.into_iter().flatten().map(String::as_str)
    }

    /// How many calls an agent may make in a minute, over all tools.
    #[must_use]
    pub fn calls_per_minute(&self, agent: &AgentId) -> Option<u32> {
        self.agents.get(agent)?.calls_per_minute
    }
}

struct Building<'a> {
    project: &'a Project,
    tools: BTreeMap<(ServerId, ToolName), Arc<ToolDescription>>,
}

impl Building<'_> {
    fn privileges(&self, agent: &Agent) -> Privileges {
        let mut built = Privileges {
            calls_per_minute: agent.limits.calls_per_minute,
            models: agent.privileges.models.clone(),
            ..Privileges::default()
        };
        for tool in agent.privileges.tools.iter().flat_map(|pattern| self.matching(pattern)) {
            built.entries.insert(target(tool), self.entry(agent, tool));
        }
        for tool in agent.may_request.iter().filter_map(|r| self.tools.get(&(r.server.clone(), r.tool.clone()))) {
            if !built.entries.contains_key(&target(tool)) {
                built.may_request.insert(target(tool), Arc::clone(tool));
            }
        }
        let mut operation = |server: &ServerId, operation: Operation| {
            built.entries.insert(Target { server: server.clone(), operation }, ToolEntry::default());
        };
        for server in &agent.privileges.resources {
            operation(server, Operation::ReadResource);
        }
        for (server, request) in &agent.privileges.client_requests {
            operation(server, request.operation());
        }
        for prompt in &agent.privileges.prompts {
            operation(&prompt.server, Operation::GetPrompt);
            built.prompts.entry(prompt.server.clone()).or_default().insert(prompt.tool.to_string());
        }
        built
    }

    fn matching<'a>(&'a self, pattern: &'a ToolPattern) -> impl Iterator<Item = &'a Arc<ToolDescription>> {
        self.tools.values().filter(move |tool| match pattern {
            ToolPattern::One(one) => one.is(&tool.server, tool.name.as_str()),
            ToolPattern::All(server) => *server == tool.server,
        })
    }

    fn entry(&self, agent: &Agent, tool: &Arc<ToolDescription>) -> ToolEntry {
        let own = agent.limits.tools.iter().find(|(of, _)| of.is(&tool.server, tool.name.as_str()));
        let declared = self.project.servers.get(&tool.server).and_then(|server| server.tools.get(&tool.name));
        ToolEntry {
            tool: Some(Arc::clone(tool)),
            calls_per_minute: own.map(|(_, calls)| *calls),
            session_calls_per_minute: declared.and_then(|declared| declared.calls_per_minute),
        }
    }
}

fn target(tool: &ToolDescription) -> Target {
    Target { server: tool.server.clone(), operation: Operation::Tool(tool.name.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::{AGENT, SERVER, put, sample};

    fn inventory(agent: &str) -> Inventory {
        let mut files = sample();
        put(&mut files, "mortise/agents/bot.toml", agent);
        put(&mut files, "mortise/tools/desk.toml", &format!("{SERVER}[tools.close]\ncalls_per_minute = 7\n"));
        Inventory::of(&Project::parse(&files).unwrap())
    }

    fn tool(server: &str, name: &str) -> Target {
        Target { server: ServerId::new(server), operation: Operation::Tool(ToolName::new(name)) }
    }

    fn bot() -> AgentId {
        AgentId::new("bot")
    }

    #[test]
    fn declared_tools_and_nothing_else() {
        let inventory = inventory(&format!(
            "{AGENT}tools = [\"desk/close\"]\n[limits]\ncalls_per_minute = 9\n[limits.tools]\n\"desk/close\" = 5\n"
        ));
        let entry = inventory.allows(&bot(), &tool("desk", "close")).unwrap();
        assert_eq!((entry.calls_per_minute, entry.session_calls_per_minute), (Some(5), Some(7)));
        assert_eq!(entry.tool.as_ref().unwrap().action(), "desk/close");
        assert_eq!(inventory.calls_per_minute(&bot()), Some(9));
        assert_eq!(inventory.tools(&bot(), &ServerId::new("desk")).count(), 1);
        assert_eq!(inventory.tools(&bot(), &ServerId::new("shop")).count(), 0);
    }

    #[test]
    fn unknown_and_undeclared_are_one_answer() {
        let inventory = inventory(&format!("{AGENT}tools = [\"desk/close\"]\nmay_request = [\"desk/search\"]\n"));
        let answers: Vec<Undeclared> =
            [tool("desk", "search"), tool("desk", "try_close"), tool("desk", "nowhere"), tool("no", "close")]
                .iter()
                .map(|target| inventory.allows(&bot(), target).unwrap_err())
                .collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(answers[0].rule().as_str(), "inventory/bot");
        assert!(inventory.allows(&AgentId::new("eve"), &tool("desk", "close")).is_err());
        assert!(inventory.may_request(&bot(), &tool("desk", "search")).is_some());
        assert!(inventory.may_request(&bot(), &tool("desk", "close")).is_none());
        assert!(inventory.may_request(&bot(), &tool("desk", "try_close")).is_none());
        assert!(inventory.knows(&bot()) && !inventory.knows(&AgentId::new("eve")));
    }

    #[test]
    fn wildcards_mean_what_is_pinned() {
        let low = AGENT.replace("high", "low");
        let inventory = inventory(&format!("{low}tools = [\"desk/*\"]\n"));
        assert_eq!(inventory.tools(&bot(), &ServerId::new("desk")).count(), 3);
        assert!(inventory.allows(&bot(), &tool("desk", "*")).is_err());
    }

    #[test]
    fn other_operations_are_declared_one_by_one() {
        let inventory = inventory(&format!(
            "{AGENT}resources = [\"desk\"]\nprompts = [\"desk/hi\"]\nclient_requests = [\"desk#roots\"]\nmodels = [\"a/b\"]\n"
        ));
        let allowed: Vec<bool> = Operation::FIXED
            .into_iter()
            .map(|operation| inventory.allows(&bot(), &Target { server: ServerId::new("desk"), operation }).is_ok())
            .collect();
        // resources, prompts, sampling, elicitation, roots
        assert_eq!(allowed, [true, true, false, false, true]);
        let desk = ServerId::new("desk");
        assert!(inventory.allows_prompt(&bot(), &desk, "hi").is_ok());
        assert_eq!(inventory.prompts(&bot(), &desk).collect::<Vec<_>>(), ["hi"]);
        assert_eq!(
            inventory.allows_prompt(&bot(), &desk, "ho"),
            inventory.allows_prompt(&bot(), &ServerId::new("no"), "hi")
        );
        assert!(inventory.allows_model(&bot(), "a/b").is_ok() && inventory.allows_model(&bot(), "a/c").is_err());
        assert!(inventory.allows(&bot(), &tool("desk", "close")).is_err());
    }
}
