//! Clients that others wrote: the MCP inspector and the Python library, over stdio and over HTTP.

use harness::project::finish;
use harness::real::{AGENT, RealServer, fixture, govern, key, url};
use harness::{Project, mortise, part};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

fn files(project: &Project) -> (RealServer, String) {
    let world = project.root().join("world");
    fs::create_dir_all(&world).expect("a folder");
    let file = world.join("hello.txt");
    fs::write(&file, "hello from the file\n").expect("a file");
    (RealServer::filesystem("files", &world), file.display().to_string())
}

fn client(project: &Project, program: &str) -> Command {
    let mut command = Command::new(part(program));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.current_dir(project.root()).env("MORTISE_STATE_DIR", project.state_base());
    command
}

fn json_of(command: &mut Command) -> Value {
    let output = finish(command);
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:#?}"))
}

fn assert_files(list: &Value, call: &Value) {
    let names: Vec<&str> = list["tools"].as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert!(names.contains(&"read_text_file") && names.contains(&"write_file"), "{names:?}");
    assert_eq!(call["content"][0]["text"], "hello from the file\n", "{call}");
}

/// As a user has it: the client's own configuration file, with `mortise proxy` for the server's command.
#[test]
fn inspector_over_stdio() {
    let project = Project::empty();
    let (server, file) = files(&project);
    govern(&project, &[server]);
    let command = mortise().display().to_string();
    let args = ["proxy", "--agent", AGENT, "--server", "files"];
    let config = json!({"mcpServers": {"files": {"command": command, "args": args}}});
    project.write("client.json", &config.to_string());
    let inspect = |more: &[&str]| {
        let mut command = client(&project, "node/node_modules/.bin/mcp-inspector");
        json_of(command.args(["--cli", "--config", "client.json", "--server", "files"]).args(more))
    };
    let list = inspect(&["--method", "tools/list"]);
    let path = format!("path={file}");
    let call = inspect(&["--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg", &path]);
    assert_files(&list, &call);
    assert_eq!(project.events_of("tool.result").len(), 1);
}

/// The tool says what its structured content looks like, and the client holds every answer against that.
#[test]
fn inspector_shows_a_refusal() {
    let project = Project::empty();
    let (server, file) = files(&project);
    govern(&project, &[server]);
    let guard = "@id(\"guards/unread\")\n@reason(\"nobody reads this\")\n\
                 forbid (principal, action == Action::\"files/read_text_file\", resource);\n";
    project.write("mortise/policies/unread.cedar", guard);
    let lock = project.read("mortise.lock");
    assert!(lock.contains("outputSchema") || lock.contains("output_schema"), "the tool has an output schema");
    let command = mortise().display().to_string();
    let args = ["proxy", "--agent", AGENT, "--server", "files"];
    let config = json!({"mcpServers": {"files": {"command": command, "args": args}}});
    project.write("client.json", &config.to_string());
    let mut command = client(&project, "node/node_modules/.bin/mcp-inspector");
    command.args(["--cli", "--config", "client.json", "--server", "files", "--method", "tools/call"]);
    let refused = json_of(command.args(["--tool-name", "read_text_file", "--tool-arg", &format!("path={file}")]));
    let text = refused["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("nobody reads this"), "{refused}");
    assert_eq!(refused["_meta"]["mortise"]["rule"], "guards/unread", "{refused}");
    assert_eq!((&refused["isError"], &refused["structuredContent"]), (&json!(true), &Value::Null), "{refused}");
}

/// This version of the inspector cannot be told to send a header: the key is added to its requests from outside.
#[test]
fn inspector_over_http() {
    let project = Project::empty();
    let (server, file) = files(&project);
    govern(&project, &[server]);
    let _gateway = project.up(&[]);
    let (url, key) = (url(&project), key(&project));
    let inspect = |more: &[&str], key: &str| {
        let mut command = client(&project, "node/node_modules/.bin/mcp-inspector");
        command.env("AGENT_KEY", key).env("NODE_OPTIONS", format!("--import={}", fixture("bearer.mjs").display()));
        finish(command.args(["--cli", &url]).args(more))
    };
    let read = |output: &harness::Output| -> Value {
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:#?}"))
    };
    let list = inspect(&["--method", "tools/list"], &key);
    let path = format!("path={file}");
    let call = inspect(&["--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg", &path], &key);
    assert_files(&read(&list), &read(&call));
    let refused = inspect(&["--method", "tools/list"], "mk_nobody");
    assert!(refused.code != 0 && refused.stderr.contains("the credential is not good"), "{refused:#?}");
}

const CALLS: &str = r#"[["echo", {"message": "over"}], ["trigger-long-running-operation", {"duration": 1, "steps": 3}],
    ["get-roots-list", {}]]"#;
const QUESTIONS: &str = r#"[["trigger-sampling-request", {"prompt": "what?"}], ["trigger-elicitation-request", {}]]"#;

/// The tools, the calls, progress, and what the server asks of the client while it works.
fn assert_everything(said: &Value) {
    assert_eq!(said["version"], "2025-11-25", "the probe for a newer protocol falls back: {said}");
    let tools = said["tools"].as_array().unwrap();
    assert!(tools.contains(&json!("trigger-sampling-request")), "{tools:?}");
    let text = |at: usize| said["results"][at].to_string();
    assert_eq!(said["results"][0]["content"][0]["text"], "Echo: over");
    assert!(text(1).contains("Long running operation completed"), "{}", text(1));
    assert_eq!(said["progress"], json!([[1.0, 3.0], [2.0, 3.0], [3.0, 3.0]]));
    assert!(text(2).contains("file:///fixture/root"), "{}", text(2));
}

fn assert_asked(said: &Value) {
    assert!(said["results"][0].to_string().contains("sampled here"), "{said}");
    assert!(said["results"][1].to_string().contains("Name: Ada"), "{said}");
    assert_eq!((&said["sampled"], &said["elicited"]), (&json!(1), &json!(1)));
}

fn over_stdio(calls: &str) -> Value {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all")]);
    let mut command = client(&project, "python/bin/python");
    command.arg(fixture("client.py")).args(["stdio", calls]).arg(mortise());
    json_of(command.args(["proxy", "--agent", AGENT, "--server", "all"]))
}

fn over_http(calls: &str) -> Value {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all")]);
    let _gateway = project.up(&[]);
    let mut command = client(&project, "python/bin/python");
    command.env("AGENT_KEY", key(&project)).arg(fixture("client.py")).args(["http", calls]);
    json_of(command.arg(url(&project)))
}

#[test]
fn python_library_over_stdio() {
    assert_everything(&over_stdio(CALLS));
}

#[test]
fn python_library_over_http() {
    assert_everything(&over_http(CALLS));
}

#[test]
fn python_library_is_asked() {
    assert_asked(&over_stdio(QUESTIONS));
    assert_asked(&over_http(QUESTIONS));
}
