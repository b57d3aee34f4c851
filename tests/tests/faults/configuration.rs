//! What is wrong with a project is said with file, line, column and what to write instead, before anything runs.

use harness::{Output, Project};

/// A change that breaks the example: a file, and what is replaced in it by what. An empty `from` appends.
struct Break {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const fn broken(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Break {
    Break { name, file, from, to }
}

const POLICY: &str = "mortise/policies/guards/closed-tickets.cedar";
const AGENT: &str = "mortise/agents/support-bot.toml";
const TOOLS: &str = "mortise/tools/desk.toml";
const LOCK: &str = "mortise.lock";

const BREAKS: &[Break] = &[
    broken("syntax", POLICY, "", "\nforbid (principal, action, resource) wen { true };\n"),
    broken("unknown_argument", POLICY, "", include_str!("policies/unknown_argument.cedar")),
    broken("unknown_agent", POLICY, "", include_str!("policies/unknown_agent.cedar")),
    broken("unknown_tool", POLICY, "", include_str!("policies/unknown_tool.cedar")),
    broken("unknown_server", POLICY, "", include_str!("policies/unknown_server.cedar")),
    broken("unknown_word", POLICY, "", include_str!("policies/unknown_word.cedar")),
    broken("unknown_annotation", POLICY, "", include_str!("policies/unknown_annotation.cedar")),
    broken("unknown_decision", POLICY, "", include_str!("policies/unknown_decision.cedar")),
    broken("missing_id", POLICY, "", include_str!("policies/missing_id.cedar")),
    broken("duplicate_id", POLICY, "", include_str!("policies/duplicate_id.cedar")),
    broken("redacts_critical", POLICY, "", include_str!("policies/redacts_critical.cedar")),
    broken("unknown_key_mortise", "mortise.toml", "[session]", "[session]\nidel_minutes = 3"),
    broken("unknown_key_agent", AGENT, "tier =", "teir = \"high\"\ntier ="),
    broken("unknown_key_tools", TOOLS, "trust = 50", "trust = 50\nstart_timeout = 30"),
    broken("wrong_type", "mortise.toml", "idle_minutes = 30", "idle_minutes = \"thirty\""),
    broken("wrong_word", AGENT, "mode = \"enforce\"", "mode = \"enforced\""),
    broken("toml_syntax", AGENT, "tools = [", "tools = [["),
    broken("undeclared_tool", AGENT, "\"desk/run_script\",", "\"desk/run_scrpt\","),
    broken("lock_not_json", LOCK, "{", "{,"),
    broken("lock_digest", LOCK, "sha256:", "sha256:00"),
    broken("lock_definition", LOCK, "\"type\": \"string\"", "\"type\": \"number\""),
    broken("lock_version", LOCK, "\"version\": 1", "\"version\": 2"),
];

#[test]
fn every_break_is_named_where_it_is() {
    for Break { name, file, from, to } in BREAKS {
        let project = Project::example("support-desk");
        let text = project.read(file);
        assert!(from.is_empty() || text.contains(from), "{name}: `{from}` is not in `{file}`");
        let text = if from.is_empty() { text + to } else { text.replacen(from, to, 1) };
        project.write(file, &text);
        let output = project.run(&["check"]);
        assert_eq!(output.code, 3, "{name}: {output:?}");
        assert!(output.stderr.contains(file), "{name}: {}", output.stderr);
        insta::assert_snapshot!(*name, output.stderr);
    }
}

#[test]
fn what_is_harmless_is_a_warning() {
    let project = Project::example("support-desk");
    assert_eq!(project.run(&["check"]).stderr, "");
    project.write(TOOLS, &(project.read(TOOLS) + "\n[tools.serch_tickets]\neffect = \"read\"\n"));
    let output = project.run(&["check"]);
    assert_eq!(output.code, 0, "{output:?}");
    insta::assert_snapshot!("undescribed_tool", output.stderr);
}

#[test]
fn no_gateway_starts_on_files_that_cannot_be_read() {
    let project = Project::example("support-desk");
    project.write(AGENT, "owner = [");
    let output = project.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.code, 3, "{output:?}");
    assert!(output.stderr.contains("mortise/agents/support-bot.toml:1:"), "{output:?}");
    let output = project.run(&["proxy", "--agent", "support-bot", "--server", "desk"]);
    assert_eq!(output.code, 30, "{output:?}");
    assert!(output.stderr.contains("mortise/agents/support-bot.toml:1:"), "{output:?}");
}

#[test]
fn policies_that_do_not_load_deny_everything() {
    let project = Project::example("support-desk");
    project.write(POLICY, "forbid (principal, action, resource) wen { true };");
    let mut client = project.proxy("support-bot", "desk");
    let answer = client.call("search_tickets", serde_json::json!({"query": "printer"}));
    let refusal = &answer["result"]["_meta"]["mortise"];
    assert_eq!(refusal["verdict"], "deny", "{answer}");
    insta::assert_snapshot!("broken_policies_deny", format!("{}: {}", refusal["rule"], refusal["reason"]));
}

#[test]
fn a_shim_that_may_not_stand_there_says_why() {
    let project = Project::example("support-desk");
    let refused = |arguments: &[&str]| -> Output {
        let output = project.run(&[["proxy"].as_slice(), arguments].concat());
        assert_eq!((output.code, output.stdout.as_str()), (12, ""), "{output:?}");
        output
    };
    let undeclared = refused(&["--agent", "support-bot", "--", "python3", "-m", "some_server"]);
    insta::assert_snapshot!("shim_undeclared_command", undeclared.stderr);
    let other_arguments = refused(&["--agent", "support-bot", "--", "mortise", "example-server", "desk", "--more"]);
    assert_eq!(other_arguments.stderr, undeclared.stderr);
    let server = refused(&["--agent", "support-bot", "--server", "desc"]);
    insta::assert_snapshot!("shim_undeclared_server", server.stderr);
    insta::assert_snapshot!("shim_nobody", refused(&["--server", "desk"]).stderr);
    insta::assert_snapshot!("shim_unknown_agent", refused(&["--agent", "suport-bot", "--server", "desk"]).stderr);
}
