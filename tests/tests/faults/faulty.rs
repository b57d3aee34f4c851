//! A project with one server that misbehaves on demand.

use harness::{Project, part, workspace};
use serde_json::Value;
use std::fs;

const TOOLS: [&str; 12] = [
    "echo",
    "strict",
    "silent",
    "twice",
    "garbage",
    "die",
    "flood",
    "huge",
    "duplicate",
    "mismatch",
    "environment",
    "family",
];

/// The project, with the server's tools pinned as they are when it behaves.
pub fn project() -> Project {
    with("")
}

/// The same, with more lines in `mortise.toml`.
pub fn with(settings: &str) -> Project {
    let project = Project::empty();
    let server = workspace().join("tests/fixtures/faulty_server.py");
    let python = part("python/bin/python");
    let mut tools = format!(
        "start_timeout_s = 20\ncall_timeout_s = 20\n[start]\ncommand = \"{}\"\nargs = [\"-B\", \"{}\"]\ncwd = \".\"\n\
         pass_env = [\"DECLARED\"]\nenv = {{ LITERAL = \"as written\" }}\n",
        python.display(),
        server.display()
    );
    for tool in TOOLS {
        tools += &format!(
            "[tools.{tool}]\neffect = \"read\"\nlabel = {{ integrity = \"system\", confidentiality = \"public\" }}\n"
        );
    }
    let declared: Vec<String> = TOOLS.iter().map(|tool| format!("\"faulty/{tool}\"")).collect();
    project
        .write("mortise.toml", &format!("[project]\nname = \"faults\"\n{settings}"))
        .write("mortise/tools/faulty.toml", &tools)
        .write(
            "mortise/agents/tester.toml",
            &format!(
                "owner = \"tests@example.com\"\npurpose = \"Find what breaks\"\ntier = \"low\"\nclasses = \
                 [\"testers\"]\ntools = [{}]\n",
                declared.join(", ")
            ),
        )
        .write(
            "mortise/policies/base.cedar",
            "@id(\"base\")\npermit (principal in AgentClass::\"testers\", action in Action::\"tools/call\", resource);\n",
        );
    project.ok(&["lock"]);
    let _ = fs::remove_file(project.root().join("received.ndjson"));
    project
}

/// Replaces text in the server's file.
pub fn edit(project: &Project, from: &str, to: &str) {
    let path = "mortise/tools/faulty.toml";
    let text = project.read(path);
    assert!(text.contains(from), "{text}");
    project.write(path, &text.replace(from, to));
}

/// The frames the server received, as text.
pub fn received(project: &Project) -> Vec<String> {
    let text = fs::read_to_string(project.root().join("received.ndjson")).unwrap_or_default();
    text.lines().map(ToOwned::to_owned).collect()
}

/// How many calls of a tool the server received.
pub fn calls(project: &Project, tool: &str) -> usize {
    let is_call = |line: &String| {
        let message: Value = serde_json::from_str(line).expect("a frame");
        message["method"] == "tools/call" && message["params"]["name"] == tool
    };
    received(project).iter().filter(|line| is_call(line)).count()
}

/// The text of a result.
pub fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}
