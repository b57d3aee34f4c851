//! What one file says of another: names of agents, servers and tools.

use super::agent::{self, Agent};
use super::complaints::{Complaints, NOWHERE};
use super::files::{Files, LOCK, Part};
use super::reference::{ToolPattern, ToolRef};
use super::server::{self, Server};
use crate::lock::Lock;
use crate::names::{nearest, suggest};
use std::collections::BTreeMap;
use std::ops::Range;
use vocab::Diagnostic;
use vocab::id::{AgentId, ServerId, ToolName};

/// One file's meaning, with its text and the places in it that name something elsewhere.
pub(super) struct Read<'a, T, P> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) value: T,
    pub(super) places: P,
}

pub(super) type Agents<'a> = BTreeMap<AgentId, Read<'a, Agent, agent::Places>>;
pub(super) type Servers<'a> = BTreeMap<ServerId, Read<'a, Server, server::Places>>;

/// Adds what is wrong between files. Without a readable lock nothing is said about tools.
pub(super) fn check(
    files: &Files,
    agents: &Agents<'_>,
    servers: &Servers<'_>,
    lock: Option<&Lock>,
    found: &mut Vec<Diagnostic>,
) {
    // A file that does not read still names its server or agent: one mistake, one complaint.
    let server_names: Vec<&str> = files.of(Part::Server).map(|(file, _)| super::files::stem(file)).collect();
    let agent_names: Vec<&str> = files.of(Part::Agent).map(|(file, _)| super::files::stem(file)).collect();
    let names = Names { servers: &server_names, agents: &agent_names, lock };
    for agent in agents.values() {
        found.extend(names.check_agent(agent));
    }
    for server in servers.values() {
        if let Some(lock) = lock {
            found.extend(check_server(server, lock));
        }
    }
    found.extend(about_the_whole(files, &server_names, lock));
}

struct Names<'a> {
    servers: &'a [&'a str],
    agents: &'a [&'a str],
    lock: Option<&'a Lock>,
}

impl Names<'_> {
    fn check_agent(&self, read: &Read<'_, Agent, agent::Places>) -> Vec<Diagnostic> {
        let mut complaints = Complaints::about(read.file, read.text);
        for (pattern, span) in &read.places.tools {
            if self.check_server(pattern.server(), span, read.file, &mut complaints)
                && let ToolPattern::One(tool) = pattern
            {
                self.check_tool(tool, span, read.file, &mut complaints);
            }
        }
        for (server, span) in &read.places.servers {
            self.check_server(server, span, read.file, &mut complaints);
        }
        for (parent, span) in &read.places.parents {
            if !self.agents.contains(&parent.as_str()) {
                let message = format!("there is no agent `{parent}`");
                let complaint = Diagnostic::error("agent/unknown-parent", read.file, message);
                complaints.add(suggest(complaint, parent.as_str(), self.agents.iter().copied()), span.clone());
            }
        }
        complaints.into_found()
    }

    fn check_server(
        &self,
        server: &ServerId,
        span: &Range<usize>,
        file: &str,
        complaints: &mut Complaints<'_>,
    ) -> bool {
        let known = self.servers.contains(&server.as_str());
        if !known {
            let complaint = Diagnostic::error("agent/unknown-server", file, format!("there is no server `{server}`"));
            complaints.add(suggest(complaint, server.as_str(), self.servers.iter().copied()), span.clone());
        }
        known
    }

    fn check_tool(&self, tool: &ToolRef, span: &Range<usize>, file: &str, complaints: &mut Complaints<'_>) {
        let Some(pinned) = self.lock.and_then(|lock| lock.servers.get(&tool.server)) else {
            return;
        };
        if pinned.tools.contains_key(&tool.tool) {
            return;
        }
        let message = format!("the server `{}` has no tool `{}`", tool.server, tool.tool);
        let complaint = Diagnostic::error("agent/unknown-tool", file, message);
        let known: Vec<String> = pinned.tools.keys().map(|name| format!("{}/{name}", tool.server)).collect();
        complaints.add(suggest(complaint, &tool.to_string(), known.iter().map(String::as_str)), span.clone());
    }
}

fn check_server(read: &Read<'_, Server, server::Places>, lock: &Lock) -> Vec<Diagnostic> {
    let mut complaints = Complaints::about(read.file, read.text);
    let Some(pinned) = lock.servers.get(&read.value.id) else {
        let message = format!("the tools of `{}` are not pinned, so none can be called", read.value.id);
        let warning = Diagnostic::warning("lock/missing", read.file, message);
        complaints.add(warning.with_help("run `mortise lock`"), NOWHERE);
        return complaints.into_found();
    };
    let tools = || pinned.tools.keys().map(ToolName::as_str);
    for (tool, span) in &read.places.tools {
        if !pinned.tools.contains_key(tool) {
            let message = format!("the server `{}` has no tool `{tool}`", read.value.id);
            let warning = Diagnostic::warning("tool/unknown", read.file, message);
            complaints.add(suggest(warning, tool.as_str(), tools()), span.clone());
        }
    }
    for (twin, span) in &read.places.dry_runs {
        if !pinned.tools.contains_key(twin) {
            let message = format!("the server `{}` has no tool `{twin}` to run instead", read.value.id);
            let error = Diagnostic::error("tool/dry-run", read.file, message);
            complaints.add(suggest(error, twin.as_str(), tools()), span.clone());
        }
    }
    for (tool, argument, span) in &read.places.arguments {
        let schema = pinned.tools.get(tool).and_then(|tool| tool.definition.get("inputSchema"));
        let Some(known) = schema.and_then(|schema| schema.get("properties")).and_then(|p| p.as_object()) else {
            continue;
        };
        if !known.contains_key(argument) {
            let warning = Diagnostic::warning(
                "tool/unknown-argument",
                read.file,
                format!("the tool `{tool}` has no argument `{argument}`"),
            );
            complaints.add(suggest(warning, argument, known.keys().map(String::as_str)), span.clone());
        }
    }
    complaints.into_found()
}

fn about_the_whole(files: &Files, servers: &[&str], lock: Option<&Lock>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if files.of(Part::Agent).next().is_none() {
        let warning =
            Diagnostic::warning("project/no-agents", "mortise/agents", "there are no agents: nobody can call a tool");
        found.push(warning.with_help("write `mortise/agents/<agent>.toml`"));
    }
    if files.of(Part::Policy).next().is_none() {
        let warning = Diagnostic::warning(
            "project/no-policies",
            "mortise/policies",
            "there are no policies: every call is denied",
        );
        found.push(warning.with_help("write a permit rule in `mortise/policies/<name>.cedar`"));
    }
    for server in lock.iter().flat_map(|lock| lock.servers.keys()) {
        if !servers.contains(&server.as_str()) {
            let warning = Diagnostic::warning("lock/unused", LOCK, format!("there is no server `{server}` any more"));
            found.push(warning.with_help("run `mortise lock`"));
        }
    }
    found.extend(files.ignored.iter().map(|path| misplaced(path)));
    found
}

/// The folders Mortise reads, with the ending its files have there.
const FOLDERS: [(&str, &str); 7] = [
    ("agents", ".toml"),
    ("tools", ".toml"),
    ("policies", ".cedar"),
    ("grants", ".toml"),
    ("invariants", ".cedar"),
    ("tests", ".yaml"),
    ("redteam", ".yaml"),
];

fn misplaced(path: &str) -> Diagnostic {
    let warning = Diagnostic::warning("project/unknown-file", path, "Mortise does not read this file");
    let folder = path.split('/').nth(1).unwrap_or_default();
    match FOLDERS.iter().find(|(name, _)| *name == folder) {
        Some((name, ending)) => warning.with_help(format!("files of `mortise/{name}` end in `{ending}`")),
        None => warning.with_candidates(nearest(folder, FOLDERS.iter().map(|(name, _)| *name))),
    }
}
