//! `kill -9` at the worst moments.

use super::people::{approve, enroll};
use super::{BOT, bench, is_done, mail, notes, rule, text};
use harness::project::kill;
use harness::{Project, StdioClient, wait_for};
use serde_json::{Value, json};

/// Starts a slow call and waits until the tool runs.
fn in_flight(project: &Project, bench: &mut StdioClient) -> u64 {
    let call = bench.send("tools/call", json!({"name": "slow", "arguments": {"text": "work"}}));
    wait_for("the tool to run", || (notes(project) == ["slow work"]).then_some(()));
    call
}

/// The rows of the timeline for one tool.
fn rows(project: &Project, action: &str) -> Vec<Value> {
    let rows = project.json(&["trace", "ls"]);
    rows.as_array().expect("rows").iter().filter(|row| row["action"] == action).cloned().collect()
}

/// Answers come in any order; those that came early are kept aside.
fn answer_in_any_order(shim: &mut StdioClient, call: u64) -> Value {
    match shim.others.iter().position(|other| other["id"] == call) {
        Some(at) => shim.others.remove(at),
        None => shim.answer(call),
    }
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_call_cut_off_by_a_kill_is_unknown_never_run_again_and_taints_its_session() {
    let project = bench();
    let mut shim = project.proxy(BOT, "bench");
    let stranger = mail("stranger@elsewhere.example", "hello");
    assert!(is_done(&project.proxy(BOT, "mailer").call("send_mail", stranger.clone())));
    let call = in_flight(&project, &mut shim);
    kill(project.gateway_pid().expect("a gateway"));
    let answer = shim.answer(call);
    let said = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {answer}"));
    assert!(said.contains("may have run"), "{said}");
    project.ok(&["trace", "verify"]);

    // The same process serves on, with a gateway started anew and a handshake the client does not see again.
    project.write("go", "");
    assert_eq!(text(&shim.call("note", json!({"text": "after"}))), "done: after");
    assert!(shim.others.is_empty(), "{:?}", shim.others);
    let slow = rows(&project, "bench/slow");
    assert_eq!((slow.len(), &slow[0]["outcome"]), (1, &json!("unknown")), "{slow:?}");
    assert!(project.ok(&["trace", "ls"]).lines().any(|line| line.contains("bench/slow") && line.contains("unknown")));
    assert_eq!(notes(&project), ["slow work", "note after"], "never run again");
    let denied = project.proxy(BOT, "mailer").call("send_mail", stranger);
    assert_eq!(rule(&denied), "guards/private-data-stays", "nobody knows what the session saw");
    let report = project.json(&["trace", "verify"]);
    assert_eq!((&report["verdict"], &report["unknown"]), (&json!("ok"), &json!(1)), "{report}");
}

#[test]
fn what_waited_for_a_person_did_not_run() {
    let project = bench();
    let mut shim = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    let call = shim.send("tools/call", json!({"name": "note", "arguments": {"text": "ask"}}));
    let id = super::people::waiting_id(&project);
    kill(project.gateway_pid().expect("a gateway"));
    shim.answer(call);
    project.ok(&["trace", "verify"]);
    assert!(project.ok(&["trace", "ls"]).lines().any(|line| line.contains("bench/note") && line.contains("waiting")));
    assert_eq!(project.json(&["trace", "verify"])["unknown"], 0);
    // It still waits, and runs once when it is approved.
    assert_eq!(super::people::state(&project, &id), "pending");
    assert!(project.events_of("tool.dispatch").is_empty() && notes(&project).is_empty());
    assert_eq!(approve(&project, &id, "ada").code, 0);
    wait_for("the run", || (notes(&project) == ["note ask"]).then_some(()));
}

#[test]
fn a_server_and_all_below_it_end_with_the_gateway() {
    let project = bench();
    let mut shim = project.proxy(BOT, "bench");
    assert!(is_done(&shim.call("fork", json!({"text": "x"}))));
    let pids = std::fs::read_to_string(project.root().join("pids.txt")).expect("process ids");
    let pids: Vec<u32> = pids.split_whitespace().map(|pid| pid.parse().expect("a process id")).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
    kill(project.gateway_pid().expect("a gateway"));
    wait_for("the end of server and grandchild", || pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
    assert!(is_done(&shim.call("note", json!({"text": "x"}))), "the shim has started them anew");
}

#[test]
fn a_server_ends_with_its_shim() {
    let project = bench();
    let mut shim = project.proxy(BOT, "bench");
    assert!(is_done(&shim.call("fork", json!({"text": "x"}))));
    let pids = std::fs::read_to_string(project.root().join("pids.txt")).expect("process ids");
    let pids: Vec<u32> = pids.split_whitespace().map(|pid| pid.parse().expect("a process id")).collect();
    assert_eq!(shim.wait(), 0);
    wait_for("the end of server and grandchild", || pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
    assert!(project.gateway_pid().is_some(), "the gateway stays for others");
}

#[test]
fn frames_sent_while_the_gateway_comes_back_are_answered() {
    let project = bench();
    let mut shim = project.proxy(BOT, "bench");
    for round in 0..3 {
        kill(project.gateway_pid().expect("a gateway"));
        let calls: Vec<u64> = (0..5)
            .map(|number| {
                std::thread::sleep(std::time::Duration::from_millis(7));
                shim.send("tools/call", json!({"name": "note", "arguments": {"text": format!("{round}.{number}")}}))
            })
            .collect();
        for call in calls {
            // Every one is answered: with a result, or with what may have become of it.
            let answer = answer_in_any_order(&mut shim, call);
            let text = answer["error"]["message"].as_str();
            assert!(is_done(&answer) || text.is_some_and(|text| text.contains("may have run")), "{answer}");
        }
        assert!(is_done(&shim.call("note", json!({"text": format!("{round}.end")}))));
    }
    let mut notes = notes(&project);
    let all = notes.len();
    notes.sort();
    notes.dedup();
    assert_eq!(notes.len(), all, "nothing ran twice");
    project.ok(&["trace", "verify"]);
}

#[test]
fn labels_and_refusals_outlive_a_kill() {
    let project = Project::example("support-desk");
    let mut desk = project.proxy(BOT, "desk");
    assert!(is_done(&desk.call("search_tickets", json!({"query": "cached", "status": "open"}))));
    kill(project.gateway_pid().expect("a gateway"));
    let denied = project.proxy(BOT, "mailer").call("send_mail", mail("stranger@elsewhere.example", "hello"));
    assert_eq!(rule(&denied), "guards/private-data-stays");
}

#[test]
fn a_gateway_that_cannot_come_back_is_said() {
    let project = bench();
    let mut shim = project.proxy(BOT, "bench");
    let call = in_flight(&project, &mut shim);
    let accepted = project.state().join("accepted.json");
    std::fs::write(&accepted, "{").expect("a damaged file");
    kill(project.gateway_pid().expect("a gateway"));
    assert!(shim.answer(call)["error"]["message"].as_str().is_some_and(|text| text.contains("may have run")));
    assert_eq!(shim.next_frame(), None, "the client sees the end");
    assert_eq!(shim.wait(), 30);
    let output = project.run(&["proxy", "--agent", BOT, "--server", "bench"]);
    assert!(output.code == 30 && output.stderr.contains("accepted"), "{output:#?}");
}

/// More records than one bundle of the log holds, and more than one checkpoint: a start may skip what is sealed there,
/// but not what it says of the session.
#[test]
fn what_a_long_log_says_of_a_session_outlives_a_kill() {
    let project = Project::example("support-desk");
    super::edit(
        &project,
        "mortise/tools/desk.toml",
        "confidentiality = \"private\" }",
        "confidentiality = \"secret\" }",
    );
    super::edit(&project, "mortise/agents/support-bot.toml", "calls_per_minute = 120", "calls_per_minute = 10000");
    let mut desk = project.proxy(BOT, "desk");
    let stranger = mail("stranger@elsewhere.example", "hello");
    assert!(is_done(&project.proxy(BOT, "mailer").call("send_mail", stranger.clone())));
    assert!(is_done(&desk.call("search_tickets", json!({"query": "cached", "status": "open"}))));
    let first = checkpoint(&project, 1);
    for _ in 0..100 {
        let read = desk.request("resources/read", json!({"uri": "desk://handbook"}));
        assert!(read["result"]["contents"].is_array(), "{read}");
    }
    assert!(checkpoint(&project, 300) > first.max(256));
    assert!(project.log().join("tile/0/000").is_file(), "no tile is full");
    let calls = project.events_of("tool.intent").len();
    for round in 0..2 {
        kill(project.gateway_pid().expect("a gateway"));
        let denied = project.proxy(BOT, "mailer").call("send_mail", stranger.clone());
        assert_eq!(rule(&denied), "guards/private-data-stays", "{round}");
    }
    assert!(is_done(&project.proxy(BOT, "mailer").call("send_mail", mail("lin@fabrikam.example", "hello"))));
    let result = project.events_of("tool.result").pop().expect("a result");
    let labels = result["labels"]["confidentiality"].as_array().expect("labels");
    assert!(labels.contains(&json!("secret")), "{result}");
    let events = project.events();
    let sessions = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((sessions("session.start"), sessions("tool.intent")), (1, calls + 3), "it is the same session");
    let report = project.json(&["trace", "verify"]);
    assert_eq!((&report["verdict"], &report["unknown"]), (&json!("ok"), &json!(0)), "{report}");
}

/// The size of the log's checkpoint, once it is at least so large.
fn checkpoint(project: &Project, at_least: u64) -> u64 {
    wait_for("a checkpoint", || {
        let text = std::fs::read_to_string(project.log().join("checkpoint")).ok()?;
        let size = text.lines().nth(1)?.parse().ok()?;
        (size >= at_least).then_some(size)
    })
}
