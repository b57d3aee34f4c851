//! Files in the formats of others.

use crate::{BOT, WORDS, project, search};
use harness::{Output, Project, part, workspace};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// A project with a recorded session: allowed, denied, and by a name that a spreadsheet would run.
fn recorded() -> Project {
    let project = project("");
    let mut desk = project.hosted(BOT, "desk");
    search(&mut desk);
    desk.call("run_script", json!({ "script_name": "delete_namespace", "namespace": "kube-system", "args": [] }));
    desk.call(FORMULA, json!({}));
    desk.call(TEXT, json!({}));
    drop(desk);
    project
}

/// The names of tools that an agent asks for: of the form of one, and of none.
const FORMULA: &str = "-2-3.A1";
const TEXT: &str = "my ssn is 123-45-6789";

fn export(project: &Project, format: &str, more: &[&str]) -> Output {
    let mut args = vec!["trace", "export", "--as", format, format];
    args.extend(more);
    project.run(&args)
}

fn python(script: &str, args: &[&str]) -> Output {
    let mut command = Command::new(part("python/bin/python"));
    command.arg("-B").arg(workspace().join("tests/fixtures").join(script)).args(args);
    harness::project::finish(&mut command)
}

#[test]
fn other_peoples_programs_read_what_is_written() {
    let project = recorded();
    for format in ["jsonl", "csv", "otlp", "otlp-proto", "ocsf"] {
        let output = export(&project, format, &[]);
        assert_eq!(output.code, 0, "{output:?}");
        let bytes = fs::read(project.root().join(format)).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(WORDS) && !text.contains("123-45"), "{format}");
    }
    let checked = python("check_exports.py", &[&project.root().display().to_string()]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let found: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    let calls = crate::calls(&project).len();
    assert_eq!((&found["spans"], &found["ocsf"]), (&json!(calls), &json!(calls)), "{found}");
    assert!(found["actions"].to_string().contains("\"Modified\",\"Denied\""), "{found}");

    // The lines are the leaves.
    let lines = project.read("jsonl");
    let last = (lines.lines().count() - 1).to_string();
    harness::wait_for("sealed records", || (project.run(&["trace", "prove", &last]).code == 0).then_some(()));
    for (index, line) in lines.lines().enumerate() {
        project.ok(&["trace", "prove", &index.to_string(), "--leaf", "leaf"]);
        assert_eq!(line, project.read("leaf"), "record {index}");
    }
}

#[test]
fn a_spreadsheet_runs_nothing() {
    let project = recorded();
    let refused = project.events().into_iter().filter(|event| event["tool_name"] == FORMULA).count();
    assert!(refused > 0, "the name is in the log as it was asked for");
    let said = project.json(&["trace", "export", "--as", "csv", "csv"]);
    let check = "import csv, sys\nrows = list(csv.reader(open(sys.argv[1], newline='')))\nprint(len(rows), \
                 sum(cell == \"'\" + sys.argv[2] for row in rows for cell in row))\n\
                 sys.exit(any(cell[:1] in '=+-@\\t\\r' for row in rows for cell in row if cell) \
                 or len({len(row) for row in rows}) != 1)";
    let mut command = Command::new("python3");
    let path = project.root().join("csv").display().to_string();
    let checked = harness::project::finish(command.args(["-c", check, &path, FORMULA]));
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_eq!(
        checked.stdout.trim(),
        format!("{} {refused}", said["rows"].as_u64().expect("a number") + 1),
        "{checked:?}"
    );
}

#[test]
fn an_export_is_said_in_the_log_before_it_is_there() {
    let project = project("");
    let _gateway = project.up(&["--dev"]);
    search(&mut project.hosted(BOT, "desk"));
    let said = project.json(&["trace", "export", "--as", "csv", "out.csv", "--agent", BOT, "--since", "2026-01-01"]);
    assert_eq!(said["recorded"], true, "{said}");
    let event = project.events_of("export.created").pop().expect("an event");
    let detail = &event["detail"];
    for (name, value) in [
        ("format", json!("csv")),
        ("agent", json!(BOT)),
        ("since_us", json!(1_767_225_600_000_000_u64)),
        ("rows", said["rows"].clone()),
        ("records", said["records"].clone()),
        ("sha256", said["sha256"].clone()),
    ] {
        assert_eq!(detail[name], value, "{name}: {detail}");
    }
    let mut command = Command::new("sha256sum");
    let sum = harness::project::finish(command.arg(project.root().join("out.csv"))).stdout;
    assert_eq!(sum.split(' ').next(), said["sha256"].as_str());

    // Nothing is written over.
    let again = project.run(&["trace", "export", "--as", "csv", "out.csv"]);
    assert_eq!(again.code, 2, "{again:?}");
    assert_eq!(project.events_of("export.created").len(), 1);

    // An agent, and what it starts, exports nothing unseen.
    let _shim = project.proxy(BOT, "desk");
    let governed = project.run(&["trace", "export", "--as", "csv", "mine.csv"]);
    assert_eq!(governed.code, 12, "{governed:?}");
    assert!(!project.root().join("mine.csv").exists() && !project.root().join("mine.csv.partial").exists());
    let rejected = project.events_of("approval.rejected").pop().expect("an event");
    assert!(rejected["text"].as_str().expect("a text").ends_with("tried to export the log"), "{rejected}");
}

#[test]
fn a_bundle_is_said_in_the_log_before_it_is_one() {
    let project = project("");
    let gateway = project.up(&["--dev"]);
    search(&mut project.hosted(BOT, "desk"));
    let sealed = || (project.json(&["trace", "verify"])["unsealed"] == 0).then_some(());
    harness::wait_for("a sealed log", sealed);
    let manifest = project.json(&["trace", "bundle", "week", "--agent", BOT, "--since", "2026-01-01"]);
    let event = project.events_of("export.created").pop().expect("an event");
    let rows = manifest["selected"].as_u64().expect("a number") + manifest["supporting"].as_u64().expect("a number");
    let mut command = Command::new("sha256sum");
    let sum = harness::project::finish(command.arg(project.root().join("week/manifest.json"))).stdout;
    for (name, value) in [
        ("format", json!("audit-bundle")),
        ("agent", json!(BOT)),
        ("since_us", json!(1_767_225_600_000_000_u64)),
        ("rows", json!(rows)),
        ("records", manifest["size"].clone()),
        ("bytes", json!(project.read("week/manifest.json").len())),
        ("sha256", json!(sum.split(' ').next())),
    ] {
        assert_eq!(event["detail"][name], value, "{name}: {event}");
    }
    assert!(event["detail"].get("until_us").is_none() && project.events_of("access.read").is_empty());

    // What is disclosed is told of twice: that it is read, and what was made of it.
    let disclosed = project.typing(&["trace", "bundle", "told", "--disclose", "audit 2026"], &[]);
    assert_eq!(disclosed.code, 0, "{disclosed:#?}");
    assert_eq!((project.events_of("access.read").len(), project.events_of("export.created").len()), (1, 2));

    // An agent, and what it starts, takes nothing away unseen.
    {
        let _shim = project.proxy(BOT, "desk");
        fs::create_dir(project.root().join("given")).expect("a folder");
        for folder in ["mine", "given"] {
            let governed = project.run(&["trace", "bundle", folder]);
            assert_eq!(governed.code, 12, "{governed:?}");
        }
        assert!(!project.root().join("mine").exists());
        assert_eq!(fs::read_dir(project.root().join("given")).expect("the folder").count(), 0);
        assert_eq!(project.events_of("approval.rejected").len(), 2);
        assert_eq!(project.events_of("export.created").len(), 2);
    }
    crate::end(&project);
    drop(gateway);
    let unrecorded = project.run(&["trace", "bundle", "later"]);
    assert_eq!(unrecorded.code, 0, "{unrecorded:?}");
    assert!(unrecorded.stderr.contains("this export is not recorded in the log: no gateway runs"), "{unrecorded:?}");
    assert!(project.root().join("later/manifest.json").exists());
}

#[test]
fn without_a_gateway_it_is_said_that_nobody_could_record_it() {
    let project = recorded();
    crate::kill(&project);
    let output = export(&project, "jsonl", &[]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("this export is not recorded in the log: no gateway runs"), "{output:?}");
    let other = project.run(&["trace", "export", "--as", "cvs", "x"]);
    assert_eq!(other.code, 2, "{other:?}");
    assert!(other.stderr.contains("`cvs` is no format") && other.stderr.contains("`csv`"), "{other:?}");
}

/// The system kills it in the middle of a write; gone on with, the file is the one that was never interrupted.
#[test]
fn an_export_that_was_killed_is_gone_on_with() {
    let project = project("");
    let mut desk = project.hosted(BOT, "desk");
    // Most of them are over the agent's limit, and recorded as denied.
    for _ in 0..1_300 {
        search(&mut desk);
    }
    drop(desk);
    crate::kill(&project);
    for format in ["jsonl", "otlp-proto"] {
        let whole = format!("{format}.whole");
        project.ok(&["trace", "export", "--as", format, &whole]);
        let whole = fs::read(project.root().join(&whole)).expect("a file");
        let limit = whole.len() * 3 / 4 / 512;
        assert!(limit * 512 > 1024 * 1024, "{format}: {} bytes are too few", whole.len());
        // A file larger than that ends the process that writes it.
        let mut command = Command::new("sh");
        let script = format!("ulimit -c 0; ulimit -f {limit}; exec \"$0\" trace export --as {format} {format}");
        command.args(["-c", &script]).arg(harness::mortise()).current_dir(project.root()).env_clear();
        command.env("MORTISE_STATE_DIR", project.state_base());
        let killed = harness::project::finish(&mut command);
        assert_eq!(killed.code, -1, "{killed:?}");
        let state: Value = serde_json::from_str(&project.read(&format!("{format}.partial.state"))).expect("a state");
        assert!(state["bytes"].as_u64().expect("a number") >= 1024 * 1024, "{state}");
        assert!(!project.root().join(format).exists());

        let refused = export(&project, format, &[]);
        assert!(refused.code == 2 && refused.stderr.contains("--resume"), "{refused:?}");
        let resumed = export(&project, format, &["--resume"]);
        assert_eq!(resumed.code, 0, "{resumed:?}");
        assert!(fs::read(project.root().join(format)).expect("a file") == whole, "{format} is another file");
        assert!(!project.root().join(format!("{format}.partial")).exists());
        assert!(!project.root().join(format!("{format}.partial.state")).exists());
    }
}

#[test]
fn the_directory_of_tiles_is_what_it_was() {
    let project = recorded();
    crate::kill(&project);
    let output = project.run(&["trace", "export", "tiles"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(project.root().join("tiles/checkpoint").exists() && project.root().join("tiles/tile/entries").exists());
}
