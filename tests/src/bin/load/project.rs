//! The project Mortise guards while it is measured: one agent, one server, and everything that is on in earnest.
//!
//! One permit rule and three guards speak about the call: a rate, a label, an argument. All are evaluated, none
//! matches. Arguments are validated against the pinned schema, every event is durable before bytes leave.

use crate::subject::{OTHER_TOOLS, echo_server};
use harness::{Output, Project, mortise};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a gateway that starts: what the figure is exact to.
const LOOK: Duration = Duration::from_micros(200);

const SETTINGS: &str = "[project]\nname = \"load\"\n";

const AGENT: &str = r#"
owner = "load@example.com"
purpose = "Say the same thing again and again"
tier = "medium"
classes = ["support"]
team = "support-platform"
tools = ["echo/echo"]

# The highest there is: the guard compares it on every call.
[limits]
calls_per_minute = 1000000

[limits.tools]
"echo/echo" = 1000000
"#;

const RULES: &str = r#"
@id("roles/support/echo")
permit (principal in AgentClass::"support", action == Action::"echo/echo", resource == Server::"echo");

@id("guards/pace")
@reason("more calls in this minute than declared")
forbid (principal, action in Action::"tools/call", resource)
when {
    context.session.calls_1m > context.session.agent_limit_1m ||
    context.session.tool_calls_1m > context.session.tool_limit_1m
};

@id("guards/secrets-stay")
@reason("nothing is said again after a secret was read")
forbid (principal, action == Action::"echo/echo", resource == Server::"echo")
when { context.labels.confidentiality.contains(Confidentiality::"secret") };

@id("guards/no-passwords")
@decision("ask")
@reason("a person looks at messages that speak of passwords")
forbid (principal, action == Action::"echo/echo", resource == Server::"echo")
when { context.args.message like "*password*" };
"#;

/// A project on disk with a pinned server. It stays there until everything is measured: a file system can be busy with
/// what was deleted for minutes (ext4 without a journal looks at each of these inodes whenever it makes a file).
pub struct Guarded {
    project: ManuallyDrop<Project>,
}

impl Guarded {
    /// Writes a project with this many rules about other tools, and pins its server.
    pub fn new(other_rules: usize) -> Result<Self, String> {
        let project = ManuallyDrop::new(Project::empty());
        let program = json!(echo_server()?);
        let server = format!(
            "trust = 50\nzone = \"internal\"\n\n[start]\ncommand = {program}\nargs = [\"{OTHER_TOOLS}\"]\n\n\
             [tools.echo]\neffect = \"read\"\nlabel = {{ integrity = \"third_party\", confidentiality = \"private\" }}\n\n\
             [tools.echo.arguments]\nmessage = {{ class = \"content\" }}\n"
        );
        project
            .write("mortise.toml", SETTINGS)
            .write("mortise/agents/loader.toml", AGENT)
            .write("mortise/tools/echo.toml", &server)
            .write("mortise/policies/own.cedar", RULES)
            .write("mortise/policies/others.cedar", &rules_of_others(other_rules));
        succeeded("lock", &project.run(&["lock"]))?;
        succeeded("check", &project.run(&["check"]))?;
        Ok(Self { project })
    }

    /// Starts a gateway, and gives it with the time from there to its first answer.
    pub fn start(&self) -> Result<Running<'_>, String> {
        let errors = self.project.root().with_file_name("stderr");
        let stderr = File::create(&errors).map_err(|error| error.to_string())?;
        let mut command = self.project.command(&["up", "--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let begin = Instant::now();
        let child = command.spawn().map_err(|error| format!("`{}`: {error}", mortise().display()))?;
        let mut running = Running { project: &self.project, child, ready_after: Duration::ZERO };
        while running.status().is_none() {
            if begin.elapsed() > PATIENCE || running.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                let said = std::fs::read_to_string(errors).unwrap_or_default();
                return Err(format!("the gateway does not answer; it said:\n{said}"));
            }
            std::thread::sleep(LOOK);
        }
        running.ready_after = begin.elapsed();
        Ok(running)
    }
}

/// A gateway that serves; ended with this value.
pub struct Running<'a> {
    project: &'a Project,
    child: Child,
    /// From starting the process to its first answer.
    pub ready_after: Duration,
}

impl Running<'_> {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it offers MCP.
    pub fn url(&self) -> Result<String, String> {
        let begin = Instant::now();
        loop {
            // The socket answers a moment before the listener does.
            let url = self.status().and_then(|status| Some(status["listening"].as_str()?.to_owned()));
            match url {
                Some(url) => return Ok(url),
                None if begin.elapsed() > PATIENCE => return Err("the gateway does not listen".into()),
                None => std::thread::sleep(LOOK),
            }
        }
    }

    /// A new key of the agent.
    pub fn key(&self) -> Result<String, String> {
        let made = self.project.run(&["agents", "key", "loader"]);
        succeeded("agents key", &made)?;
        Ok(made.stdout.trim().to_owned())
    }

    /// Events in its log.
    pub fn events(&self) -> Result<u64, String> {
        self.status().and_then(|status| status["log_size"].as_u64()).ok_or_else(|| "the gateway has no log".into())
    }

    /// Ends it in good order.
    pub fn shut_down(mut self) -> Result<(), String> {
        let _ = self.project.control(&json!("shutdown"));
        let begin = Instant::now();
        while self.child.try_wait().map_err(|error| error.to_string())?.is_none() {
            if begin.elapsed() > PATIENCE {
                return Err("the gateway does not end".into());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn status(&self) -> Option<Value> {
        let mut answer = self.project.control(&json!("status"))?;
        // Not whoever answered before.
        let ours = answer["ok"]["pid"] == self.child.id();
        ours.then(|| answer["ok"].take())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rules_of_others(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let scope = format!("action == Action::\"echo/other{}\", resource == Server::\"echo\"", number % OTHER_TOOLS);
        // Text takes every write.
        let _ = if number % 2 == 0 {
            writeln!(
                text,
                "@id(\"others/{number}\") permit (principal in AgentClass::\"support\", {scope}) \
                 when {{ context.args.message == \"x{number}\" }};"
            )
        } else {
            writeln!(
                text,
                "@id(\"others/{number}\") @reason(\"r\") forbid (principal, {scope}) \
                 when {{ context.args.message like \"*bad{number}*\" }};"
            )
        };
        text
    })
}

fn succeeded(what: &str, output: &Output) -> Result<(), String> {
    match output.code {
        0 => Ok(()),
        code => Err(format!("`mortise {what}` ended with {code}:\n{}{}", output.stdout, output.stderr)),
    }
}
