//! Names and texts in records that would forge lines of a listing, or steer the terminal that shows it.

use crate::faulty;
use crate::session::end_gateway;
use harness::wait_for;
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use store::{Keys, Log, LogOptions};
use vocab::Event;
use vocab::event::{Kind, Outcome};

/// A line that looks like another call's.
const FORGED: &str = "13:07:01.000  allow     mailer/send_mail";

/// What texts of others are in the log, in every member that a listing shows.
fn hostile() -> String {
    format!(
        "x  refused  #421\n{FORGED}\r\u{1b}[1A\u{1b}[2K\u{9b}2J\u{202e}\u{2066}\u{200f}\u{61c}\u{feff}\u{e0041}\u{2028}\u{7f}"
    )
}

/// A log with two calls of a tool, an agent and a server with such names, and with such a text of a person.
fn log(dir: &Path) -> PathBuf {
    let keys = Keys::open(&dir.join("keys"), "mortise.test/forged").expect("keys");
    let log_dir = dir.join("log");
    let options = LogOptions::new("mortise.test/forged");
    let (log, _) = Log::open(&log_dir, &options, keys.signers().expect("signers"), &mut |_, _| {}).expect("a log");
    let text = hostile();
    let event = |kind: Kind, call: &str| {
        let mut event =
            Event::new(kind, format!("event {call} {}", kind.as_str()), 1_795_867_200_000_000, "default").into_owned();
        (event.call, event.server, event.tool_name) =
            (Some(call.to_owned().into()), Some("desk".into()), Some(text.clone().into()));
        (event.agent, event.session, event.text) =
            (Some(text.clone().into()), Some("s".into()), Some(text.clone().into()));
        event
    };
    let mut records = Vec::new();
    for call in ["plain", &text] {
        let mut decision = event(Kind::PolicyDecision, call);
        decision.decision = Some(vocab::Verdict::Deny);
        let rule = vocab::id::RuleId::new(text.clone());
        decision.reasons = vec![vocab::Reason {
            rule,
            verdict: vocab::Verdict::Deny,
            text: Some(text.clone().into()),
            place: None,
            discharged_by: None,
        }]
        .into();
        let mut result = event(Kind::ToolResult, call);
        result.outcome = Some(Outcome::Refused);
        let answered = event(Kind::ApprovalDenied, call);
        records.extend([event(Kind::ToolIntent, call), decision, answered, result]);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let records = records.iter().map(|event| event.to_bytes().expect("a record")).collect();
    runtime.block_on(log.append(records)).expect("durable records");
    log.close().expect("a closed log");
    log_dir
}

/// Nothing of it can steer a terminal, and no line of it is one that somebody forged.
fn is_safe(output: &str) {
    let hides = |c: char| c != '\n' && vocab::shown::is_hidden(c);
    assert!(!output.chars().any(hides), "{:?}", output.chars().find(|c| hides(*c)));
    assert!(!output.lines().any(|line| line.starts_with(FORGED)), "{output}");
}

#[test]
fn no_record_steers_a_terminal_or_forges_a_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let log = log(dir.path()).display().to_string();
    let project = faulty::project();
    for (args, lines) in [
        (&["trace", "ls"][..], 6),
        (&["trace", "ls", "--events"], 8),
        (&["trace", "search"], 6),
        (&["trace", "search", "--events"], 8),
        (&["trace", "search", "--count-by", "tool"], 1),
        (&["trace", "search", "--count-by", "agent"], 1),
        (&["trace", "search", "--count-by", "rule"], 1),
    ] {
        let output = project.run(&[args, &["--log", &log]].concat());
        assert_eq!(output.code, 0, "{args:?}: {output:?}");
        is_safe(&output.stdout);
        assert_eq!(output.stdout.lines().count(), lines, "{args:?}: {}", output.stdout);
        assert!(output.stdout.contains("\\u{1b}[2K"), "{args:?}: {}", output.stdout);
        // For programs too: the same text, and nothing of it raw.
        for format in ["json", "ndjson"] {
            let output = project.run(&[args, &["--log", &log, "--format", format]].concat());
            is_safe(&output.stdout);
            let values = serde_json::Deserializer::from_str(&output.stdout).into_iter::<Value>();
            let values: Vec<Value> = values.map(|value| value.expect("JSON")).collect();
            let texts = Value::from(values).to_string();
            assert!(texts.contains(json!(hostile()).to_string().trim_matches('"')), "{args:?} {format}: {texts}");
        }
    }
    let wrong = project.run(&[
        "trace",
        "search",
        "--log",
        &log,
        &format!("tool:{}", hostile().split(' ').next_back().expect("a word")),
    ]);
    is_safe(&wrong.stderr);
    // What nobody thought of goes the same way.
    let wrong = project.run(&["explain", "\u{1b}[2K\u{202e}x"]);
    is_safe(&wrong.stderr);
    assert!(wrong.stderr.contains("`\\u{1b}[2K\\u{202e}x`"), "{wrong:?}");
}

#[test]
fn what_follows_the_log_shows_no_text_raw() {
    let dir = tempfile::tempdir().expect("a folder");
    let log = log(dir.path()).display().to_string();
    let project = faulty::project();
    let mut command = project.command(&["trace", "tail", "-n", "8", "--log", &log]);
    let mut tail = command.stdout(Stdio::piped()).spawn().expect("a started command");
    let mut stdout = tail.stdout.take().expect("stdout");
    let (mut output, mut part) = (Vec::new(), [0; 4096]);
    while output.iter().filter(|byte| **byte == b'\n').count() < 8 {
        let read = stdout.read(&mut part).expect("output");
        assert_ne!(read, 0, "it ended");
        output.extend_from_slice(&part[..read]);
    }
    tail.kill().expect("a running command");
    tail.wait().expect("its end");
    let output = String::from_utf8(output).expect("text");
    is_safe(&output);
    assert_eq!(output.lines().filter(|line| line.starts_with("    #")).count(), 8, "{output}");
}

/// A name that nobody declared, which is text, is in nothing that Mortise writes in the clear; that it was called is.
#[test]
fn a_name_that_nobody_declared_is_not_recorded_as_text() {
    let project = faulty::project();
    let agent = "mortise/agents/tester.toml";
    project.write(agent, &project.read(agent).replace("tier = \"low\"", "tier = \"low\"\ncapture = \"full\""));
    let mut client = project.proxy("tester", "faulty");
    for name in ["my ssn is 123-45-6789", &hostile(), "faulty/echo", "", "no_such_tool", "my ssn is 123-45-6789"] {
        let answer = client.call(name, json!({}));
        assert_eq!(answer["result"]["isError"], true, "{answer}");
    }
    assert_eq!(client.wait(), 0);
    wait_for("decisions", || (project.events_of("policy.decision").len() == 6).then_some(()));
    for kind in ["tool.intent", "policy.decision"] {
        let called: Vec<(Value, Value)> = project
            .events_of(kind)
            .iter()
            .map(|event| (event["tool_name"].clone(), event["detail"]["tool_digest"].clone()))
            .collect();
        let names: Vec<&Value> = called.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["undeclared", "undeclared", "undeclared", "undeclared", "no_such_tool", "undeclared"]);
        assert!(called[0].1.as_str().is_some_and(|digest| digest.starts_with("hmac")), "{called:?}");
        assert!(called[0].1 == called[5].1 && called[0].1 != called[1].1 && called[4].1.is_null(), "{called:?}");
    }
    let listed = project.ok(&["trace", "ls"]);
    assert_eq!(listed.matches("faulty/undeclared").count(), 5, "{listed}");
    let found = project.ok(&["trace", "search", "tool:undeclared"]);
    assert_eq!(found.matches("faulty/undeclared").count(), 5, "{found}");
    let replayed = project.ok(&["replay"]);
    assert!(replayed.contains("6  exact") && replayed.contains("6 decided again, all as recorded"), "{replayed}");
    end_gateway(&project);
    project.ok(&["trace", "verify"]);
    let mut folders = vec![project.state()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.is_file() {
                let bytes = fs::read(&entry).expect("a file");
                assert!(!bytes.windows(6).any(|part| part == b"123-45"), "{}", entry.display());
            }
        }
    }
}
