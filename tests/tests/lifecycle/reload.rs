//! Edits: what only tightens applies at once, what loosens waits for a person, what is wrong changes nothing.

use super::people::{accept, enroll};
use super::{BOT, bench, edit, is_done, mail, rule, script};
use harness::project::kill;
use harness::{Project, StdioClient, wait_for};
use serde_json::{Value, json};

const NEVER_NOTE: &str = "@id(\"guards/no-notes\")\n@reason(\"no notes\")\nforbid (principal, action == Action::\"bench/note\", resource);\n";

fn note(bench: &mut StdioClient) -> Value {
    bench.call("note", json!({"text": "x"}))
}

/// Waits until the gateway has seen an edit.
fn seen(project: &Project, kind: &str) -> Value {
    wait_for(kind, || project.events_of(kind).pop())
}

fn waits(project: &Project) -> Value {
    let diff = project.json(&["policy", "diff"]);
    assert_eq!(diff["waiting"], true, "{diff}");
    diff
}

#[test]
fn a_tightening_edit_changes_the_next_answer() {
    let project = bench();
    let mut bench = project.hosted(BOT, "bench");
    assert!(is_done(&note(&mut bench)));
    project.write("mortise/policies/guards/no-notes.cedar", NEVER_NOTE);
    let changed = seen(&project, "config.changed");
    assert_eq!(changed["detail"]["tightens"], json!(["guard `guards/no-notes` is new"]));
    assert_eq!(rule(&note(&mut bench)), "guards/no-notes");
    assert_eq!(project.json(&["policy", "diff"])["waiting"], false);
    assert_eq!(project.events_of("gateway.started").len(), 1);
}

#[test]
fn a_loosening_edit_waits_for_a_person() {
    let project = bench();
    project.write("mortise/policies/guards/no-notes.cedar", NEVER_NOTE);
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    project.remove("mortise/policies/guards/no-notes.cedar");
    let event = seen(&project, "config.waiting");
    assert_eq!(event["detail"]["loosens"], json!(["guard `guards/no-notes` is gone"]));
    assert_eq!(rule(&note(&mut bench)), "guards/no-notes");
    assert!(project.ok(&["policy", "diff"]).contains("+ guard `guards/no-notes` is gone"));

    let wrong =
        project.typing(&["policy", "accept", "--as", "ada", "--reason", "r"], &[("secret of", "no such secret")]);
    assert_eq!(wrong.code, 12, "{wrong:#?}");
    assert_eq!(rule(&note(&mut bench)), "guards/no-notes");
    let accepted = accept(&project, "ada");
    assert_eq!(accepted.code, 0, "{accepted:#?}");
    assert!(is_done(&note(&mut bench)));
    let changed = seen(&project, "config.changed");
    assert_eq!((&changed["approver"], &changed["text"]), (&json!("ada"), &json!("discussed")));
    assert_eq!(accept(&project, "ada").code, 4, "nothing waits any more");
    // What was accepted outlives the gateway.
    kill(project.gateway_pid().expect("a gateway"));
    assert!(is_done(&wait_for("an answer", || Some(note(&mut bench)).filter(|a| a.get("error").is_none()))));
}

#[test]
fn every_kind_of_loosening_waits() {
    for (what, path, from, to) in [
        (
            "a permit rule",
            "mortise/policies/roles/more.cedar",
            "",
            "@id(\"more\")\npermit (principal, action, resource);\n",
        ),
        ("a tool", "mortise/agents/support-bot.toml", "tools = [\n", "tools = [\n    \"bench/fork\",\n"),
        ("an observing agent", "mortise/agents/support-bot.toml", "mode = \"enforce\"", "mode = \"observe\""),
        ("a longer hold", "mortise.toml", "hold_s = 20", "hold_s = 30"),
        (
            "a softer guard",
            "mortise/policies/guards/protected-namespaces.cedar",
            "@reason",
            "@decision(\"ask\")\n@reason",
        ),
    ] {
        let project = bench();
        edit(&project, "mortise/agents/support-bot.toml", "    \"bench/fork\",\n", "");
        let _desk = project.hosted(BOT, "desk");
        if from.is_empty() {
            project.write(path, to);
        } else {
            edit(&project, path, from, to);
        }
        let diff = waits(&project);
        assert!(!diff["loosens"].as_array().expect("a list").is_empty(), "{what}: {diff}");
        assert!(project.events_of("config.changed").is_empty(), "{what}");
    }
}

#[test]
fn an_edit_taken_back_no_longer_waits() {
    let project = bench();
    let _desk = project.hosted(BOT, "desk");
    edit(&project, "mortise.toml", "hold_s = 20", "hold_s = 30");
    waits(&project);
    edit(&project, "mortise.toml", "hold_s = 30", "hold_s = 20");
    assert_eq!(project.json(&["policy", "diff"])["waiting"], false);
    assert_eq!(project.json(&["policy", "diff"])["waiting"], false, "looking twice is no edit");
}

#[test]
fn a_typo_keeps_what_was_in_force() {
    let project = bench();
    project.write("mortise/policies/guards/no-notes.cedar", NEVER_NOTE);
    let mut bench = project.hosted(BOT, "bench");
    project.write("mortise/policies/guards/no-notes.cedar", &NEVER_NOTE.replace("forbid", "forbit"));
    let refused = seen(&project, "config.refused");
    assert!(refused["text"].as_str().is_some_and(|text| text.contains("no-notes.cedar")), "{refused}");
    assert_eq!(rule(&note(&mut bench)), "guards/no-notes");
    let diff = project.run(&["policy", "diff"]);
    assert_eq!(diff.code, 3, "{diff:#?}");
    // An edit that would only tighten, with a word that is none, is no tightening either.
    project.write("mortise/policies/guards/no-notes.cedar", NEVER_NOTE);
    project.write(
        "mortise/policies/guards/x.cedar",
        "@id(\"x\")\nforbid (principal, action == Action::\"bench/no\", resource);\n",
    );
    wait_for("a second refusal", || (project.events_of("config.refused").len() > 1).then_some(()));
    assert_eq!(rule(&note(&mut bench)), "guards/no-notes");
}

#[test]
fn a_restart_loosens_nothing() {
    let project = bench();
    project.write("mortise/policies/guards/no-notes.cedar", NEVER_NOTE);
    let mut shim = project.hosted(BOT, "bench");
    assert_eq!(rule(&note(&mut shim)), "guards/no-notes");
    drop(shim);
    kill(project.gateway_pid().expect("a gateway"));
    project.remove("mortise/policies/guards/no-notes.cedar");
    edit(&project, "mortise/agents/support-bot.toml", "mode = \"enforce\"", "mode = \"observe\"");
    let mut shim = project.hosted(BOT, "bench");
    assert_eq!(rule(&note(&mut shim)), "guards/no-notes");
    assert_eq!(waits(&project)["loosens"].as_array().map(Vec::len), Some(2));
    // A tightening made while no gateway ran is in force soon after the start.
    drop(shim);
    kill(project.gateway_pid().expect("a gateway"));
    project.write("mortise/policies/guards/no-notes.cedar", NEVER_NOTE);
    edit(&project, "mortise/agents/support-bot.toml", "mode = \"observe\"", "mode = \"enforce\"");
    edit(&project, "mortise/agents/support-bot.toml", "    \"bench/slow\",\n", "");
    let mut shim = project.hosted(BOT, "bench");
    wait_for("the tightening", || {
        let answer = shim.call("slow", json!({"text": 1}));
        (rule(&answer) == "inventory/support-bot").then_some(())
    });
}

#[test]
fn a_log_without_what_was_accepted_does_not_start() {
    let project = bench();
    let mut shim = project.hosted(BOT, "bench");
    assert!(is_done(&note(&mut shim)));
    drop(shim);
    kill(project.gateway_pid().expect("a gateway"));
    std::fs::remove_file(project.state().join("accepted.json")).expect("a removed file");
    for args in [&["up", "--listen", "127.0.0.1:0"][..], &["proxy", "--agent", BOT, "--server", "bench"]] {
        let output = project.run(args);
        assert!(output.code == 3 || output.code == 30, "{output:#?}");
        assert!(output.stderr.contains("accepted"), "{output:#?}");
        assert!(!output.stderr.contains("panicked"), "{output:#?}");
    }
    assert!(!project.state().join("accepted.json").exists(), "what is on disk is not taken for what was accepted");
}

#[test]
fn under_dev_everything_applies_at_once_and_every_event_says_so() {
    let project = bench();
    project.write("mortise/policies/guards/no-notes.cedar", NEVER_NOTE);
    let mut gateway = project.up(&["--dev"]);
    let mut bench = project.hosted(BOT, "bench");
    assert_eq!(rule(&note(&mut bench)), "guards/no-notes");
    project.remove("mortise/policies/guards/no-notes.cedar");
    seen(&project, "config.changed");
    assert!(is_done(&note(&mut bench)));
    assert_ne!(project.typing(&["approvals", "approve", "ap-0", "--as", "ada"], &[("secret of", "x")]).code, 0);
    drop(bench);
    gateway.kill();
    let events = project.events();
    assert!(events.len() > 8 && events.iter().all(|event| event["dev"] == true), "{events:#?}");
}

#[test]
fn shadow_rules_are_recorded_and_decide_nothing() {
    let project = bench();
    project
        .write("mortise/policies/guards/no-notes.cedar", &NEVER_NOTE.replace("@reason", "@mode(\"shadow\")\n@reason"));
    let mut bench = project.proxy(BOT, "bench");
    assert!(is_done(&note(&mut bench)));
    let decision = project.events_of("policy.decision").pop().expect("a decision");
    assert_eq!(decision["decision"], "allow");
    assert!(decision["would"].to_string().contains("guards/no-notes"), "{decision}");
    assert!(!decision["reasons"].to_string().contains("guards/no-notes"), "{decision}");
}

#[test]
fn an_agents_mode_says_how_far_its_rules_bind() {
    for (mode, hard, soft) in [("observe", true, true), ("shadow", false, true), ("enforce", false, false)] {
        let project = Project::example("support-desk");
        edit(&project, "mortise/agents/support-bot.toml", "mode = \"enforce\"", &format!("mode = \"{mode}\""));
        let mut desk = project.proxy(BOT, "desk");
        // A hard guard and a soft one.
        let denied = desk.call("run_script", script("rotate_logs", "payments"));
        assert_eq!(is_done(&denied), hard, "{mode}: {denied}");
        let rehearsed = desk.call("run_script", script("purge_cache", "staging"));
        assert_eq!(rehearsed["result"]["structuredContent"]["dry_run"] == false, soft, "{mode}: {rehearsed}");
        // What is built in binds whatever the mode.
        assert_eq!(rule(&desk.call("no_such_tool", json!({}))), "inventory/support-bot");
        assert_eq!(rule(&desk.call("run_script", json!({}))), "schema/desk/run_script");
        let decisions = project.events_of("policy.decision");
        assert!(decisions.iter().all(|event| event["mode"] == mode));
        let would = decisions.iter().map(|event| event["would"].to_string()).collect::<String>();
        assert_eq!(would.contains("guards/protected-namespaces"), hard, "{mode}: {would}");
        assert_eq!(would.contains("guards/rehearse-cache-purge"), soft, "{mode}: {would}");
    }
}

#[test]
fn without_policies_nothing_is_allowed() {
    let project = Project::example("support-desk");
    std::fs::remove_dir_all(project.root().join("mortise/policies")).expect("no policies");
    std::fs::create_dir(project.root().join("mortise/policies")).expect("an empty folder");
    let (mut desk, mut mailer) = (project.proxy(BOT, "desk"), project.proxy(BOT, "mailer"));
    for answer in [
        desk.call("search_tickets", json!({"query": "a", "status": "open"})),
        desk.call("close_ticket", json!({"ticket_id": "T-1001", "resolution": "done"})),
        mailer.call("send_mail", mail("ada@example.com", "hello")),
    ] {
        assert_eq!(super::refusal(&answer)["verdict"], "deny");
    }
    let read = desk.request("resources/read", json!({"uri": "desk://handbook"}));
    assert!(read.get("error").is_some(), "{read}");
    assert!(project.events_of("tool.dispatch").is_empty());
}

#[test]
fn limits_that_were_accepted_hold_from_then_on() {
    let project = bench();
    edit(&project, "mortise.toml", "hold_s = 20", "hold_s = 1");
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    edit(&project, "mortise.toml", "max_open_per_session = 3", "max_open_per_session = 1");
    waits(&project);
    assert_eq!(accept(&project, "ada").code, 0);
    let first = bench.call("note", json!({"text": "ask 1"}));
    assert_eq!(super::refusal(&first)["approval"], "pending");
    assert_eq!(rule(&bench.call("note", json!({"text": "ask 2"}))), "approval/too-many-open");
}
