//! A small project: one agent of tier high, one of tier low, a desk with tools of several effects.

use enforce::Snapshot;
use govern::lock::{Listing, Lock, pin};
use govern::project::{Files, Project};
use govern::protected::Protected;
use lab::Report;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use vocab::Diagnostic;
use vocab::id::ServerId;

pub const FILE: &str = "mortise/tests/a.yaml";

const POLICIES: &str = r#"
@id("roles/work") permit(principal, action, resource) when { !(context.args has id) || context.args.id != "T-0" };
@id("guards/never") @reason("nobody closes T-9")
forbid(principal, action == Action::"desk/close", resource) when { context.args.id == "T-9" };
@id("guards/person") @decision("ask") @uncertain("deny")
forbid(principal, action == Action::"desk/run", resource) when { context.args.script == "restart" };
@id("guards/rehearse") @decision("sandbox")
forbid(principal, action == Action::"desk/run", resource) when { context.args.script == "purge" };
@id("guards/nowhere") @decision("sandbox") @fallback("ask")
forbid(principal, action == Action::"desk/close", resource) when { context.args.id == "T-7" };
@id("guards/notes") @decision("sanitize") @redact("args.note:remove")
forbid(principal, action == Action::"desk/mail", resource) when { context.args has note };
@id("guards/addresses") @decision("sanitize") @redact("result.rows[].email")
forbid(principal, action == Action::"desk/search", resource) when { context.args.query == "closed" };
@id("guards/secrets")
forbid(principal, action == Action::"desk/mail", resource)
when { context.labels.confidentiality.contains(Confidentiality::"secret") };
@id("guards/shadow") @mode("shadow")
forbid(principal, action == Action::"desk/search", resource) when { context.args.query == "shadow" };
"#;

const SERVER: &str = r#"
[start]
command = "mortise"
[tools.search]
effect = "read"
[tools.close]
effect = "reversible_write"
[tools.run]
effect = "exec"
dry_run = "try_run"
[tools.try_run]
effect = "read"
[tools.mail]
effect = "reversible_write"
[tools.mail.arguments.note]
class = "content"
[tools.mail.arguments.copy]
class = "content"
[tools.mail.arguments.code]
class = "content"
[tools.mail.arguments.file]
kind = "path"
"#;

pub fn files() -> Files {
    let agent =
        |tier: &str, more: &str| format!("owner = \"o@example.com\"\npurpose = \"p\"\ntier = \"{tier}\"\n{more}");
    let tools = "tools = [\"desk/search\", \"desk/close\", \"desk/run\", \"desk/mail\"]\nresources = [\"desk\"]\nprompts = [\"desk/hi\"]\nuser = \"ada\"\n[limits]\ncalls_per_minute = 30\n";
    let texts = [
        ("mortise.toml", "[approvers.ada]\ngroups = [\"secops\"]\n".to_owned()),
        ("mortise.lock", lock()),
        ("mortise/agents/bot.toml", agent("high", tools)),
        ("mortise/agents/mouse.toml", agent("low", "capture = \"arguments\"\n")),
        ("mortise/tools/desk.toml", SERVER.to_owned()),
        ("mortise/policies/a.cedar", POLICIES.to_owned()),
    ];
    Files {
        folder: "shop".to_owned(),
        texts: texts.into_iter().map(|(path, text)| (path.to_owned(), text)).collect(),
        ignored: Vec::new(),
    }
}

fn lock() -> String {
    let text = json!({"type": "string"});
    let tool = |name: &str, properties: Value, required: &[&str]| {
        json!({"name": name, "inputSchema":
            {"type": "object", "properties": properties, "required": required, "additionalProperties": false}})
    };
    let tools = vec![
        tool("search", json!({"query": text, "limit": {"type": "integer"}}), &["query"]),
        tool("close", json!({"id": text}), &["id"]),
        tool("run", json!({"script": text, "force": {"type": "boolean"}}), &["script"]),
        tool("try_run", json!({"script": text}), &["script"]),
        tool(
            "mail",
            json!({"to": text, "note": text, "file": text, "copy": text, "code": {"type": "string", "maxLength": 3}}),
            &["to"],
        ),
        tool("secret_tool", json!({}), &[]),
    ];
    let listing = Listing { protocol_version: "2025-11-25".into(), server_info: json!({"name": "desk"}), tools };
    Lock { servers: [(ServerId::new("desk"), pin(&listing).unwrap())].into() }.render()
}

pub fn project(files: &Files) -> Arc<Project> {
    Arc::new(Project::parse(files).unwrap_or_else(|found| panic!("{}", said(&found))))
}

pub fn snapshot_of(files: &Files) -> Snapshot {
    let project = project(files);
    let compilation = policy::compile(&project.policies, &project.shapes());
    let bundle = compilation.bundle.unwrap_or_else(|| panic!("{}", said(&compilation.diagnostics)));
    let protected = Protected::new("/srv/shop", "/var/state", Some("/home/ada")).unwrap();
    Snapshot::new(project, Arc::new(bundle), protected, false)
}

pub fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| snapshot_of(&files()));
    &SNAPSHOT
}

/// The project with one more rule.
pub fn snapshot_and(rule: &str) -> Snapshot {
    let mut files = files();
    files.texts.insert("mortise/policies/b.cedar".to_owned(), rule.to_owned());
    snapshot_of(&files)
}

/// A suite of `bot` with these cases (YAML, not indented).
pub fn suite(cases: &str) -> String {
    format!("suite: desk\nagent: bot\ncases:\n{cases}")
}

/// One case with a name and a kind, and whatever else is given as `key: value` lines.
pub fn case(name: &str, lines: &str) -> String {
    let lines: String = lines.trim().lines().map(|line| format!("    {}\n", line.trim())).collect();
    format!("  - name: {name}\n    kind: safety\n{lines}")
}

/// Runs one suite.
pub fn run(cases: &str) -> Report {
    lab::run(snapshot(), [(FILE, suite(cases).as_str())], None).unwrap_or_else(|found| panic!("{}", said(&found)))
}

/// What the one case of a suite says about its failure.
pub fn message(lines: &str) -> Option<String> {
    let report = run(&case("it", lines));
    assert_eq!(report.cases.len(), 1);
    assert_eq!(report.cases[0].passed, report.cases[0].message.is_none());
    report.cases[0].message.clone()
}

pub fn wrong(text: &str) -> Vec<Diagnostic> {
    lab::run(snapshot(), [(FILE, text)], None).map(|_| ()).expect_err(text)
}

pub fn said(found: &[Diagnostic]) -> String {
    found.iter().map(ToString::to_string).collect()
}
