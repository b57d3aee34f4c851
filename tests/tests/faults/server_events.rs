//! What the log says of servers that come and go.

use crate::faulty;
use harness::{Project, project::kill, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// The events of one type, once there are so many.
fn events(project: &Project, kind: &str, count: usize) -> Vec<Value> {
    let events = wait_for(kind, || Some(project.events_of(kind)).filter(|events| events.len() >= count));
    assert_eq!(events.len(), count, "{events:#?}");
    events
}

/// Columns of an event beside those that every event has.
fn columns(event: &Value) -> BTreeSet<&str> {
    let envelope = ["id", "index", "mortise_version", "t", "tenant", "type", "v"];
    let members = event.as_object().expect("an object").keys().map(String::as_str);
    members.filter(|name| !envelope.contains(name)).collect()
}

#[test]
fn a_server_that_is_killed_is_started_and_stopped_in_the_log() {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    assert_eq!(faulty::text(&client.call("family", json!({}))), "started");
    let started = &events(&project, "server.started", 1)[0];
    assert_eq!((columns(started), &started["server"]), (BTreeSet::from(["server"]), &json!("faulty")), "{started}");
    assert!(project.events_of("server.stopped").is_empty());

    let pid = fs::read_to_string(project.root().join("pid.server")).expect("a process id");
    kill(pid.trim().parse().expect("a process id"));
    let stopped = &events(&project, "server.stopped", 1)[0];
    assert_eq!(
        (columns(stopped), &stopped["server"]),
        (BTreeSet::from(["server", "text"]), &json!("faulty")),
        "{stopped}"
    );
    assert_eq!(stopped["text"], "server ended");
    assert!(stopped["t"].as_i64() >= started["t"].as_i64() && stopped["index"].as_u64() > started["index"].as_u64());

    // The same client goes on with another one.
    events(&project, "server.started", 2);
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    events(&project, "server.stopped", 1);
    project.ok(&["trace", "verify"]);
}

#[test]
fn a_server_that_breaks_the_protocol_is_said_to_have() {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    client.call("garbage", json!({}));
    let stopped = &events(&project, "server.stopped", 1)[0];
    assert!(stopped["text"].as_str().is_some_and(|text| text.starts_with("server broke the protocol")), "{stopped}");
    // In our words: what the server wrote is in no record.
    assert!(!project.ok(&["trace", "ls", "--events", "--format", "ndjson"]).contains("not JSON at all"));
}

#[test]
fn a_server_that_cannot_be_started_is_neither_started_nor_stopped() {
    let project = faulty::project();
    project.write("mode.txt", "exit");
    let answer = project.proxy_raw("tester", "faulty").initialize();
    assert!(answer.get("error").is_some(), "{answer}");
    assert!(project.events_of("server.started").is_empty() && project.events_of("server.stopped").is_empty());
}
