//! Formats that a command does not write, asked for all the same.

use crate::session::recorded;
use harness::{Project, wait_for};
use serde_json::Value;

#[test]
fn a_format_that_a_command_does_not_write_is_refused_before_anything_is_done() {
    let project = Project::example("support-desk");
    for (format, command) in [
        ("junit", &["trace", "verify"][..]),
        ("junit", &["check"]),
        ("junit", &["up"]),
        ("json", &["up"]),
        ("json", &["demo"]),
        ("json", &["completions", "bash"]),
        ("json", &["trace", "prove", "1"]),
        ("ndjson", &["proxy", "--agent", "support-bot", "--server", "desk"]),
        ("ndjson", &["run", "--agent", "support-bot", "--", "true"]),
    ] {
        for args in [[&["--format", format], command].concat(), before_the_rest(format, command)] {
            let refused = project.run(&args);
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{args:?}: {refused:?}");
            assert!(refused.stderr.contains(&format!("this command does not write `{format}`")), "{refused:?}");
            assert!(refused.stderr.contains("help: "), "{refused:?}");
        }
    }
    let unknown = project.run(&["--format", "xml", "check"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""), "{unknown:?}");
    assert!(!project.state_base().exists(), "nothing was begun");
    assert_eq!(project.run(&["--format", "json", "check"]).code, 0);
}

/// The same words with the format after the command's first.
fn before_the_rest<'a>(format: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    let (first, rest) = command.split_first().expect("a command");
    [&[*first, "--format", format], rest].concat()
}

#[test]
fn json_is_one_document_and_ndjson_one_a_line() {
    let project = recorded(2);
    let call = project.events_of("tool.intent")[0]["call"].as_str().expect("a call").to_owned();
    let events = project.events().iter().filter(|event| event["call"] == *call).count();
    assert!(events > 1);
    for (args, count) in [
        (&["trace", "ls"][..], 2),
        (&["trace", "ls", "--events", "-n", "3"], 3),
        (&["trace", "show", &call], events),
        (&["agents", "ls"], 1),
        (&["keys", "ls"], 1),
        (&["migrate"], 3),
    ] {
        let text = project.ok(&[&["--format", "json"], args].concat());
        let document: Value = serde_json::from_str(&text).expect("one document");
        assert_eq!(document.as_array().map(Vec::len), Some(count), "{args:?}: {text}");
        let text = project.ok(&[&["--format", "ndjson"], args].concat());
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
        assert_eq!(lines, *document.as_array().expect("an array"), "{args:?}: {text}");
    }
    assert_eq!(project.json(&["trace", "show", "1"])["index"], 1);
    let endless = project.run(&["trace", "tail", "--format", "json"]);
    assert!(endless.code == 2 && endless.stderr.contains("`--format ndjson`"), "{endless:?}");
    // What a filter does not select is none of a listing, and nothing at all is said by the exit code.
    assert_eq!(project.run(&["trace", "ls", "--events", "--agent", "nobody"]).code, 4);
    assert_eq!(project.run(&["trace", "ls", "--agent", "nobody"]).code, 4);
}

#[test]
fn what_is_said_to_a_file_has_no_colours() {
    let project = crate::faulty::with(
        "[sinks.hook]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\nheaders = { authorization = \"env:NO_SUCH_VARIABLE\" }\n",
    );
    let _gateway = project.proxy("tester", "faulty");
    let said = wait_for("a warning", || {
        let said = std::fs::read_to_string(project.state().join("gateway.err")).ok()?;
        said.contains("WARN").then_some(said)
    });
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
