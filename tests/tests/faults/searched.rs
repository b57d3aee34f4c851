//! Searching a log: whatever becomes of the index, the answer is the one that reading the whole log gives.

use crate::faulty;
use crate::session::recorded;
use harness::Project;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Calls of a recorded log, newest first, as a search gives them.
fn search(project: &Project, filter: &[&str]) -> (Vec<Value>, String) {
    let output = project.run(&[&["trace", "search", "-n", "1000", "--format", "json"], filter].concat());
    assert!(output.code == 0 || output.code == 4, "{output:#?}");
    let found: Value = serde_json::from_str(&output.stdout).expect("a JSON document");
    assert_eq!(found["next"], Value::Null);
    (found["calls"].as_array().expect("calls").clone(), output.stderr)
}

/// The same, as reading the log from its beginning gives them.
fn listed(project: &Project) -> Vec<Value> {
    let mut rows = project.json(&["trace", "ls", "-n", "1000"]).as_array().expect("rows").clone();
    rows.reverse();
    rows
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["call"].as_str().expect("an id").to_owned()).collect()
}

fn index(project: &Project) -> PathBuf {
    project.state().join("search/index.sqlite")
}

/// A log with calls of two tools, one of them with an error.
fn project() -> Project {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    for number in 0..4 {
        client.call("echo", json!({"n": number}));
        client.call("no_such_tool", json!({"n": number}));
    }
    project.events();
    project
}

#[test]
fn an_index_that_is_damaged_foreign_or_gone_is_made_anew() {
    let (project, other) = (project(), recorded(1));
    let expected = listed(&project);
    assert_eq!(search(&project, &[]), (expected.clone(), String::new()));
    search(&other, &[]);
    let whole = fs::read(index(&project)).expect("the index");
    let mut broken = whole.clone();
    for byte in &mut broken[4096..] {
        *byte ^= 0x5a;
    }
    let foreign = fs::read(index(&other)).expect("an index");
    for (what, bytes) in [
        ("a damaged one", &broken[..]),
        ("half of it", &whole[..whole.len() / 2]),
        ("no database", b"no database at all, but longer than the header of one".repeat(9).as_slice()),
        ("that of another log", &foreign),
    ] {
        fs::write(index(&project), bytes).expect("a written file");
        let (found, said) = search(&project, &[]);
        assert_eq!(found, expected, "{what}");
        assert!(said.contains("note: the search index was made anew: "), "{what}: {said}");
        assert_eq!(search(&project, &[]), (expected.clone(), String::new()), "{what}, once more");
    }
    fs::remove_dir_all(index(&project).parent().expect("a folder")).expect("a removed folder");
    assert_eq!(search(&project, &[]), (expected, String::new()));
}

#[test]
fn an_index_deleted_while_several_search_and_the_log_grows() {
    let project = project();
    let before = ids(&listed(&project));
    std::thread::scope(|scope| {
        let (project, before) = (&project, &before);
        for _ in 0..3 {
            scope.spawn(move || {
                for _ in 0..6 {
                    let (found, _) = search(project, &["tool:echo,no_such_tool"]);
                    assert!(ids(&found).ends_with(before), "{found:#?}");
                }
            });
        }
        scope.spawn(move || {
            for _ in 0..8 {
                let _ = fs::remove_file(index(project));
                std::thread::sleep(Duration::from_millis(60));
            }
        });
        scope.spawn(move || {
            let mut client = project.proxy("tester", "faulty");
            for number in 0..20 {
                client.call("echo", json!({"n": number}));
            }
        });
    });
    project.events();
    assert_eq!(search(&project, &[]).0, listed(&project));
    project.ok(&["trace", "verify"]);
}

#[test]
fn pages_show_every_call_once_while_the_log_grows() {
    let project = project();
    let before = ids(&listed(&project));
    let mut client = project.proxy("tester", "faulty");
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut args = vec!["trace", "search", "-n", "3", "--format", "ndjson"];
        if let Some(cursor) = &after {
            args.extend(["--after", cursor]);
        }
        let page = project.run(&args);
        assert_eq!(page.code, 0, "{page:#?}");
        seen.extend(page.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row")));
        client.call("echo", json!({"n": "meanwhile"}));
        let Some(next) = page.stderr.trim().strip_prefix("there are more: --after ") else { break };
        after = Some(next.to_owned());
    }
    assert_eq!(ids(&seen), before);
    let once: BTreeSet<String> = ids(&seen).into_iter().collect();
    assert_eq!(once.len(), 8);
}

#[test]
fn filters_select_and_negate() {
    let project = project();
    let all = listed(&project);
    let having = |verdict: &str| all.iter().filter(|row| row["verdict"] == verdict).cloned().collect::<Vec<_>>();
    assert_eq!((having("allow").len(), having("deny").len()), (4, 4));
    for (filter, expected) in [
        (&["verdict:deny"][..], having("deny")),
        (&["-verdict:deny"], having("allow")),
        (&["tool:faulty/echo", "outcome:ok"], having("allow")),
        (&["rule:inventory/*"], having("deny")),
        (&["-echo"], having("deny")),
        (&["agent:tester since:1h -rule:base"], having("deny")),
        (&["verdict:deny verdict:allow"], Vec::new()),
        (&["until:1h"], Vec::new()),
    ] {
        assert_eq!(search(&project, filter).0, expected, "{filter:?}");
    }
    let counts = project.json(&["trace", "search", "--count-by", "verdict", "agent:tester"]);
    let four = |value: &str| json!({"value": value, "count": 4});
    assert_eq!(counts, json!({"by": "verdict", "counts": [four("allow"), four("deny")], "without": 0, "total": 8}));
    // Events fit by themselves, and are the log's own.
    let events = project.json(&["trace", "search", "--events", "kind:policy.decision", "verdict:allow"]);
    let mut expected: Vec<Value> = project.events_of("policy.decision");
    expected.retain(|event| event["decision"] == "allow");
    expected.reverse();
    assert_eq!(events, json!({"events": expected, "next": null}));
}

#[test]
fn what_is_wrong_with_a_filter_is_said_with_its_place() {
    let project = recorded(1);
    for (name, filter) in [
        ("search_unknown_key", "agent:tester verdct:deny"),
        ("search_unknown_word", "agent:tester verdict:deny,alow"),
        ("search_not_recorded", "cost:5"),
        ("search_time", "since:yesterday"),
        ("search_open_quote", "echo \"twice"),
        ("search_nothing", "agent:testre"),
    ] {
        insta::assert_snapshot!(name, format!("{:#?}", project.run(&["trace", "search", filter])));
    }
    let nothing = Project::empty();
    nothing.write("mortise.toml", "[project]\nname = \"nothing\"\n");
    let output = nothing.run(&["trace", "search"]);
    assert_eq!((output.code, output.stdout.as_str()), (4, ""), "{output:?}");
}
