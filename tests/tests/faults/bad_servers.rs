//! Servers that break their side: the agent is told the truth, the log says it too, and the gateway goes on.

use crate::bad_input::http;
use crate::faulty;
use harness::{Project, wait_for};
use serde_json::{Value, json};

/// A project whose calls time out after a second.
fn impatient() -> Project {
    let project = faulty::project();
    faulty::edit(&project, "call_timeout_s = 20", "call_timeout_s = 1");
    project
}

/// The text of a call that failed, and whether it may have run.
fn failure(answer: &Value) -> (&str, bool) {
    let may_have_run = answer["result"]["_meta"]["mortise"]["may_have_run"].as_bool();
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    (faulty::text(answer), may_have_run.unwrap_or_else(|| panic!("{answer}")))
}

/// The recorded outcome of the newest call of a tool.
fn outcome(project: &Project, tool: &str) -> Value {
    let found = wait_for("the call's end in the log", || {
        project.events_of("tool.result").into_iter().rev().find(|event| event["tool_name"] == tool)
    });
    found["outcome"].clone()
}

/// A new conversation does as ever, and the log verifies.
fn goes_on(project: &Project) {
    let answer = project.proxy("tester", "faulty").call("echo", json!({"n": 5}));
    assert_eq!(faulty::text(&answer), r#"{"n": 5}"#);
    project.ok(&["trace", "verify"]);
}

#[test]
fn no_answer_in_time() {
    let project = impatient();
    let mut client = project.proxy("tester", "faulty");
    let answer = client.call("silent", json!({}));
    let says = "Mortise: the call was sent and no answer came: no answer in time. It may have run: look before you \
                repeat it.";
    assert_eq!(failure(&answer), (says, true));
    assert_eq!(outcome(&project, "silent"), "unknown");
    let note = wait_for("the cancellation", || {
        faulty::received(&project).into_iter().find(|line| line.contains("notifications/cancelled"))
    });
    let note: Value = serde_json::from_str(&note).expect("JSON");
    let calls = faulty::received(&project);
    let call = calls.iter().find(|line| line.contains("\"silent\"")).expect("the call");
    let call: Value = serde_json::from_str(call).expect("JSON");
    assert_eq!(note["params"]["requestId"], call["id"]);
    // The same conversation goes on.
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    goes_on(&project);
}

#[test]
fn two_answers_to_one_call() {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    for _ in 0..3 {
        assert_eq!(faulty::text(&client.call("twice", json!({}))), "{}");
    }
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    assert!(client.others.is_empty(), "{:?}", client.others);
    goes_on(&project);
}

#[test]
fn what_ends_the_server_ends_the_call_as_unknown() {
    let project = faulty::project();
    for (tool, says) in [
        ("garbage", "server broke the protocol"),
        ("duplicate", "server broke the protocol"),
        ("huge", "server broke the protocol: line longer than 16777216 bytes"),
        ("die", "server ended"),
    ] {
        let mut client = project.proxy("tester", "faulty");
        let answer = client.call(tool, json!({}));
        let (text, may_have_run) = failure(&answer);
        assert!(text.contains(says) && may_have_run, "{tool}: {text}");
        assert!(!answer.to_string().contains("second"), "{tool}: {answer}");
        assert_eq!(outcome(&project, tool), "unknown", "{tool}");
        goes_on(&project);
    }
    for tool in ["garbage", "duplicate", "huge", "die"] {
        assert_eq!(faulty::calls(&project, tool), 1, "{tool} is never repeated");
    }
}

#[test]
fn a_flood_of_notifications() {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    let answer = client.call("flood", json!({}));
    let flooded = answer["result"]["_meta"]["mortise"]["may_have_run"] == true;
    assert!(flooded || faulty::text(&answer) == "after the flood", "{answer}");
    goes_on(&project);
}

#[test]
fn a_result_against_the_pinned_output_schema_is_withheld() {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    let answer = client.call("mismatch", json!({}));
    let refusal = &answer["result"]["_meta"]["mortise"];
    assert_eq!(refusal["rule"], "result/faulty/mismatch", "{answer}");
    assert!(!answer.to_string().contains("secretly"), "{answer}");
    assert_eq!(outcome(&project, "mismatch"), "withheld");
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    goes_on(&project);
}

#[test]
fn a_server_that_ends_at_start_is_named_with_its_code() {
    let project = faulty::project();
    project.write("mode.txt", "exit");
    let mut client = project.proxy_raw("tester", "faulty");
    let answer = client.initialize();
    let message = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(
        message,
        "Mortise cannot start or reach server `faulty`: server could not be started: it ended with code 3"
    );
    project.remove("mode.txt");
    goes_on(&project);
}

#[test]
fn a_server_that_never_shakes_hands_is_given_up() {
    let project = faulty::project();
    faulty::edit(&project, "start_timeout_s = 20", "start_timeout_s = 1");
    project.write("mode.txt", "mute");
    let mut client = project.proxy_raw("tester", "faulty");
    let answer = client.initialize();
    let message = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(message, "Mortise cannot start or reach server `faulty`: no answer in time");
}

#[test]
fn of_two_tools_of_one_name_neither_may_be_called() {
    let project = faulty::project();
    project.write("mode.txt", "namesakes");
    let mut client = project.proxy("tester", "faulty");
    let answer = client.call("echo", json!({"n": 1}));
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(faulty::calls(&project, "echo"), 0);
    assert_eq!(faulty::text(&client.call("strict", json!({"name": "n", "count": 1}))), r#"{"name": "n", "count": 1}"#);
    let lock = project.run(&["lock", "--check"]);
    assert_eq!(lock.code, 3, "{lock:?}");
    insta::assert_snapshot!("namesakes", lock.stderr);
}

/// The most requests of one conversation that are handled at a time.
const MAX_OPEN: usize = 256;

#[test]
fn calls_of_clients_that_left_are_open_until_they_end() {
    let project = faulty::project();
    faulty::edit(&project, "call_timeout_s = 20", "call_timeout_s = 600");
    let _gateway = project.up(&[]);
    let mut client = http(&project);
    client.initialize();
    let call = |id: usize, tool: &str| {
        let params = json!({"name": tool, "arguments": {}});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
    };
    let left: Vec<_> = (0..MAX_OPEN).map(|id| client.posted(call(id, "silent").as_bytes())).collect();
    wait_for("all calls at the server", || (faulty::calls(&project, "silent") == MAX_OPEN).then_some(()));
    drop(left);
    // Nobody waits, and they still run: one more would be one too many.
    let reply = client.post(call(MAX_OPEN, "echo").as_bytes());
    let refused = reply.messages().pop().unwrap_or_else(|| panic!("{reply:?}"));
    assert_eq!(refused["error"]["message"], "too many open requests", "{refused}");
    // One is withdrawn, which the server is told; then there is room for one.
    let withdrawn = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    client.post(withdrawn.to_string().as_bytes());
    assert_eq!(outcome(&project, "silent"), "unknown");
    let told = |line: &String| line.contains("notifications/cancelled");
    let told = wait_for("the cancellation", || faulty::received(&project).into_iter().find(told));
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let silent: Vec<Value> = faulty::received(&project)
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|message: &Value| message["params"]["name"] == "silent")
        .collect();
    assert!(silent.iter().any(|call| call["id"] == told["params"]["requestId"]), "{told}");
    let echoed = wait_for("room for one", || {
        let reply = client.post(call(7, "echo").as_bytes());
        reply.messages().pop().filter(|answer| answer["error"]["message"] != "too many open requests")
    });
    assert_eq!(faulty::text(&echoed), "{}");
    // The other ones end with their server.
    client.post(call(7, "die").as_bytes());
    wait_for("all ends in the log", || (project.events_of("tool.result").len() == MAX_OPEN + 2).then_some(()));
    for id in [0, 7, MAX_OPEN - 1] {
        let answer = client.post(call(id, "echo").as_bytes()).messages().pop().expect("an answer");
        assert_eq!(answer["id"], id, "{answer}");
        assert_ne!(answer["error"]["message"], "a request with this id is open", "{answer}");
    }
    project.ok(&["trace", "verify"]);
}
