//! A gateway's life: calls, people, edits, crashes, and agents that would like it otherwise.

mod asking;
mod by_command;
mod compared;
mod crash;
mod demo;
mod governed;
mod limits;
mod one_gateway;
mod people;
mod recording;
mod reload;
mod searched;
mod sessions;
mod stated;
mod verdicts;

use harness::{Project, workspace};
use serde_json::{Value, json};

const BOT: &str = "support-bot";

/// Arguments of `run_script`.
fn script(name: &str, namespace: &str) -> Value {
    json!({"script_name": name, "namespace": namespace, "args": []})
}

/// Arguments of `send_mail`.
fn mail(to: &str, body: &str) -> Value {
    json!({"to": to, "subject": "Reports", "body": body})
}

/// The only text of an answer.
fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

/// What Mortise says in a refusal.
fn refusal(answer: &Value) -> &Value {
    let refusal = &answer["result"]["_meta"]["mortise"];
    assert!(refusal.is_object() && answer["result"]["isError"] == true, "no refusal: {answer}");
    refusal
}

/// The rule of a refusal.
fn rule(answer: &Value) -> &str {
    refusal(answer)["rule"].as_str().expect("a rule")
}

fn is_done(answer: &Value) -> bool {
    answer["result"]["isError"] == false
}

/// A project with one server whose tools leave traces in its folder, and an agent that may use them.
fn bench() -> Project {
    let project = Project::example("support-desk");
    let server = workspace().join("tests/fixtures/bench_server.py");
    let label = "label = { integrity = \"system\", confidentiality = \"public\" }";
    let tools =
        ["note", "slow", "fork"].map(|tool| format!("[tools.{tool}]\neffect = \"reversible_write\"\n{label}\n"));
    let start = format!("[start]\ncommand = \"python3\"\nargs = [{server:?}]\npass_env = [\"PATH\"]\n");
    project.write("mortise/tools/bench.toml", &format!("{start}\n{}", tools.join("\n")));
    let agent = project.read("mortise/agents/support-bot.toml");
    let agent =
        agent.replace("tools = [\n", "tools = [\n    \"bench/note\",\n    \"bench/slow\",\n    \"bench/fork\",\n");
    project.write("mortise/agents/support-bot.toml", &agent);
    let permit = "@id(\"roles/bench\")\npermit (principal, action, resource == Server::\"bench\");\n";
    project.write("mortise/policies/roles/bench.cedar", permit);
    let guard = "@id(\"guards/bench-asks\")\n@decision(\"ask\")\n@approvers(\"secops\")\n@reason(\"somebody looks at it first\")\n\
                 forbid (principal, action in [Action::\"bench/note\", Action::\"bench/slow\"], resource)\n\
                 when { context.args.text like \"ask*\" };\n";
    project.write("mortise/policies/guards/bench.cedar", guard);
    project.ok(&["lock"]);
    project.ok(&["check"]);
    project
}

/// Lines the bench's tools left.
fn notes(project: &Project) -> Vec<String> {
    let notes = std::fs::read_to_string(project.root().join("notes.txt")).unwrap_or_default();
    notes.lines().map(ToOwned::to_owned).collect()
}

/// Changes a file of a project, which must have said the other thing.
fn edit(project: &Project, path: &str, from: &str, to: &str) {
    let text = project.read(path);
    assert!(text.contains(from), "`{path}` does not say `{from}`");
    project.write(path, &text.replace(from, to));
}
