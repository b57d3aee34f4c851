//! Nothing that a server starts outlives the gateway, and a server sees no variable that was not declared.

use crate::faulty;
use harness::{Project, StdioClient, project::kill, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[test]
fn no_descendant_outlives_a_gateway_that_was_killed() {
    let project = faulty::project();
    let mut gateway = project.up(&[]);
    let (_client, family) = family(&project);
    gateway.kill();
    all_gone(&family);
}

#[test]
fn no_descendant_outlives_a_gateway_on_demand_that_was_killed() {
    let project = faulty::project();
    let (_client, family) = family(&project);
    kill(project.gateway_pid().expect("a gateway"));
    all_gone(&family);
}

#[test]
fn no_descendant_outlives_its_conversation() {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    assert_eq!(faulty::text(&client.call("family", json!({}))), "started");
    let family = pids(&project);
    assert_eq!(client.wait(), 0);
    all_gone(&family);
    assert!(project.gateway_pid().is_some(), "the gateway stays");
}

#[test]
fn a_server_sees_what_is_declared_and_a_safe_path() {
    let project = faulty::project();
    let mut command = project.command(&["proxy", "--agent", "tester", "--server", "faulty"]);
    command
        .env("DECLARED", "passed on")
        .env("UNDECLARED", "a secret")
        .env("LD_PRELOAD", "")
        .env("MORTISE_RUN_TOKEN", "");
    let mut client = StdioClient::start(&mut command);
    client.initialize();
    let answer = client.call("environment", json!({}));
    let mut seen: Value = serde_json::from_str(faulty::text(&answer)).expect("JSON");
    // What the interpreter sets for itself.
    seen.as_object_mut().expect("an object").retain(|name, _| name != "LC_CTYPE");
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(seen, json!({"DECLARED": "passed on", "LITERAL": "as written", "PATH": path}));
}

/// Has the server start descendants that try to get away; they live when this returns. The client stays connected, so
/// that it is the gateway's end that ends them and not the client's.
fn family(project: &Project) -> (StdioClient, Vec<u32>) {
    let mut client = project.proxy("tester", "faulty");
    assert_eq!(faulty::text(&client.call("family", json!({}))), "started");
    let family = pids(project);
    assert!(family.iter().all(|pid| lives(*pid)), "{family:?}");
    (client, family)
}

fn pids(project: &Project) -> Vec<u32> {
    let read = |name: &str| {
        let text = fs::read_to_string(project.root().join(format!("pid.{name}"))).expect("a process id");
        text.parse().expect("a number")
    };
    ["server", "setsid", "orphan"].iter().map(|name| read(name)).collect()
}

fn all_gone(family: &[u32]) {
    wait_for("the end of all descendants", || family.iter().all(|pid| !lives(*pid)).then_some(()));
}

/// Whether a process runs; a zombie does not.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
