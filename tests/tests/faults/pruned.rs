//! The beginning of a log goes when its time is over, and whoever asks is told.

use crate::faulty;
use crate::foreign::checker;
use crate::kept::{decide, enroll};
use crate::session::end_gateway;
use harness::{Project, StdioClient, project::finish};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use store::{Clock, Keys, Log, LogOptions, StateDir};
use vocab::Event;
use vocab::event::Kind;

const DAY_US: i64 = 86_400_000_000;
const ORIGIN: &str = "mortise.local/faults";
/// Three records of this length fill a segment of the smallest size.
const LONG: usize = 40_000;

fn event(kind: Kind, days_ago: i64, length: usize) -> Vec<u8> {
    let t = Clock::system().now() - days_ago * DAY_US;
    let mut event = Event::new(kind, format!("aged-{days_ago}"), t, "default");
    if kind == Kind::GatewayStarted {
        let days = json!({ "records": 731, "decision_input": 30, "trace_text": 30 });
        event.detail.insert("retention_days".to_owned(), days);
    }
    event.user = Some("olduser".into());
    event.text = Some("x".repeat(length).into());
    event.to_bytes().expect("a record")
}

/// A project whose log began 900 days ago.
fn aged(newest_days_ago: i64) -> Project {
    begun(900, newest_days_ago, "", false)
}

/// A project whose log began so many days ago: ten long records, a day apart, in segments that begin with 0, 3, 6 and 9; and
/// one that is as old as is said. Nothing of it goes before a hold is released, if there is to be one.
fn begun(days_ago: i64, newest_days_ago: i64, settings: &str, is_held: bool) -> Project {
    let project = faulty::with(&format!("[approvers.ada]\ngroups = [\"audit\"]\n{settings}"));
    // A gateway accepts the configuration; in place of its log comes an older one, under the same keys.
    enroll(&project);
    if is_held {
        assert_eq!(decide(&project, &["retention", "hold", "case-9"]).code, 0);
    }
    end_gateway(&project);
    let state = StateDir::open(&project.state()).expect("a state directory");
    fs::remove_dir_all(state.log()).expect("no log");
    state.remove("calendar.json").expect("no calendar");
    let keys = Keys::open(&state.keys(), ORIGIN).expect("keys");
    let options = LogOptions { segment_bytes: store::log::MIN_SEGMENT_BYTES, ..LogOptions::new(ORIGIN) };
    let (log, _) = Log::open(&state.log(), &options, keys.signers().expect("signers"), &mut |_, _| {}).expect("a log");
    let mut records = vec![event(Kind::GatewayStarted, days_ago, LONG)];
    records.extend((1..10).map(|day| event(Kind::ServerStarted, days_ago - day, LONG)));
    records.push(event(Kind::GatewayStopped, newest_days_ago, 0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for record in records {
        runtime.block_on(log.append(vec![record])).expect("a durable record");
    }
    log.close().expect("a closed log");
    project
}

fn verified(project: &Project) -> (i32, Value) {
    let output = project.run(&["--format", "ndjson", "trace", "verify"]);
    (output.code, serde_json::from_str(output.stdout.lines().last().expect("a report")).expect("JSON"))
}

fn segment(project: &Project, first: u64) -> PathBuf {
    project.log().join(format!("seg/{first:020}.log"))
}

fn prune(project: &Project) -> String {
    let output = project.typing(&["retention", "prune"], &[]);
    assert_eq!(output.code, 0, "{output:#?}");
    output.stdout
}

#[test]
fn records_past_their_time_are_gone_and_everything_else_works() {
    let project = begun(900, 1, "", true);
    assert_eq!(verified(&project).1["pruned"], Value::Null);
    let found = project.ok(&["trace", "search", "--events", "user:olduser"]);
    assert!(found.contains("#3"), "{found}");

    // A hold keeps them.
    assert!(prune(&project).contains("a legal hold stands"));
    assert!(segment(&project, 0).exists());
    assert_eq!(decide(&project, &["retention", "release", "case-9"]).code, 0);

    let said = prune(&project);
    // The gateway looks by itself, too: it may have been first.
    let by_itself = said.contains("nothing is past its time");
    assert!(by_itself || said.contains("9 events") && said.contains("the log begins with event #9"), "{said}");
    assert_eq!([0, 3, 6, 9].map(|first| segment(&project, first).exists()), [false, false, false, true]);
    let (code, report) = verified(&project);
    assert_eq!((code, &report["verdict"], &report["pruned"]["first"]), (0, &json!("ok"), &json!(9)));
    let told = project.events_of("store.pruned");
    assert_eq!((&told[0]["detail"]["class"], &told[0]["index"]), (&json!("records"), &report["pruned"]["index"]));
    assert!(prune(&project).contains("nothing is past its time"));

    // Asked for what is gone, everything says so.
    for command in [&["trace", "show", "3"][..], &["trace", "prove", "3"]] {
        let output = project.run(command);
        assert!(output.code == 4 && output.stderr.contains("event #3 was pruned on 2"), "{output:?}");
    }
    let shown = project.run(&["retention", "show"]).stdout;
    assert!(shown.contains("those before event #9 were pruned on 2") && shown.contains("no legal hold"), "{shown}");
    let found = project.ok(&["trace", "search", "--events", "user:olduser"]);
    assert!(found.contains("#9") && !found.contains("#3"), "{found}");

    // What is there is read by everything.
    project.hosted("tester", "faulty").call("echo", json!({"n": 1}));
    assert_eq!(project.events().first().expect("an event")["index"], 9);
    for command in [&["trace", "ls"][..], &["trace", "usage"], &["keys", "ls"], &["migrate"], &["replay"]] {
        let output = project.run(command);
        assert!([0, 4].contains(&output.code), "{command:?}: {output:?}");
    }
    let calls = project.events_of("tool.dispatch");
    project.hosted("tester", "faulty").call("echo", json!({"n": 1}));
    let runs = project.events_of("tool.dispatch");
    let session = |event: &Value| event["session"].as_str().expect("a session").to_owned();
    let (one, other) = (session(calls.last().expect("a call")), session(runs.last().expect("a call")));
    let same = project.run(&["trace", "diff", &one, &other]);
    assert!([0, 10].contains(&same.code), "{same:?}");
    let mut tail = StdioClient::start(&mut project.command(&["--format", "ndjson", "trace", "tail", "--events"]));
    let indexes = |tail: &mut StdioClient| tail.next_frame().and_then(|line| serde_json::from_str::<Value>(&line).ok());
    let first = indexes(&mut tail).expect("an event");
    assert_eq!(first["index"], 9, "{first}");
    let before = project.events().len();
    project.hosted("tester", "faulty").call("echo", json!({"n": 2}));
    let dispatched = (0..).find_map(|_| {
        indexes(&mut tail)
            .filter(|event| event["type"] == "tool.dispatch" && event["index"].as_u64() > Some(8 + before as u64))
    });
    assert!(dispatched.is_some(), "a call that is made meanwhile is followed");
    drop(tail);
    end_gateway(&project);
    let dir = project.root().join("out");
    fs::create_dir(&dir).expect("a folder");
    let path = |name: &str| dir.join(name).display().to_string();
    project.ok(&["trace", "export", &path("tiles")]);
    project.ok(&["trace", "export", "--as", "jsonl", &path("rows.jsonl")]);
    assert!(fs::read_to_string(dir.join("rows.jsonl")).expect("rows").starts_with('{'));
    let proof = project.ok(&["trace", "prove", "9", "--leaf", &path("leaf")]);
    fs::write(dir.join("proof"), proof).expect("a proof");
    let vkey = project.log().join("vkey");
    let good = finish(Command::new(checker()).arg(&vkey).args([dir.join("leaf"), dir.join("proof")]));
    assert!(good.code == 0 && good.stdout.starts_with("OK: entry 9 of "), "{good:?}");
    project.ok(&["trace", "bundle", &path("bundle")]);
    let checked = project.ok(&["trace", "verify", "--bundle", &path("bundle")]);
    assert!(checked.contains("events before #9 were pruned on 2"), "{checked}");

    // Gone without a word is something else.
    let told = project.log().join("pruned");
    let text = fs::read_to_string(&told).expect("what stays known");
    fs::write(&told, text.replacen("\"days\":731", "\"days\":183", 1)).expect("another text");
    assert_eq!(verified(&project).1["verdict"], "missing");
    fs::remove_file(&told).expect("a removed file");
    assert_eq!((verified(&project).0, verified(&project).1["verdict"].clone()), (20, json!("missing")));
}

#[test]
fn a_clock_that_jumped_ahead_removes_nothing_before_it_is_believed() {
    // As far as this log knows, it is 800 days ago.
    let project = aged(800);
    let said = prune(&project);
    assert!(said.contains("further ahead than is believed at once") && segment(&project, 0).exists(), "{said}");
    let shown = project.run(&["retention", "show"]).stdout;
    assert!(shown.contains("until it has been so on 7 days (1 by now)"), "{shown}");
}

#[test]
fn a_sink_that_has_not_sent_records_keeps_them_for_thirty_days() {
    let sink = "[sinks.soc]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n";
    // The first segment is past its time by 19 days; by 33, and the second by 30.
    for (days_ago, first) in [(754, 0), (768, 6)] {
        let project = begun(days_ago, 1, sink, false);
        let said = prune(&project);
        assert_eq!(segment(&project, 0).exists(), first == 0, "{days_ago}: {said}");
        let told = project.events_of("store.pruned");
        let named: Vec<_> = told.iter().map(|event| &event["detail"]["not_sent_by"]).collect();
        assert_eq!(named, vec![&json!(["soc"]); usize::from(first > 0)]);
        assert_eq!(verified(&project).0, 0);
        assert_eq!(project.events().first().expect("an event")["index"], first);
    }
}

#[test]
fn a_list_of_holds_that_cannot_be_read_stops_removals_and_is_said() {
    let project = aged(1);
    fs::write(project.state().join("holds.json"), "[{").expect("a damaged list");
    let refused = project.typing(&["retention", "prune"], &[]);
    assert!(
        refused.code != 0 && refused.stderr.contains("`holds.json` in the state directory is damaged"),
        "{refused:?}"
    );
    let shown = project.run(&["retention", "show"]).stdout;
    assert!(shown.contains("which legal holds stand is not known"), "{shown}");
    assert!(!shown.contains("no legal hold") && segment(&project, 0).exists(), "{shown}");
    let value = project.json(&["retention", "show"]);
    assert!(value["holds"].is_null() && value["holds_unknown"].is_string(), "{value}");
}

#[test]
fn an_erasure_that_was_interrupted_waits_for_a_hold() {
    let project = faulty::with("[approvers.ada]\ngroups = [\"audit\"]\n");
    enroll(&project);
    assert_eq!(decide(&project, &["retention", "hold", "case-9"]).code, 0);
    end_gateway(&project);
    let erasing = project.state().join("erasing.json");
    fs::write(&erasing, r#"{"keys":["00112233445566778899aabbccddeeff"],"by":"ada","reason":"r"}"#)
        .expect("an erasure");
    assert!(prune(&project).contains("a legal hold stands"));
    assert!(erasing.exists() && project.events_of("store.shredded").is_empty());
    assert_eq!(decide(&project, &["retention", "release", "case-9"]).code, 0);
    prune(&project);
    assert!(!erasing.exists());
    assert_eq!(project.events_of("store.shredded").len(), 1);
}
