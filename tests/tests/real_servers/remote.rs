//! A server that is reached by its URL: npm `@modelcontextprotocol/server-everything` over Streamable HTTP.

use harness::real::{AGENT, RealServer, fixture, key, url, write};
use harness::{HttpClient, Project, StdioClient, part, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::process::{Child, Command, Stdio};

const TOKEN: &str = "the-servers-own-token";

/// The server, until it is dropped.
struct Remote {
    child: Child,
    address: String,
    seen: std::path::PathBuf,
}

impl Remote {
    fn start(project: &Project) -> Self {
        let file = project.root().join("address");
        let child = Command::new(part("node/node_modules/.bin/mcp-server-everything"))
            .arg("streamableHttp")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("NODE_OPTIONS", format!("--import={}", fixture("loopback.mjs").display()))
            .env("ADDRESS_FILE", &file)
            .current_dir(project.root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a started server");
        let mut remote = Self { child, address: String::new(), seen: file.with_extension("seen") };
        remote.address = wait_for("a listening server", || fs::read_to_string(&file).ok());
        remote
    }

    /// The credentials of all requests so far, as `METHOD CREDENTIALS`.
    fn seen(&self) -> Vec<String> {
        fs::read_to_string(&self.seen).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.end();
    }
}

/// A project that reaches the server, and may use all of it but what a guard forbids.
fn project() -> (Project, Remote) {
    let project = Project::empty();
    let remote = Remote::start(&project);
    write(&project, &[RealServer::everything("all")], &["sampling", "elicitation", "roots"]);
    let reach = format!(
        "[reach]\nurl = \"http://{}/mcp\"\n[reach.headers]\nauthorization = \"env:REMOTE_TOKEN\"\n",
        remote.address
    );
    project.write("mortise/tools/all.toml", &reach);
    let guard = "@id(\"guards/no-sums\")\n@reason(\"no sums\")\nforbid (principal, action == Action::\"all/get-sum\", resource);\n";
    project.write("mortise/policies/guards.cedar", guard);
    let output = harness::project::finish(&mut with_token(project.command(&["lock"])));
    assert_eq!(output.code, 0, "{output:#?}");
    project.ok(&["check"]);
    (project, remote)
}

fn with_token(mut command: Command) -> Command {
    command.env("REMOTE_TOKEN", format!("Bearer {TOKEN}"));
    command
}

/// A shim in front of it, after the handshake. The gateway it starts has the token.
fn client(project: &Project) -> StdioClient {
    let mut client =
        StdioClient::start(&mut with_token(project.command(&["proxy", "--agent", AGENT, "--server", "all"])));
    client.initialize_with("2025-11-25", json!({"sampling": {}}));
    client
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
    tools.iter().filter_map(|tool| tool["name"].as_str()).collect()
}

#[test]
fn a_server_reached_by_url_is_listed_called_and_denied() {
    let (project, remote) = project();
    let mut client = client(&project);
    let listed = client.request("tools/list", json!({}));
    assert!(names(&listed).contains(&"echo") && names(&listed).contains(&"get-sum"), "{listed}");
    assert_eq!(text(&client.call("echo", json!({"message": "from afar"}))), "Echo: from afar");
    let denied = client.call("get-sum", json!({"a": 1, "b": 2}));
    assert_eq!(denied["result"]["_meta"]["mortise"]["rule"], "guards/no-sums", "{denied}");
    let wrong = client.call("echo", json!({"message": 5}));
    assert_eq!(wrong["result"]["_meta"]["mortise"]["rule"], "schema/all/echo", "{wrong}");
    // What the server asks meanwhile comes over the stream of the call.
    let call = client.send("tools/call", json!({"name": "trigger-sampling-request", "arguments": {"prompt": "?"}}));
    let answer = loop {
        let frame: Value = serde_json::from_str(&client.next_frame().expect("a frame")).expect("JSON");
        if frame["method"] == "sampling/createMessage" {
            let said =
                json!({"role": "assistant", "content": {"type": "text", "text": "said the client"}, "model": "m"});
            client.send_raw(json!({"jsonrpc": "2.0", "id": frame["id"], "result": said}).to_string().as_bytes());
        } else if frame["id"] == call {
            break frame;
        }
    };
    assert!(answer.to_string().contains("said the client"), "{answer}");

    let dispatched = project.events_of("tool.dispatch");
    let tools: Vec<&Value> = dispatched.iter().map(|event| &event["tool_name"]).collect();
    assert_eq!(tools, ["echo", "trigger-sampling-request", "sampling"], "what was denied has not left");
    let started = project.events_of("server.started");
    assert!(started.len() == 1 && started[0]["server"] == "all", "{started:#?}");
    // The credential comes with every request, and stands nowhere else.
    let (seen, expected) = (remote.seen(), format!(" Bearer {TOKEN}"));
    assert!(!seen.is_empty() && seen.iter().all(|line| line.ends_with(&expected)), "{seen:?}");
    assert!(!project.ok(&["trace", "ls", "--events", "--format", "ndjson"]).contains(TOKEN));
    assert!(!project.read("mortise.lock").contains(TOKEN));
    // The session ends with the client's.
    assert_eq!(client.wait(), 0);
    wait_for("the end of the session", || remote.seen().iter().any(|line| line.starts_with("DELETE ")).then_some(()));
    project.ok(&["trace", "verify"]);
}

#[test]
fn http_on_both_sides() {
    let (project, _remote) = project();
    let _gateway = project.up_with(&[], &[("REMOTE_TOKEN", &format!("Bearer {TOKEN}"))]);
    let mut web = HttpClient::new(&url(&project), &key(&project));
    assert!(web.initialize().get("result").is_some());
    assert!(names(&web.request("tools/list", json!({}))).contains(&"echo"));
    assert_eq!(text(&web.call("echo", json!({"message": "twice"}))), "Echo: twice");
    let denied = web.call("get-sum", json!({"a": 1, "b": 2}));
    assert_eq!(denied["result"]["_meta"]["mortise"]["rule"], "guards/no-sums", "{denied}");
}

#[test]
fn a_server_that_is_gone_is_said_and_the_gateway_goes_on() {
    let (project, mut remote) = project();
    let mut client = client(&project);
    assert_eq!(text(&client.call("echo", json!({"message": "x"}))), "Echo: x");
    let gateway = project.gateway_pid();
    remote.end();
    let answer = client.call("echo", json!({"message": "y"}));
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(text(&answer).starts_with("Mortise: "), "{answer}");
    let result = wait_for("the call's end in the log", || project.events_of("tool.result").pop());
    assert_ne!(result["outcome"], "ok", "{result}");
    let again = StdioClient::start(&mut with_token(project.command(&["proxy", "--agent", AGENT, "--server", "all"])))
        .initialize();
    let said = again["error"]["message"].as_str().unwrap_or_else(|| panic!("{again}"));
    assert!(said.starts_with("Mortise cannot start or reach server `all`: "), "{said}");
    assert_eq!(project.gateway_pid(), gateway);
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let (project, _remote) = project();
    let answer = project.proxy_raw(AGENT, "all").initialize();
    let said = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(said.contains("variable `REMOTE_TOKEN`"), "{said}");
}
