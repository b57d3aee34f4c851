//! Two traces held against each other, and the past decided again, by the built binary.

use super::{BOT, is_done};
use harness::{Output, Project, StdioClient, wait_for};
use serde_json::{Value, json};

const OTHER: &str = "other-bot";

/// The same agent under another name, answered for by another model.
fn project() -> Project {
    let project = Project::example("support-desk");
    let file = project.read(&format!("mortise/agents/{BOT}.toml"));
    project.write(&format!("mortise/agents/{OTHER}.toml"), &format!("model = \"anthropic/second\"\n{file}"));
    project.write(&format!("mortise/agents/{BOT}.toml"), &format!("model = \"anthropic/first\"\n{file}"));
    project
}

fn search(desk: &mut StdioClient, query: &str) {
    assert!(is_done(&desk.call("search_tickets", json!({"query": query, "status": "open"}))));
}

/// The session of an agent's last call.
fn session(project: &Project, agent: &str) -> String {
    let intents = project.events_of("tool.intent");
    let own = intents.iter().rev().find(|event| event["agent"] == agent).expect("a call");
    own["session"].as_str().expect("a session").to_owned()
}

/// A session of its own: what `mortise run` begins.
fn run(project: &Project, queries: &[&str]) -> String {
    let token = project.ok(&["run", "--agent", BOT, "--", "sh", "-c", "echo $MORTISE_RUN_TOKEN"]);
    let mut desk = project.hosted_raw(&["--server", "desk"], &[("MORTISE_RUN_TOKEN", token.trim())]);
    desk.initialize();
    queries.iter().for_each(|query| search(&mut desk, query));
    session(project, BOT)
}

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("no document: {output:?}"))
}

#[test]
fn the_same_run_twice_differs_in_the_call_that_was_changed() {
    let project = project();
    let first = run(&project, &["cached", "slow", "login", "slow"]);
    let again = run(&project, &["cached", "slow", "login", "slow"]);
    let other = run(&project, &["cached", "password", "login", "slow", "late"]);
    assert_ne!(first, again);

    let same = project.run(&["trace", "diff", &first, &again]);
    assert_eq!((same.code, same.stdout.lines().last()), (0, Some("4 same, 0 changed, 0 removed, 0 added")), "{same:?}");

    let different = project.run(&["trace", "diff", &first, &other]);
    assert_eq!(different.code, 10, "{different:?}");
    assert!(different.stdout.contains("arguments differ"), "{different:?}");

    let found = project.run(&["trace", "diff", &first, &other, "--format", "json"]);
    let found = document(&found);
    assert_eq!(found["summary"], json!({"same": 3, "changed": 1, "removed": 0, "added": 1}), "{found}");
    assert!(found["arguments_compared"] == true && found["best"] == true);

    let nothing = project.run(&["trace", "diff", &first, "no-such-session"]);
    assert_eq!(nothing.code, 4, "{nothing:?}");
    assert_eq!(project.run(&["trace", "diff", &first]).code, 2);
}

#[test]
fn two_models_and_two_logs_are_told_apart() {
    let project = project();
    for agent in [BOT, OTHER] {
        let mut desk = project.proxy(agent, "desk");
        search(&mut desk, "cached");
        search(&mut desk, "slow");
    }
    let (a, b) = (session(&project, BOT), session(&project, OTHER));
    let found = project.run(&["trace", "diff", &a, &b, "--format", "json"]);
    assert_eq!(found.code, 10, "{found:?}");
    let found = document(&found);
    assert_eq!(found["summary"]["changed"], 2, "{found}");
    for difference in found["differences"].as_array().unwrap() {
        assert_eq!(difference["fields"], json!(["model"]), "{difference}");
        assert_eq!(
            (&difference["a"]["model"], &difference["b"]["model"]),
            (&json!("anthropic/first"), &json!("anthropic/second"))
        );
    }

    let log = project.log().display().to_string();
    let itself = project.run(&["trace", "diff", "--log", &log, "--log", &log]);
    assert_eq!(itself.code, 0, "{itself:?}");
    let elsewhere = self::project();
    for agent in [BOT, OTHER] {
        let mut desk = elsewhere.proxy(agent, "desk");
        search(&mut desk, "cached");
        search(&mut desk, "something else");
    }
    let other = elsewhere.log().display().to_string();
    let logs = project.run(&["trace", "diff", "--log", &log, "--log", &other]);
    assert_eq!(logs.code, 0, "hashes under different keys say nothing: {logs:?}");
    assert!(logs.stderr.contains("different keys"), "{logs:?}");
    assert_eq!(project.run(&["trace", "diff", "--log", &log]).code, 2);
}

#[test]
fn a_replay_counts_every_decision_and_reads_nothing_but_policies() {
    let project = project();
    let nothing = project.run(&["replay"]);
    assert_eq!(nothing.code, 4, "{nothing:?}");
    let mut desk = project.proxy(BOT, "desk");
    search(&mut desk, "cached");
    search(&mut desk, "slow");
    let decisions = project.events_of("policy.decision").len();
    let page = project.root().join("page.html").display().to_string();
    let replay = project.run(&["replay", "--format", "json", "--html", &page]);
    let found = document(&replay);
    let summary = &found["summary"];
    assert_eq!(summary["decisions"], decisions, "{replay:?}");
    let parts = ["exact", "from_facts", "not_replayable"].map(|part| summary[part].as_u64().unwrap());
    assert_eq!(parts.iter().sum::<u64>(), u64::try_from(decisions).unwrap());
    assert_eq!((&summary["differences"], &summary["altered"]), (&json!(0), &json!(0)));
    assert!(project.read("page.html").starts_with("<!doctype html>"));

    let policies = project.root().join("mortise/policies").display().to_string();
    let others = document(&project.run(&["replay", "--policies", &policies, "--format", "json"]));
    assert_eq!((&others["policies"], &others["bundle"]), (&json!("others"), &found["bundle"]));
    let root = project.root().display().to_string();
    let whole = document(&project.run(&["replay", "--policies", &root, "--format", "json"]));
    assert_eq!(whole["bundle"], found["bundle"]);

    let since = project.run(&["replay", "--since", "yesterday"]);
    assert!(since.code == 2 && since.stderr.contains("--since 7d"), "{since:?}");
    let empty = project.root().join("mortise/tools").display().to_string();
    assert_eq!(project.run(&["replay", "--policies", &empty]).code, 3);
    assert_eq!(project.run(&["replay", "--agent", "nobody"]).code, 4);
    assert_eq!(project.run(&["replay", "--format", "junit"]).code, 2);
}

/// Two changes of the policies between three calls: each is decided again by the policies that decided.
#[test]
fn a_decision_of_an_earlier_configuration_comes_out_as_recorded() {
    let project = project();
    let mut gateway = project.up(&["--dev"]);
    let mut desk = project.proxy(BOT, "desk");
    search(&mut desk, "cached");
    for (changes, query) in ["slow", "login"].into_iter().enumerate() {
        let rule = format!(
            "@id(\"guards/no-{query}\")\nforbid (principal, action, resource) when {{ context.session.calls > {} }};\n",
            1_000 - changes
        );
        project.write(&format!("mortise/policies/{query}.cedar"), &rule);
        wait_for("a change in force", || (project.events_of("config.changed").len() > changes).then_some(()));
        search(&mut desk, query);
    }
    drop(desk);
    let decisions = project.events_of("policy.decision");
    let bundles: std::collections::BTreeSet<&str> =
        decisions.iter().filter_map(|event| event["policy_bundle"].as_str()).collect();
    assert_eq!(bundles.len(), 3, "{bundles:?}");
    let summary = || document(&project.run(&["replay", "--format", "json"]))["summary"].clone();
    let found = summary();
    let all = json!(decisions.len());
    assert_eq!((&found["decisions"], &found["exact"], &found["differences"]), (&all, &all, &json!(0)), "{found}");
    let last = decisions.last().expect("a decision")["policy_bundle"].clone();
    let earlier = decisions.iter().filter(|event| event["policy_bundle"] != last).count();
    assert_eq!(found["earlier"], earlier, "{found}");
    let said = project.ok(&["replay"]);
    assert!(said.contains(&format!("{earlier} of them under the earlier configuration that decided then")), "{said}");

    // What is not kept any more is said, and so is what was altered: neither is decided again by others.
    let kept = project.state().join("configurations");
    let mut files: Vec<_> =
        std::fs::read_dir(&kept).expect("a folder").map(|entry| entry.expect("one").path()).collect();
    files.sort();
    assert_eq!(files.len(), 3);
    let text = std::fs::read_to_string(&files[1]).expect("a configuration");
    std::fs::write(&files[1], text.replace("no-slow", "no-fast")).expect("an altered configuration");
    let altered = project.run(&["replay"]);
    assert!(altered.stderr.contains("cannot be used: its file in `configurations` is damaged"), "{altered:?}");
    std::fs::remove_dir_all(&kept).expect("a removed folder");
    let without = project.run(&["replay"]);
    assert!(without.code == 0 && without.stdout.contains("whose files are not kept"), "{without:?}");
    assert_eq!(summary()["not_replayable"], earlier);

    // The next start keeps what is in force.
    gateway.kill();
    wait_for("the gateway's end", || project.control(&json!("status")).is_none().then_some(()));
    let _gateway = project.up(&["--dev"]);
    wait_for("the configuration in force", || {
        let files = std::fs::read_dir(&kept).ok()?.filter_map(Result::ok);
        (files.filter(|file| !file.file_name().to_string_lossy().starts_with('.')).count() == 1).then_some(())
    });
}
