//! Sinks: a collector, a webhook, a file; gone, slow, and back.

use crate::receiver::Receiver;
use crate::{BOT, WORDS, calls, end, kill, people, project, search};
use harness::{Project, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

fn sink(kind: &str, receiver: &Receiver, more: &str) -> String {
    let port = receiver.port;
    format!("\n[sinks.soc]\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:{port}/v1/traces\"\nevery_s = 1\n{more}")
}

fn status(project: &Project) -> Value {
    project.control(&json!("status")).expect("a gateway")["ok"]["sinks"][0].clone()
}

fn indices(records: &[Value]) -> Vec<u64> {
    records.iter().filter_map(|record| record["index"].as_u64()).collect()
}

/// Waits until every record up to now has arrived, and gives their indices as they came.
fn all_arrived(project: &Project, receiver: &Receiver) -> Vec<u64> {
    wait_for("every record at the receiver", || {
        let wanted = project.events().last()?["index"].as_u64()?;
        let found = indices(&receiver.taken());
        (found.iter().copied().collect::<BTreeSet<_>>() == (0..=wanted).collect()).then_some(found)
    })
}

#[test]
fn a_collector_gets_a_span_for_each_call() {
    let receiver = Receiver::start();
    let more = "batch = 3\nheaders = { authorization = \"env:SOC_TOKEN\" }\n";
    let project = project(&sink("otlp", &receiver, more));
    let _gateway = project.up_with(&["--dev"], &[("SOC_TOKEN", "Bearer let-me-in")]);
    let mut desk = project.hosted(BOT, "desk");
    for _ in 0..3 {
        search(&mut desk);
    }
    let denied = json!({ "script_name": "delete_namespace", "namespace": "kube-system", "args": [] });
    desk.call("run_script", denied);
    wait_for("four spans", || (receiver.taken().len() == 4).then_some(()));
    let spans = receiver.taken();
    let ids: Vec<&str> = spans.iter().filter_map(|span| span["attributes"]["mortise.call"].as_str()).collect();
    assert_eq!(ids, calls(&project));
    let first = &spans[0];
    assert_eq!((&first["name"], &first["kind"]), (&json!("tools/call search_tickets"), &json!(3)));
    assert_eq!(first["resource"]["service.name"], "mortise");
    assert_eq!(first["schema"], "https://opentelemetry.io/schemas/gen-ai/0.1.0");
    assert_eq!(first["events"], json!(["mortise.policy.decision", "mortise.tool.dispatch"]));
    assert_eq!(first["error"], false);
    let attributes = &first["attributes"];
    for (name, value) in [
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "search_tickets"),
        ("gen_ai.agent.name", BOT),
        ("mcp.method.name", "tools/call"),
        ("mortise.decision", "sanitize"),
        ("mortise.outcome", "ok"),
    ] {
        assert_eq!(attributes[name], value, "{name}: {attributes}");
    }
    let refused = &spans[3];
    assert_eq!((&refused["error"], &refused["attributes"]["error.type"]), (&json!(true), &json!("denied")));
    assert_eq!(refused["attributes"]["mortise.decision"], "deny");
    let traces: BTreeSet<&str> = spans.iter().filter_map(|span| span["trace"].as_str()).collect();
    assert_eq!(traces.len(), 1, "one session, one trace");

    for request in receiver.requests() {
        assert_eq!(request["authorization"], "Bearer let-me-in");
        assert!(!request["raw"].to_string().contains(&hex(WORDS)), "an argument left");
    }
    assert!(!project.read("mortise.toml").contains("let-me-in"));
    // The cursor is written after the answer.
    wait_for("a doctor that is content", || {
        let doctor = project.run(&["doctor"]).stdout;
        doctor.contains("`soc` (otlp) is 0 events behind; last arrival ").then_some(())
    });
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn nothing_is_lost_while_nobody_is_there_and_the_gateway_is_killed() {
    let mut receiver = Receiver::start();
    let project = project(&sink("webhook", &receiver, "batch = 4\n"));
    let mut gateway = project.up(&["--dev"]);
    search(&mut project.hosted(BOT, "desk"));
    let before = all_arrived(&project, &receiver);
    assert!(before.is_sorted_by(|a, b| a < b), "nothing twice: {before:?}");

    receiver.down();
    search(&mut project.hosted(BOT, "desk"));
    let failing =
        wait_for("a sink that says why", || Some(status(&project)).filter(|sink| sink["failure"].is_string()));
    assert!(failing["behind"].as_u64().expect("a number") > 0, "{failing}");
    let doctor = project.run(&["doctor"]).stdout;
    assert!(doctor.contains("`soc` (webhook) is "), "{doctor}");
    kill(&project);
    gateway.kill();

    let _gateway = project.up(&["--dev"]);
    search(&mut project.hosted(BOT, "desk"));
    receiver.up();
    let after = all_arrived(&project, &receiver);
    // What came before is not sent again but for one batch, whose acknowledgement the kill may have cut off.
    assert!(after.len() <= after.iter().collect::<BTreeSet<_>>().len() + 4, "{after:?}");
    assert!(status(&project)["failure"].is_null() || status(&project)["behind"] == 0);
}

/// Refused connections, errors, and silence, one after the other, as in an outage; how long a sink waits between attempts, an
/// hour of them, is `pause.rs`'s.
#[test]
fn an_outage_of_every_kind_loses_nothing_and_keeps_the_order() {
    let mut receiver = Receiver::start();
    let project = project(&sink("webhook", &receiver, "batch = 4\ntimeout_s = 1\n"));
    let _gateway = project.up(&["--dev"]);
    search(&mut project.hosted(BOT, "desk"));
    let before = all_arrived(&project, &receiver).len();
    let requests = receiver.requests().len();
    receiver.down();
    search(&mut project.hosted(BOT, "desk"));
    wait_for("a refused connection", || status(&project)["failure"].as_str().map(ToOwned::to_owned));
    let came = |receiver: &Receiver, mode: &str| {
        let found = receiver.requests().into_iter().filter(|request| request["mode"] == mode).count();
        (found > 0).then_some(())
    };
    for mode in ["down", "hang"] {
        receiver.mode(mode);
        if mode == "down" {
            receiver.up();
        }
        wait_for("a request that fails", || came(&receiver, mode));
        search(&mut project.hosted(BOT, "desk"));
    }
    receiver.mode("ok");
    let after = all_arrived(&project, &receiver);
    assert!(after.len() > before && after.is_sorted_by(|a, b| a < b), "{after:?}");
    // What may have been taken without an answer is the batch that was under way, and nothing else, however often.
    let failed: Vec<Value> = receiver.requests().split_off(requests);
    let failed: Vec<&Value> = failed.iter().filter(|request| request["mode"] != "ok").collect();
    assert!(failed.len() >= 2 && failed.iter().all(|request| request["records"] == failed[0]["records"]), "{failed:?}");
    assert_eq!(failed[0]["records"][0]["index"], before, "it begins where what had arrived ends");
    wait_for("a sink that has come to the end", || (status(&project)["behind"] == 0).then_some(()));
    assert!(status(&project)["failure"].is_null());
}

#[test]
fn a_file_among_what_mortise_keeps_is_not_written() {
    let sink = |path: &str| format!("\n[sinks.disk]\nkind = \"file\"\npath = \"{path}\"\nevery_s = 1\n");
    let written = project(&sink("mortise/agents/events.jsonl")).run(&["check"]);
    assert!(written.code == 3 && written.stderr.contains("the project's own files are there"), "{written:?}");
    // What is not seen by the path alone is refused when it is to be written.
    let project = project(&sink("linked/events.jsonl"));
    std::os::unix::fs::symlink(project.root().join("mortise/agents"), project.root().join("linked")).expect("a link");
    let _gateway = project.up(&["--dev"]);
    let why = wait_for("a sink that says why", || status(&project)["failure"].as_str().map(ToOwned::to_owned));
    assert!(why.contains("Mortise keeps its own files there; choose another `path`"), "{why}");
    assert!(project.run(&["doctor"]).stdout.contains("keeps its own files there"));
    assert!(!project.root().join("mortise/agents/events.jsonl").exists());
}

#[test]
fn what_was_not_acknowledged_comes_again_and_nothing_else_does() {
    let receiver = Receiver::start();
    receiver.mode("lost");
    let project = project(&sink("webhook", &receiver, "batch = 4\n"));
    let _gateway = project.up(&["--dev"]);
    search(&mut project.hosted(BOT, "desk"));
    wait_for("a second attempt", || (receiver.requests().len() >= 2).then_some(()));
    let requests = receiver.requests();
    assert_eq!(requests[0]["records"], requests[1]["records"], "the same batch, until it is taken");
    receiver.mode("ok");
    let found = all_arrived(&project, &receiver);
    assert!(found.is_sorted_by(|a, b| a < b), "{found:?}");
    let text = receiver.requests().iter().map(|request| request["raw"].to_string()).collect::<String>();
    assert!(!text.contains(&hex(WORDS)), "an argument left");
}

#[test]
fn a_batch_that_is_too_large_is_made_smaller() {
    let receiver = Receiver::start();
    receiver.mode("small");
    let project = project(&sink("webhook", &receiver, "batch = 4\n"));
    let _gateway = project.up(&["--dev"]);
    search(&mut project.hosted(BOT, "desk"));
    all_arrived(&project, &receiver);
}

/// Calls have their answers while a receiver holds on to the first request and never answers it.
#[test]
fn a_receiver_that_never_answers_holds_up_no_call() {
    let receiver = Receiver::start();
    receiver.mode("hang");
    let project = project(&sink("webhook", &receiver, "batch = 1\ntimeout_s = 300\n"));
    let _gateway = project.up(&["--dev"]);
    wait_for("a request that hangs", || (receiver.requests().len() == 1).then_some(()));
    let mut desk = project.hosted(BOT, "desk");
    for _ in 0..20 {
        let answer = search(&mut desk);
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
    assert_eq!(receiver.requests().len(), 1, "still the same request");
    let sink = status(&project);
    assert_eq!(sink["next"], 0);
    assert!(sink["behind"].as_u64().expect("a number") > 40, "{sink}");
}

#[test]
fn a_file_has_every_record_once_over_restarts() {
    let project = project("\n[sinks.disk]\nkind = \"file\"\npath = \"out/events.jsonl\"\nevery_s = 1\n");
    let path = project.root().join("out/events.jsonl");
    let lines = || -> Vec<Value> {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    for _ in 0..2 {
        let mut gateway = project.up(&["--dev"]);
        search(&mut project.hosted(BOT, "desk"));
        wait_for("every line", || {
            let wanted = project.events().last()?["index"].as_u64()?;
            (indices(&lines()).last() == Some(&wanted)).then_some(())
        });
        // Remembered, before it is killed.
        wait_for("a remembered place", || (status(&project)["behind"] == 0).then_some(()));
        kill(&project);
        gateway.kill();
    }
    let lines = lines();
    assert_eq!(indices(&lines), (0..lines.len() as u64).collect::<Vec<_>>());
    let result = lines.iter().find(|line| line["type"] == "tool.result").expect("a result");
    assert_eq!((&result["origin"], &result["outcome"]), (&json!("mortise.local/support-desk"), &json!("ok")));
    assert!(!fs::read_to_string(&path).expect("the file").contains(WORDS));
}

/// A sink that looks once an hour: what came since is sent because the gateway ends, its end as well.
#[test]
fn what_is_durable_is_sent_before_the_gateway_ends() {
    let mut receiver = Receiver::start();
    let hourly = |more: &str| sink("webhook", &receiver, more).replace("every_s = 1\n", "every_s = 3600\n");
    let settings = hourly("batch = 4\ntimeout_s = 300\n");
    let project = project(&(settings + "\n[sinks.disk]\nkind = \"file\"\npath = \"out.jsonl\"\nevery_s = 3600\n"));
    let gateway = project.up(&["--dev"]);
    wait_for("the first look of a sink", || (status(&project)["behind"] == 0).then_some(()));
    for _ in 0..3 {
        search(&mut project.hosted(BOT, "desk"));
    }
    let before = indices(&receiver.taken()).len();
    end(&project);
    drop(gateway);
    let all: Vec<u64> = (0..project.events().len() as u64).collect();
    assert!(before + 12 < all.len(), "{before} of {} had been sent before", all.len());
    assert_eq!(indices(&receiver.taken()), all, "each once, in order");
    assert_eq!(receiver.taken().last().expect("a record")["type"], "gateway.stopped");
    assert_eq!(project.read("out.jsonl").lines().count(), all.len());

    // Nobody is there: the end does not wait for anybody. What is left comes after the next start, and nothing else does.
    receiver.down();
    let gateway = project.up(&["--dev"]);
    search(&mut project.hosted(BOT, "desk"));
    end(&project);
    drop(gateway);
    assert_eq!(project.read("out.jsonl").lines().count(), project.events().len(), "the other sink is not held up");
    receiver.up();
    let gateway = project.up(&["--dev"]);
    let found = all_arrived(&project, &receiver);
    assert!(found.is_sorted_by(|a, b| a < b), "{found:?}");

    // Somebody who never answers is waited for no longer than the end may take; far less than this request's time.
    let taken = receiver.taken().len();
    receiver.mode("hang");
    search(&mut project.hosted(BOT, "desk"));
    end(&project);
    drop(gateway);
    assert_eq!(receiver.taken().len(), taken);
    receiver.mode("ok");
    let _gateway = project.up(&["--dev"]);
    all_arrived(&project, &receiver);
}

#[test]
fn a_new_sink_waits_for_a_person() {
    let project = project("");
    let _gateway = project.up(&[]);
    people::enroll(&project, "ada");
    let more = "\n[sinks.disk]\nkind = \"file\"\npath = \"out/events.jsonl\"\nevery_s = 1\n";
    project.write("mortise.toml", &(project.read("mortise.toml") + more));
    wait_for("a configuration that waits", || project.events_of("config.waiting").pop());
    search(&mut project.hosted(BOT, "desk"));
    assert!(!project.root().join("out").exists() && status(&project).is_null(), "nothing leaves unaccepted");
    let accepted = people::accept(&project, "ada");
    assert_eq!(accepted.code, 0, "{accepted:?}");
    wait_for("the file", || project.root().join("out/events.jsonl").exists().then_some(()));
}

#[test]
fn a_missing_variable_is_said_and_nothing_is_sent_without_it() {
    let receiver = Receiver::start();
    let project = project(&sink("otlp", &receiver, "headers = { authorization = \"env:NOT_SET\" }\n"));
    let _gateway = project.up(&["--dev"]);
    let sink = wait_for("a sink that says why", || Some(status(&project)).filter(|sink| sink["failure"].is_string()));
    assert_eq!(
        sink["failure"],
        "the variable `NOT_SET` is not set for the gateway: set it, and start the gateway again"
    );
    assert!(receiver.requests().is_empty());
}
