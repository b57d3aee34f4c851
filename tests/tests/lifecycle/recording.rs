//! A project with one server that keeps what it receives, and whose tools do more or less harm.

use harness::Project;
use harness::real::{AGENT, RealServer, write};
use serde_json::Value;
use std::fs;

const TOOLS: &str = "[tools.look]\neffect = \"read\"\nLABEL[tools.put]\neffect = \"reversible_write\"\nLABEL\
                     [tools.wipe]\neffect = \"irreversible_write\"\nLABEL[tools.own]\neffect = \"read\"\nLABEL";
const LABEL: &str = "label = { integrity = \"system\", confidentiality = \"public\" }\n";

/// The project, with more lines in `mortise.toml` and in the agent's file.
pub fn project(settings: &str, agent: &str) -> Project {
    with_tools(settings, agent, &TOOLS.replace("LABEL", LABEL))
}

/// The same, with a line in the description of one tool.
pub fn with_line(tool: &str, line: &str) -> Project {
    let head = format!("[tools.{tool}]\n");
    with_tools("", "", &TOOLS.replace("LABEL", LABEL).replace(&head, &format!("{head}{line}\n")))
}

fn with_tools(settings: &str, agent: &str, tools: &str) -> Project {
    let project = Project::empty();
    let mut server = RealServer::fixture("rec", "recording_server.py");
    tools.clone_into(&mut server.more);
    write(&project, &[server], &[]);
    project.write("mortise.toml", &format!("[project]\nname = \"recording\"\n[approvers.ada]\n{settings}"));
    let file = format!("mortise/agents/{AGENT}.toml");
    project.write(&file, &format!("{}{agent}", project.read(&file)));
    project.ok(&["lock"]);
    project.ok(&["check"]);
    fs::remove_file(project.root().join("received.ndjson")).expect("what `lock` asked the server");
    project
}

/// The arguments of the calls the server received, by tool.
pub fn received(project: &Project) -> Vec<(String, Value)> {
    let text = fs::read_to_string(project.root().join("received.ndjson")).unwrap_or_default();
    let frames = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a frame"));
    let calls = frames.filter(|frame| frame["method"] == "tools/call");
    calls
        .map(|call| (call["params"]["name"].as_str().expect("a name").to_owned(), call["params"]["arguments"].clone()))
        .collect()
}

/// How often the server was called.
pub fn calls(project: &Project, tool: &str) -> usize {
    received(project).iter().filter(|(name, _)| name == tool).count()
}
