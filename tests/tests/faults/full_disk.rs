//! A disk that takes nothing more: no decided call runs, and after a restart with room everything is as before.
//!
//! The disk is full for the gateway alone: its limit of file size is set to nothing while it runs.

use crate::bad_input::url;
use crate::faulty;
use harness::{Project, mortise, part, wait_for};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use std::process::{Command, Stdio};

/// Starts the rest of its arguments with the signal ignored that a write over the limit raises.
const IGNORING: &str = "import os, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); os.execv(sys.argv[1], \
                        sys.argv[1:])";

#[test]
fn a_full_disk_refuses_every_call_and_loses_nothing() {
    let project = faulty::project();
    let pid = start(&project);
    let mut client = project.proxy("tester", "faulty");
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);

    limit(pid, Some(0));
    for number in 2..6 {
        let answer = client.call("echo", json!({"n": number}));
        assert_eq!(answer["result"]["_meta"]["mortise"]["rule"], "fault/log", "{answer}");
    }
    // Room alone does not bring a failed log back: nobody knows what is on the disk.
    limit(pid, None);
    let answer = client.call("echo", json!({"n": 6}));
    assert_eq!(answer["result"]["_meta"]["mortise"]["rule"], "fault/log", "{answer}");
    assert_eq!(faulty::calls(&project, "echo"), 1);
    let status = project.control(&json!("status")).expect("a gateway");
    assert!(status["ok"]["log_failure"].is_string(), "{status}");
    drop(client);

    harness::project::kill(pid);
    wait_for("the gateway's end", || project.control(&json!("status")).is_none().then_some(()));
    let answer = project.proxy("tester", "faulty").call("echo", json!({"n": 7}));
    assert_eq!(faulty::text(&answer), r#"{"n": 7}"#);
    assert_eq!(faulty::calls(&project, "echo"), 2);
    wait_for("a sealed log that verifies", || (project.run(&["trace", "verify"]).code == 0).then_some(()));
    assert_eq!(project.events_of("tool.dispatch").len(), 2);
}

fn start(project: &Project) -> u32 {
    let mut command = Command::new(part("python/bin/python"));
    command.args(["-c", IGNORING]).arg(mortise()).args(["up", "--listen", "127.0.0.1:0"]);
    command.current_dir(project.root()).env_clear().env("MORTISE_STATE_DIR", project.state_base());
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a gateway");
    let pid = child.id();
    std::thread::spawn(move || child.wait());
    url(project);
    pid
}

/// Sets how large a file the process may write.
fn limit(pid: u32, bytes: Option<u64>) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("a limit");
}
