//! The log taken elsewhere: files in the formats of others, read by other people's programs, and sinks that follow it.

mod files;
#[path = "../lifecycle/people.rs"]
#[expect(dead_code, reason = "some of it is for calls that wait")]
mod people;
mod receiver;
mod sinks;

use harness::{Project, StdioClient};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const BOT: &str = "support-bot";

/// Text of an argument, which must not be in anything that leaves.
const WORDS: &str = "somebody's own words";

fn search(client: &mut StdioClient) -> Value {
    client.call("search_tickets", json!({ "query": WORDS }))
}

/// The example, with more lines in `mortise.toml`.
fn project(settings: &str) -> Project {
    let project = Project::example("support-desk");
    project.write("mortise.toml", &(project.read("mortise.toml") + settings));
    project
}

/// Ends the gateway as `kill -9` does, and waits until it is gone.
fn kill(project: &Project) {
    harness::project::kill(project.gateway_pid().expect("a gateway"));
    harness::wait_for("the gateway's end", || project.control(&json!("status")).is_none().then_some(()));
}

/// Ends the gateway in good order, as a service manager does, and waits until it has let go of the log.
fn end(project: &Project) {
    let pid = project.gateway_pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("a gateway"), Signal::TERM).expect("a signal");
    harness::wait_for("a free log", || {
        let lock = std::fs::File::open(project.log().join("lock")).expect("the lock");
        lock.try_lock().is_ok().then_some(())
    });
}

/// The ids of the calls of the log, in order.
fn calls(project: &Project) -> Vec<String> {
    let intents = project.events_of("tool.intent");
    intents.iter().map(|event| event["call"].as_str().expect("a call").to_owned()).collect()
}
