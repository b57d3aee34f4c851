//! A recorded session, and what its log looks like on disk.

use crate::faulty;
use harness::{Project, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// A project with `calls` recorded calls, its gateway ended in good order: everything is sealed.
pub fn recorded(calls: usize) -> Project {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    for number in 0..calls {
        client.call("echo", json!({"n": number}));
    }
    assert_eq!(client.wait(), 0);
    end_gateway(&project);
    project.ok(&["trace", "verify"]);
    project
}

/// Ends the gateway in good order, by a signal: this process is an agent's host, so the control socket refuses it.
pub fn end_gateway(project: &Project) {
    let pid = project.gateway_pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("a gateway"), Signal::TERM).expect("a signal");
    wait_for("the gateway's end", || project.control(&json!("status")).is_none().then_some(()));
    // Its last checkpoint is written when it lets go of the log.
    wait_for("a free log", || {
        let lock = fs::File::open(project.log().join("lock")).expect("the lock");
        lock.try_lock().is_ok().then_some(())
    });
}

/// The only segment of a short log.
pub fn segment(project: &Project) -> PathBuf {
    project.log().join("seg/00000000000000000000.log")
}

/// Where a record's bytes lie in the segment: from, to. Its frame begins 24 bytes before.
pub fn place(project: &Project, index: u64) -> (usize, usize) {
    let id = project.events().into_iter().find(|event| event["index"] == index).expect("the event")["id"].clone();
    let mark = format!("\"id\":{id}");
    let bytes = fs::read(segment(project)).expect("a segment");
    let at = bytes.windows(mark.len()).position(|window| window == mark.as_bytes()).expect("the record");
    let start = bytes[..at].windows(2).rposition(|window| window == b"ML").expect("its frame");
    let length = u32::from_le_bytes(bytes[start + 4..start + 8].try_into().expect("four bytes"));
    let from = start + 24;
    (from, from + usize::try_from(length).expect("a length"))
}
