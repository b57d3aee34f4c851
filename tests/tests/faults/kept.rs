//! What is kept apart from records: how much, who may read it, and how it goes.

use crate::faulty;
use crate::session::end_gateway;
use harness::{Project, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const SECRET: &str = "correct horse battery staple";
/// What the call says, as it would stand in a file.
const TEXT: &str = "7193582046";
const NUMBER: u64 = 7_193_582_046;

/// A project whose agent's calls are kept as its file says, and an approver.
pub fn project(agent: &str) -> Project {
    let project = faulty::with("[approvers.ada]\ngroups = [\"audit\"]\n");
    let path = "mortise/agents/tester.toml";
    let text = project.read(path).replace("tier = \"low\"", agent);
    project.write(path, &text);
    project
}

pub fn call(project: &Project) {
    let answer = project.hosted("tester", "faulty").call("echo", json!({"n": NUMBER}));
    assert!(answer.to_string().contains(TEXT), "{answer}");
}

fn payloads(project: &Project) -> Vec<Value> {
    let events = project.events();
    events.iter().filter_map(|event| event["payloads"].as_array()).flatten().cloned().collect()
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(dir).into_iter().flatten().map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

pub fn unit(project: &Project, class: &str) -> PathBuf {
    let class = project.log().join("pay").join(class);
    fs::read_dir(class).expect("a class").next().expect("a day").expect("an entry").path()
}

pub fn verified(project: &Project) -> (i32, Value) {
    let (code, report) = verdict(project);
    (code, report["payloads"].clone())
}

/// All that `trace verify` says.
fn verdict(project: &Project) -> (i32, Value) {
    let output = project.run(&["--format", "json", "trace", "verify"]);
    (output.code, serde_json::from_str::<Value>(&output.stdout).expect("one document"))
}

pub fn enroll(project: &Project) {
    let lines = [("present secret of", ""), ("new secret", SECRET), ("once more:", SECRET)];
    let output = project.typing(&["approvals", "enroll", "ada"], &lines);
    assert_eq!(output.code, 0, "{output:#?}");
}

pub fn decide(project: &Project, args: &[&str]) -> harness::Output {
    let args = [args, &["--as", "ada", "--reason", "asked for"]].concat();
    project.typing(&args, &[("secret of ada", SECRET)])
}

#[test]
fn how_much_is_kept_follows_the_tier_unless_the_agent_says() {
    for (agent, results) in [
        ("tier = \"low\"", 0),
        ("tier = \"low\"\ncapture = \"full\"", 1),
        ("tier = \"high\"", 1),
        ("tier = \"critical\"\ncapture = \"digests\"", 0),
    ] {
        let project = project(agent);
        call(&project);
        let kept = payloads(&project);
        let named = |name: &str| kept.iter().filter(|payload| payload["name"] == name).count();
        assert_eq!((named("result"), named("arguments")), (results, results), "{agent}: {kept:?}");
        end_gateway(&project);
    }
}

#[test]
fn nothing_lies_on_disk_in_the_clear_and_reading_is_recorded() {
    let project = project("tier = \"high\"");
    call(&project);
    for path in files(&project.state()) {
        let bytes = fs::read(&path).expect("a file");
        let found = bytes.windows(TEXT.len()).any(|window| window == TEXT.as_bytes());
        assert!(!found, "in the clear: {}", path.display());
    }
    assert!(project.events_of("access.read").is_empty());
    let call = project.events_of("tool.dispatch")[0]["call"].as_str().expect("a call").to_owned();
    let denied = project.run(&["trace", "reveal", &call]);
    assert_eq!(denied.code, 2, "without a reason: {denied:?}");
    let shown = project.typing(&["trace", "reveal", &call, "--reason", "ticket 7"], &[]);
    assert!(shown.code == 0 && shown.stdout.contains(TEXT), "{shown:#?}");
    let read = project.events_of("access.read");
    assert_eq!((read.len(), &read[0]["text"], &read[0]["detail"]["subject"]), (1, &json!("ticket 7"), &json!(call)));
    let (code, report) = verified(&project);
    assert_eq!((code, &report["ok"], &report["missing"]), (0, &json!(3), &json!(0)));

    // Whoever hosts an agent may not read, nor may what it starts.
    let _shim = project.proxy("tester", "faulty");
    let governed = project.run(&["trace", "reveal", &call, "--reason", "curious"]);
    assert!(governed.code == 12 && !governed.stdout.contains(TEXT), "{governed:?}");
    assert_eq!(project.events_of("access.read").len(), 1);
}

#[test]
fn what_is_gone_or_changed_without_a_record_is_said_with_its_place() {
    let project = project("tier = \"high\"");
    call(&project);
    call(&project);
    end_gateway(&project);
    let unit = unit(&project, "trace_text");
    let segment = unit.join("seg/00000000000000000000.log");
    let whole = fs::read(&segment).expect("a segment");
    let mut altered = whole.clone();
    altered[40] ^= 1;
    fs::write(&segment, &altered).expect("an altered segment");
    let output = project.run(&["trace", "verify"]);
    assert_eq!(output.code, 20, "{output:?}");
    assert!(output.stdout.starts_with("altered  log `mortise.local/faults`\n    the log itself is ok;"), "{output:?}");
    assert!(output.stdout.contains("seg/00000000000000000000.log` cannot be read at byte 0"), "{output:?}");
    let (_, whole_report) = verdict(&project);
    assert_eq!((&whole_report["verdict"], &whole_report["log"]), (&json!("altered"), &json!("ok")));
    assert!(output.stdout.contains("payload `arguments` (trace_text) is altered"), "{output:?}");
    let (_, report) = verified(&project);
    assert_eq!((&report["ok"], &report["altered"]), (&json!(5), &json!(1)));

    fs::remove_dir_all(&unit).expect("a removed day");
    let (code, report) = verified(&project);
    assert_eq!((code, &report["missing"], &report["altered"]), (20, &json!(4), &json!(0)));
    assert_eq!(report["bad"][0]["verdict"], "missing");
    assert_eq!(verdict(&project).1["verdict"], "missing");
    assert!(project.run(&["trace", "verify"]).stdout.starts_with("missing  log "));
}

#[test]
fn a_data_key_that_does_not_open_is_named_and_the_log_is_judged_all_the_same() {
    let project = project("tier = \"high\"");
    call(&project);
    end_gateway(&project);
    let key = files(&project.log().join("pay/keys")).into_iter().next().expect("a data key");
    let mut bytes = fs::read(&key).expect("a data key");
    bytes[20] ^= 1;
    fs::write(&key, &bytes).expect("an altered key");
    let (code, report) = verdict(&project);
    assert_eq!((code, &report["verdict"], &report["log"]), (20, &json!("altered"), &json!("ok")));
    assert_eq!((&report["payloads"]["altered"], &report["payloads"]["ok"]), (&json!(3), &json!(0)));
    assert_eq!(report["payloads"]["bad_keys"], json!([key]));
    let said = project.run(&["trace", "verify"]).stdout;
    assert!(said.contains(&format!("`{}` does not open: it was altered", key.display())), "{said}");

    // Of a project's key that is cut short, no more is known than that: the log is judged without it.
    fs::write(project.state().join("keys/log-hmac"), "short").expect("a short key");
    let output = project.run(&["trace", "verify"]);
    assert!(output.code == 0 && output.stdout.contains("3 there (not opened"), "{output:?}");
    assert!(output.stderr.contains("it has 5 bytes, not 32") && output.stderr.contains("from a copy"), "{output:?}");
}

#[test]
fn what_is_not_there_is_revealed_with_the_event_that_says_so() {
    let project = project("tier = \"high\"\nuser = \"bo\"");
    call(&project);
    enroll(&project);
    let call_id = project.events_of("tool.dispatch")[0]["call"].as_str().expect("a call").to_owned();
    assert_eq!(decide(&project, &["retention", "erase", "--user", "bo"]).code, 0);
    let told = project.events_of("store.shredded")[0]["index"].as_u64().expect("an index");
    let shown = project.typing(&["trace", "reveal", &call_id, "--reason", "r"], &[]);
    let said = format!("(erased: event #{told} says so)");
    assert!(shown.code == 0 && shown.stdout.matches(&said).count() == 3, "{shown:#?}");
    let verified = project.ok(&["trace", "verify"]);
    let said = format!("event #{told}: 1 data key of a person destroyed by ada: asked for");
    assert!(verified.contains(&said), "{verified}");
    let report = verdict(&project).1;
    assert_eq!(report["payloads"]["erasures"][0]["index"], told, "{report}");
    assert_eq!((&report["payloads"]["erasures"][0]["by"], &report["verdict"]), (&json!("ada"), &json!("ok")));

    // Without a record that says so, it is missing: that is a finding.
    call(&project);
    let index = project.events_of("tool.result").last().expect("a result")["index"].to_string();
    // Ended in good order: nothing is on its way.
    end_gateway(&project);
    fs::remove_dir_all(unit(&project, "trace_text")).expect("a removed day");
    let shown = project.typing(&["trace", "reveal", &index, "--reason", "r"], &[]);
    assert!(shown.code == 20 && shown.stdout.contains("(missing)"), "{shown:#?}");
}

#[test]
fn what_is_shown_of_retention_is_what_is_in_force() {
    let project = project("tier = \"high\"");
    call(&project);
    let settings = project.read("mortise.toml");
    project.write("mortise.toml", &format!("{settings}\n[retention]\ntrace_text_days = 1\n"));
    let shown = project.ok(&["retention", "show"]);
    assert!(shown.contains("trace_text      kept for 30 days; 1 day on disk"), "{shown}");
    let waits = "`mortise.toml` says 1 day for trace_text: that is not in force (`mortise policy diff`)";
    assert!(shown.contains(waits), "{shown}");
    let report = project.json(&["retention", "show"]);
    assert_eq!(report["not_in_force"], json!({"trace_text": 1}), "{report}");
    // Whoever is to accept it sees what becomes of it.
    let diff = project.ok(&["policy", "diff"]);
    assert!(diff.contains("`mortise.toml`: `retention.trace_text_days` is new: 1"), "{diff}");
    project.write("mortise.toml", &settings);
    let shown = project.ok(&["retention", "show"]);
    assert!(shown.contains("kept for 30 days") && !shown.contains("not in force"), "{shown}");
}

#[test]
fn what_a_crash_took_is_told_by_the_next_start() {
    let project = project("tier = \"high\"");
    call(&project);
    let pid = project.gateway_pid().expect("a gateway");
    // The result rides on the commit after its answer.
    wait_for("the result's record", || project.events_of("tool.result").first().cloned());
    harness::project::kill(pid);
    // As if the power had gone before these were durable.
    fs::remove_dir_all(project.log().join("pay/trace_text")).expect("a removed class");
    let (code, report) = verified(&project);
    assert_eq!((code, &report["unsettled"]), (0, &json!(2)), "the next start is to tell");
    call(&project);
    let told = project.events_of("store.recovered");
    assert_eq!(told.last().expect("an event")["detail"]["payloads_lost"].as_array().map(Vec::len), Some(2));
    let (code, report) = verified(&project);
    assert_eq!((code, &report["lost"], &report["ok"]), (0, &json!(2), &json!(4)));
}

#[test]
fn a_person_is_erased_unless_a_hold_stands() {
    let project = project("tier = \"high\"\nuser = \"bo\"");
    call(&project);
    enroll(&project);
    let held = decide(&project, &["retention", "hold", "case-7"]);
    assert_eq!(held.code, 0, "{held:#?}");
    let shown = project.run(&["retention", "show"]).stdout;
    assert!(shown.contains("legal hold `case-7` by ada: asked for"), "{shown}");
    let refused = decide(&project, &["retention", "erase", "--user", "bo"]);
    let said = "error[retention/held]: the legal hold `case-7` stands";
    assert!(refused.code == 12 && refused.stderr.contains(said), "{refused:#?}");
    assert_eq!(verified(&project).1["ok"], 3);
    let released = decide(&project, &["retention", "release", "case-7"]);
    assert_eq!(released.code, 0, "{released:#?}");
    let wrong = project.typing(
        &["retention", "erase", "--user", "bo", "--as", "ada", "--reason", "r"],
        &[("secret of ada", "not the secret")],
    );
    assert_eq!(wrong.code, 12, "{wrong:#?}");
    let nobody = decide(&project, &["retention", "erase", "--user", "somebody-else"]);
    assert_eq!(nobody.code, 4, "{nobody:#?}");
    let erased = decide(&project, &["retention", "erase", "--user", "bo"]);
    assert!(erased.code == 0 && erased.stdout.contains("1 data key of `bo` destroyed"), "{erased:#?}");
    let (code, report) = verified(&project);
    assert_eq!((code, &report["erased"], &report["ok"]), (0, &json!(3), &json!(0)));
    let kinds: Vec<String> =
        project.events().iter().map(|event| event["type"].as_str().unwrap_or("").to_owned()).collect();
    for kind in ["store.held", "store.released", "store.shredded"] {
        assert_eq!(kinds.iter().filter(|found| *found == kind).count(), 1, "{kind}");
    }
    // What comes after is kept under another key.
    call(&project);
    let (code, report) = verified(&project);
    assert_eq!((code, &report["erased"], &report["ok"]), (0, &json!(3), &json!(3)));
}

#[test]
fn days_past_their_time_are_removed_and_others_stay() {
    let project = project("tier = \"high\"");
    call(&project);
    end_gateway(&project);
    let today = unit(&project, "trace_text");
    let old = today.with_file_name("2024-02-29");
    fs::create_dir_all(old.join("seg")).expect("an old day");
    fs::copy(today.join("seg/00000000000000000000.log"), old.join("seg/00000000000000000000.log")).expect("a copy");
    call(&project);
    let pruned = project.typing(&["retention", "prune"], &[]);
    assert!(pruned.code == 0, "{pruned:#?}");
    assert!(!old.exists() && today.exists());
    let event = &project.events_of("store.pruned")[0]["detail"];
    assert_eq!((&event["class"], &event["through"]), (&json!("trace_text"), &json!("2024-02-29")));
    assert_eq!((&event["days"], &event["payloads"]), (&json!(30), &json!(2)));
    let (code, report) = verified(&project);
    assert_eq!((code, &report["ok"], &report["removals"][0]["through"]), (0, &json!(6), &json!("2024-02-29")));
}

#[test]
fn with_no_room_left_nothing_is_done_and_with_little_no_text_is_kept() {
    let project = project("tier = \"high\"");
    let settings = project.read("mortise.toml");
    project.write("mortise.toml", &format!("{settings}\n[storage]\nmax_bytes = 67108864\n"));
    call(&project);
    end_gateway(&project);
    // Others' files in the log's directory count, too: what is there is there.
    let filler = project.log().join("filler");
    let fill = |bytes: u64| fs::File::create(&filler).and_then(|file| file.set_len(bytes)).expect("a large file");
    fill(61_000_000);
    call(&project);
    let results = project.events_of("tool.result");
    assert_eq!(results[1]["detail"]["not_kept"], "`max_bytes` of [storage] is nearly reached", "{results:?}");
    assert!(results[0]["payloads"].is_array() && results[1]["payloads"].is_null(), "{results:?}");
    end_gateway(&project);
    fill(67_108_864);
    let answer = project.hosted("tester", "faulty").call("echo", json!({"n": 1})).to_string();
    assert!(answer.contains("fault/log") && !answer.contains("\\\"n\\\": 1"), "{answer}");
    assert_eq!(project.events_of("tool.dispatch").len(), 2);
    end_gateway(&project);
    fs::remove_file(&filler).expect("room");
    call(&project);
}
