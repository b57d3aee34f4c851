//! Searching tells calls as listing them does, whatever has become of them.

use super::people::{approve, deny, enroll, waiting_id};
use super::{BOT, bench, edit, script};
use harness::{Project, wait_for};
use serde_json::{Value, json};

/// Calls with each of the verdicts and several ends: approved, refused by a person, asked twice, still waiting.
fn project() -> Project {
    let project = bench();
    edit(&project, "mortise.toml", "hold_s = 20", "hold_s = 1");
    enroll(&project, "ada");
    let (mut desk, mut bench) = (project.hosted(BOT, "desk"), project.hosted(BOT, "bench"));
    desk.call("search_tickets", json!({"query": "cached", "status": "open"}));
    desk.call("search_tickets", json!({"query": "invoice", "status": "closed"}));
    desk.call("run_script", script("purge_cache", "staging"));
    desk.call("run_script", script("drop_namespace", "payments-zanzibar"));
    desk.call("no_such_tool", json!({}));
    bench.call("note", json!({"text": "ask once"}));
    bench.call("note", json!({"text": "ask once"}));
    let granted = waiting_id(&project);
    assert_eq!(approve(&project, &granted, "ada").code, 0);
    wait_for("the stored call's result", || {
        let results = project.events_of("tool.result");
        results.iter().any(|event| event["tool_name"] == "note").then_some(())
    });
    bench.call("note", json!({"text": "ask for a no"}));
    let refused = waiting_id(&project);
    assert_eq!(deny(&project, &refused, "ada").code, 0);
    bench.call("note", json!({"text": "ask and wait"}));
    project
}

fn rows(project: &Project, filter: &[&str]) -> Vec<Value> {
    let output = project.run(&[&["trace", "search", "-n", "1000", "--format", "ndjson"], filter].concat());
    output.stdout.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

#[test]
fn calls_are_found_as_they_are_listed() {
    let project = project();
    let mut listed = project.json(&["trace", "ls", "-n", "1000"]).as_array().expect("rows").clone();
    listed.reverse();
    assert!(listed.len() >= 9 && listed.iter().any(|row| row["repeats"] == true), "{listed:#?}");
    assert_eq!(rows(&project, &[]), listed);
    for verdict in ["allow", "sandbox", "sanitize", "ask", "deny"] {
        let having: Vec<Value> = listed.iter().filter(|row| row["verdict"] == verdict).cloned().collect();
        assert!(!having.is_empty(), "{verdict}");
        assert_eq!(rows(&project, &[&format!("verdict:{verdict}")]), having, "{verdict}");
    }
    for outcome in ["ok", "refused"] {
        let having: Vec<Value> = listed.iter().filter(|row| row["outcome"] == outcome).cloned().collect();
        assert_eq!(rows(&project, &[&format!("outcome:{outcome}")]), having, "{outcome}");
    }
    let open: Vec<Value> = listed.iter().filter(|row| row["outcome"] == Value::Null).cloned().collect();
    assert!(!open.is_empty());
    assert_eq!(rows(&project, &["-outcome:*"]), open);
    // Alone on its page, a call that asks once more is still one that does.
    for row in listed.iter().filter(|row| row["repeats"] == true) {
        assert_eq!(
            rows(&project, &[&format!("call:{}", row["call"].as_str().expect("an id"))]),
            std::slice::from_ref(row)
        );
    }
    assert_eq!(rows(&project, &["approver:ada"]).len(), 2);
    // What an agent sent is in no index.
    let index = std::fs::read(project.state().join("search/index.sqlite")).expect("the index");
    for word in ["zanzibar", "once", "invoice"] {
        assert!(!index.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
        assert_eq!(rows(&project, &[word]), [] as [Value; 0], "{word}");
    }
    assert_eq!(rows(&project, &["looks"]).len(), rows(&project, &["rule:guards/bench-asks"]).len());
}

/// A log that was taken elsewhere, searched from where no project is: found is the same, and nothing is left behind.
#[test]
fn another_log_is_searched_and_left_as_it_is() {
    let project = project();
    let place = tempfile::tempdir().expect("a folder");
    let [copy, nowhere, scratch] = ["copy", "nowhere", "scratch"].map(|name| place.path().join(name));
    for folder in [&nowhere, &scratch] {
        std::fs::create_dir(folder).expect("a folder");
    }
    let copied = harness::project::finish(std::process::Command::new("cp").arg("-r").arg(project.log()).arg(&copy));
    assert_eq!(copied.code, 0, "{copied:?}");
    let search = |log: &std::path::Path, more: &[&str]| {
        let log = log.display().to_string();
        let args = [&["trace", "search", "--log", &log, "--format", "ndjson"], more].concat();
        let mut command = project.command(&args);
        harness::project::finish(command.current_dir(&nowhere).env("TMPDIR", &scratch))
    };
    for filter in [&[] as &[&str], &["verdict:deny"], &["-outcome:*"], &["approver:ada"]] {
        let found = search(&copy, filter);
        let found: Vec<Value> = found.stdout.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
        assert!(!found.is_empty(), "{filter:?}");
        assert_eq!(found, rows(&project, filter), "{filter:?}");
    }
    assert_eq!(search(&copy, &["--count-by", "verdict"]).code, 0);
    assert_eq!(search(&copy, &["agent:nobody"]).code, 4);
    let none = search(&nowhere, &[]);
    assert!(none.code == 4 && none.stderr.contains("nowhere"), "{none:?}");
    let names = |folder: &std::path::Path| std::fs::read_dir(folder).expect("a folder").count();
    assert_eq!((names(&scratch), names(place.path())), (0, 3), "an index was left behind");

    // The project's own has its index where it always is.
    std::fs::remove_dir_all(project.state().join("search")).expect("an index");
    let log = project.log().display().to_string();
    project.ok(&["trace", "search", "--log", &log]);
    assert!(project.state().join("search/index.sqlite").exists());
}

/// The commands of `docs/guides/search.md`, as they stand there.
#[test]
fn the_guides_commands_run() {
    let project = project();
    let guide = include_str!("../../../docs/guides/search.md");
    let commands: Vec<&str> = guide.lines().filter(|line| line.starts_with("mortise trace search")).collect();
    assert!(commands.len() > 10, "{commands:?}");
    for line in commands {
        let line = line.split(" #").next().unwrap_or(line).replace("01a22105-ad6d-74c0-9f00-bc255fed4cc9", "x");
        let script = line.replacen("mortise", "\"$MORTISE_UNDER_TEST\"", 1);
        let mut shell = std::process::Command::new("sh");
        let binary = project.command(&[]);
        shell.args(["-c", &script]).current_dir(project.root()).env("MORTISE_UNDER_TEST", binary.get_program());
        let output = harness::project::finish(shell.env("MORTISE_STATE_DIR", project.state_base()));
        assert!(output.code == 0 || output.code == 4, "{line}: {output:#?}");
    }
}
