//! Real tool servers: how each is started, and a project around them.

use crate::{Project, StdioClient, part};
use serde_json::{Value, value::RawValue};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// The agent of every such project.
pub const AGENT: &str = "tester";

/// A server as it is declared, and as it is started without Mortise.
#[derive(Clone, Debug)]
pub struct RealServer {
    /// Its name in `mortise/tools/`.
    pub name: String,
    pub command: PathBuf,
    pub args: Vec<String>,
    /// Literal variables.
    pub env: Vec<(String, String)>,
    /// More lines of its file, such as descriptions of tools.
    pub more: String,
}

impl RealServer {
    /// A server of a part that set-up installs.
    pub fn of_part(name: &str, path: &str) -> Self {
        Self { name: name.to_owned(), command: part(path), args: Vec::new(), env: Vec::new(), more: String::new() }
    }

    /// npm `@modelcontextprotocol/server-filesystem`, on a folder.
    pub fn filesystem(name: &str, folder: &std::path::Path) -> Self {
        Self::of_part(name, "node/node_modules/.bin/mcp-server-filesystem").arg(&folder.display().to_string())
    }

    /// npm `@modelcontextprotocol/server-everything`.
    pub fn everything(name: &str) -> Self {
        Self::of_part(name, "node/node_modules/.bin/mcp-server-everything")
    }

    /// npm `@modelcontextprotocol/server-memory`, with its file.
    pub fn memory(name: &str, file: &std::path::Path) -> Self {
        let path = file.display().to_string();
        Self::of_part(name, "node/node_modules/.bin/mcp-server-memory").env("MEMORY_FILE_PATH", &path)
    }

    /// PyPI `mcp-server-git`. Commits it makes are at a fixed time, so that their ids can be compared.
    pub fn git(name: &str) -> Self {
        let server = Self::of_part(name, "python/bin/mcp-server-git");
        git_env().iter().fold(server, |server, (key, value)| server.env(key, value))
    }

    /// PyPI `mcp-server-time`.
    pub fn time(name: &str) -> Self {
        Self::of_part(name, "python/bin/mcp-server-time").env("TZ", "UTC")
    }

    /// A fixture of the tests, run by the Python of the parts.
    pub fn fixture(name: &str, file: &str) -> Self {
        Self::of_part(name, "python/bin/python").arg(&fixture(file).display().to_string())
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// One more variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it without Mortise, with the environment that Mortise would give it.
    pub fn direct(&self, project: &Project) -> StdioClient {
        let mut command = Command::new(&self.command);
        command.args(&self.args).current_dir(project.root()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(self.env.iter().cloned());
        StdioClient::start(&mut command)
    }

    fn file(&self) -> String {
        let mut text = "[start]\n".to_owned();
        let _ = writeln!(text, "command = {:?}\nargs = {:?}", self.command.display().to_string(), self.args);
        // Servers written in JavaScript are started by name, through `env`.
        text += "pass_env = [\"PATH\", \"HOME\"]\n[start.env]\n";
        for (name, value) in &self.env {
            let _ = writeln!(text, "{name} = {value:?}");
        }
        text + &self.more
    }
}

/// A file of `tests/fixtures`.
pub fn fixture(file: &str) -> PathBuf {
    crate::workspace().join("tests/fixtures").join(file)
}

/// What makes commits repeatable, whoever makes them.
pub fn git_env() -> [(&'static str, &'static str); 8] {
    [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ("GIT_AUTHOR_DATE", "2026-01-02T03:04:05+00:00"),
        ("GIT_COMMITTER_DATE", "2026-01-02T03:04:05+00:00"),
    ]
}

/// Fills a project: an agent of tier low that may use everything of the servers, ask included, and a role that permits
/// it. Then pins and checks it.
pub fn govern(project: &Project, servers: &[RealServer]) {
    write(project, servers, &["sampling", "elicitation", "roots"]);
    project.ok(&["lock"]);
    project.ok(&["check"]);
}

/// Writes the files of such a project; `client_requests` is what servers may ask of the client.
pub fn write(project: &Project, servers: &[RealServer], client_requests: &[&str]) {
    project.write("mortise.toml", "[project]\nname = \"real-servers\"\n[approvers.ada]\n");
    let each = |text: &dyn Fn(&RealServer) -> Vec<String>| -> Vec<String> { servers.iter().flat_map(text).collect() };
    let tools = each(&|server| vec![format!("{}/*", server.name)]);
    let resources = each(&|server| vec![server.name.clone()]);
    let prompts = each(&|server| PROMPTS.iter().map(|prompt| format!("{}/{prompt}", server.name)).collect());
    let requests = each(&|server| client_requests.iter().map(|what| format!("{}#{what}", server.name)).collect());
    let agent = format!(
        "owner = \"qa@example.com\"\npurpose = \"Use every tool there is\"\ntier = \"low\"\ntools = {tools:?}\n\
         resources = {resources:?}\nprompts = {prompts:?}\nclient_requests = {requests:?}\n"
    );
    project.write(&format!("mortise/agents/{AGENT}.toml"), &agent);
    let role = "@id(\"roles/everything\")\npermit (principal, action, resource);\n";
    project.write("mortise/policies/roles.cedar", role);
    for server in servers {
        project.write(&format!("mortise/tools/{}.toml", server.name), &server.file());
    }
}

/// Prompts that are asked for: those of the everything server, and one that nobody has.
const PROMPTS: [&str; 5] = ["simple-prompt", "args-prompt", "completable-prompt", "resource-prompt", "no-such-prompt"];

/// The raw bytes of a frame's `result` or `error`, with which one it is.
pub fn outcome(frame: &str) -> String {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(frame).expect("a JSON frame");
    let found = ["result", "error"].into_iter().find_map(|name| Some((name, members.get(name)?)));
    let (name, raw) = found.unwrap_or_else(|| panic!("no outcome: {frame}"));
    format!("{name} {}", raw.get())
}

/// One step of a scripted session.
pub type Step = (&'static str, Value);

/// Plays a script after a handshake, and gives the raw outcome of each step, the handshake's first.
pub fn play(client: &mut StdioClient, version: &str, script: &[Step]) -> Vec<String> {
    let info = serde_json::json!({"name": "harness", "version": "0"});
    let params = serde_json::json!({"protocolVersion": version, "capabilities": {}, "clientInfo": info});
    let id = client.send("initialize", params);
    let mut outcomes = vec![outcome(&client.answer_text(id))];
    client.notify("notifications/initialized", serde_json::json!({}));
    for (method, params) in script {
        let id = client.send(method, params.clone());
        outcomes.push(outcome(&client.answer_text(id)));
    }
    outcomes
}

/// Where the project's `mortise up` offers MCP.
pub fn url(project: &Project) -> String {
    crate::wait_for("a listening gateway", || {
        let status = project.control(&serde_json::json!("status"))?;
        Some(status["ok"]["listening"].as_str()?.to_owned())
    })
}

/// A new key of the agent.
pub fn key(project: &Project) -> String {
    project.ok(&["agents", "key", AGENT]).trim().to_owned()
}
