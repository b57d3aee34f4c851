//! How often may be called: exact at the edge, and remembered by the log when the gateway is not there any more.

use super::recording::{self, calls};
use super::{is_done, rule};
use harness::project::kill;
use harness::real::AGENT;
use harness::{Project, StdioClient, wait_for};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Limits are per minute: what takes longer than this on a busy machine says nothing, and is done again.
const SOON: Duration = Duration::from_secs(50);

fn soon(what: impl Fn()) {
    for _ in 0..5 {
        let began = Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&what));
        match outcome {
            Ok(()) => return,
            Err(_) if began.elapsed() > SOON => {}
            Err(failure) => std::panic::resume_unwind(failure),
        }
    }
    panic!("too slow to say anything about a minute");
}

fn call(client: &mut StdioClient, tool: &str) -> Value {
    client.call(tool, json!({"text": "x"}))
}

/// Kills the gateway and gives a client of the next one.
fn after_a_kill(project: &Project, client: StdioClient) -> StdioClient {
    drop(client);
    let before = project.gateway_pid().expect("a gateway");
    kill(before);
    let client = project.proxy(AGENT, "rec");
    assert_ne!(wait_for("a gateway", || project.gateway_pid()), before);
    client
}

/// The one shim of a run of its own.
fn of_a_run(project: &Project) -> StdioClient {
    let token = project.ok(&["run", "--agent", AGENT, "--", "sh", "-c", "echo $MORTISE_RUN_TOKEN"]);
    let mut client = project.hosted_raw(&["--server", "rec"], &[("MORTISE_RUN_TOKEN", token.trim())]);
    client.initialize();
    client
}

#[test]
fn an_agents_calls_are_counted_over_all_its_sessions_and_tools() {
    soon(|| {
        let project = recording::project("", "[limits]\ncalls_per_minute = 5\n");
        let (mut first, mut second) = (of_a_run(&project), of_a_run(&project));
        for number in 0..5 {
            let client = if number % 2 == 0 { &mut first } else { &mut second };
            assert!(is_done(&call(client, ["look", "put"][number / 3])), "{number}");
        }
        for (client, tool) in [(&mut first, "look"), (&mut second, "put")] {
            assert_eq!(rule(&call(client, tool)), "shipped/agent-rate");
        }
        // Nor is a session that begins now a way round it.
        assert_eq!(rule(&call(&mut of_a_run(&project), "wipe")), "shipped/agent-rate");
        assert_eq!((calls(&project, "look"), calls(&project, "put"), calls(&project, "wipe")), (3, 2, 0));
    });
}

#[test]
fn an_agents_limit_outlives_a_kill() {
    soon(|| {
        let project = recording::project("", "[limits]\ncalls_per_minute = 5\n");
        let mut client = project.proxy(AGENT, "rec");
        for _ in 0..3 {
            assert!(is_done(&call(&mut client, "look")));
        }
        let mut client = after_a_kill(&project, client);
        // Exact after the restart too: neither forgotten nor counted twice.
        for _ in 0..2 {
            assert!(is_done(&call(&mut client, "look")));
        }
        assert_eq!(rule(&call(&mut client, "look")), "shipped/agent-rate");
        let mut client = after_a_kill(&project, client);
        assert_eq!(rule(&call(&mut client, "put")), "shipped/agent-rate");
        assert_eq!(rule(&call(&mut of_a_run(&project), "look")), "shipped/agent-rate");
        assert_eq!((calls(&project, "look"), calls(&project, "put")), (5, 0));
        project.ok(&["trace", "verify"]);
    });
}

#[test]
fn a_tools_limit_in_the_agents_file_is_exact_and_outlives_a_kill() {
    soon(|| tool_limit(&recording::project("", "[limits.tools]\n\"rec/put\" = 3\n")));
}

#[test]
fn a_tools_limit_in_its_own_file_is_exact_and_outlives_a_kill() {
    soon(|| tool_limit(&recording::with_line("put", "calls_per_minute = 3")));
}

/// Three calls of `put` in a minute, and any number of others.
fn tool_limit(project: &Project) {
    let mut client = project.proxy(AGENT, "rec");
    for _ in 0..2 {
        assert!(is_done(&call(&mut client, "put")) && is_done(&call(&mut client, "look")));
    }
    let mut client = after_a_kill(project, client);
    assert!(is_done(&call(&mut client, "put")), "two before, and this one");
    let denied = call(&mut client, "put");
    assert_eq!(rule(&denied), "shipped/tool-rate");
    let reason = "this tool was called as often in a minute as its file allows";
    assert_eq!(super::refusal(&denied)["reason"], reason);
    assert!(is_done(&call(&mut client, "look")), "the others go on");
    let mut client = after_a_kill(project, client);
    assert_eq!(rule(&call(&mut client, "put")), "shipped/tool-rate");
    assert!(is_done(&call(&mut client, "look")));
    assert_eq!((calls(project, "put"), calls(project, "look")), (3, 4));
    let decisions = project.events_of("policy.decision");
    let denied = decisions.iter().filter(|event| event["decision"] == "deny");
    assert_eq!(denied.count(), 2);
    project.ok(&["trace", "verify"]);
}
