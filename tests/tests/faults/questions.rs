//! A server that asks its client more than is answered at once: bounded, and nobody else's trouble.

use crate::faulty::text;
use harness::real::{AGENT, RealServer, write};
use harness::{Project, StdioClient, wait_for};
use serde_json::{Value, json};

/// Questions of one server that are answered at once.
const AT_ONCE: usize = 64;

/// More than are answered at once and wait in line together.
const MANY: usize = 200;

const METHODS: [&str; 3] = ["sampling/createMessage", "elicitation/create", "roots/list"];

fn project(client_requests: &[&str]) -> Project {
    let project = Project::empty();
    write(&project, &[RealServer::fixture("asking", "asking_server.py")], client_requests);
    project.ok(&["lock"]);
    project
}

fn able(project: &Project) -> StdioClient {
    let mut client = project.proxy_raw(AGENT, "asking");
    client.initialize_with("2025-11-25", json!({"sampling": {}, "elicitation": {}, "roots": {}}));
    client
}

/// Has the server ask, and gives the id of the call.
fn ask(client: &mut StdioClient, method: &str, count: usize) -> u64 {
    client.send("tools/call", json!({"name": "ask", "arguments": {"method": method, "count": count}}))
}

/// The questions that come before the answer to a call, and that answer. `reply` gives what is answered, if anything.
fn answered(client: &mut StdioClient, call: u64, reply: impl Fn(&str) -> Option<Value>) -> (usize, Value) {
    let mut questions = 0;
    loop {
        let frame = client.next_frame().expect("an answer before the end");
        let frame: Value = serde_json::from_str(&frame).expect("a JSON frame");
        match frame["method"].as_str() {
            Some(method) if frame.get("id").is_some() => {
                questions += 1;
                if let Some(result) = reply(method) {
                    client.send_raw(
                        json!({"jsonrpc": "2.0", "id": frame["id"], "result": result}).to_string().as_bytes(),
                    );
                }
            }
            None if frame["id"] == call => return (questions, frame),
            _ => {}
        }
    }
}

/// What an obliging client says.
fn oblige(method: &str) -> Value {
    match method {
        "sampling/createMessage" => {
            json!({"role": "assistant", "content": {"type": "text", "text": "x"}, "model": "m"})
        }
        "elicitation/create" => json!({"action": "decline"}),
        _ => json!({"roots": []}),
    }
}

/// What the server counted.
fn counted(answer: &Value) -> Value {
    serde_json::from_str(text(answer)).unwrap_or_else(|_| panic!("{answer}"))
}

/// The gateway and other conversations go on, and the log is whole.
fn goes_on(project: &Project, gateway: Option<u32>) {
    assert_eq!(text(&able(project).call("idle", json!({}))), "done");
    assert_eq!(project.gateway_pid(), gateway, "another gateway");
    project.ok(&["trace", "verify"]);
}

#[test]
fn more_questions_than_at_once_are_each_answered_once() {
    let project = project(&["sampling", "elicitation", "roots"]);
    let mut client = able(&project);
    let gateway = project.gateway_pid();
    for method in METHODS {
        let call = ask(&mut client, method, MANY);
        let (questions, answer) = answered(&mut client, call, |method| Some(oblige(method)));
        assert_eq!(questions, MANY, "{method}");
        assert_eq!(counted(&answer), json!({"results": MANY, "errors": 0, "codes": []}), "{method}");
    }
    goes_on(&project, gateway);
}

#[test]
fn more_questions_than_at_once_that_are_not_declared_are_each_refused() {
    let project = project(&[]);
    let mut client = able(&project);
    let gateway = project.gateway_pid();
    for method in METHODS {
        let call = ask(&mut client, method, MANY);
        let (questions, answer) = answered(&mut client, call, |_| None);
        let counted = counted(&answer);
        assert_eq!((questions, &counted["results"], &counted["errors"]), (0, &json!(0), &json!(MANY)), "{method}");
        assert_eq!(counted["codes"].as_array().map(Vec::len), Some(1), "{method}: {counted}");
    }
    let denied = project.events_of("policy.decision");
    let denied = denied.iter().filter(|event| event["reasons"][0]["rule"] == format!("inventory/{AGENT}"));
    assert_eq!(denied.count(), METHODS.len() * MANY);
    goes_on(&project, gateway);
}

/// A client that answers nothing is asked no more than is answered at once. The server is held back, and then cut off.
#[test]
fn a_server_that_asks_on_without_answers_is_cut_off() {
    let project = project(&["sampling", "elicitation", "roots"]);
    let mut client = able(&project);
    let gateway = project.gateway_pid();
    let call = ask(&mut client, METHODS[1], MANY);
    let (questions, answer) = answered(&mut client, call, |_| None);
    assert_eq!(questions, AT_ONCE, "{answer}");
    let refusal = &answer["result"]["_meta"]["mortise"];
    assert_eq!((&answer["result"]["isError"], &refusal["may_have_run"]), (&json!(true), &json!(true)), "{answer}");
    let stopped = wait_for("the server's end in the log", || project.events_of("server.stopped").pop());
    assert_eq!(stopped["server"], "asking", "{stopped}");
    goes_on(&project, gateway);
}

/// One fewer than would be held back: the last question is asked like the first.
#[test]
fn as_many_as_at_once_are_all_asked_before_any_is_answered() {
    let project = project(&["sampling", "elicitation", "roots"]);
    let mut client = able(&project);
    let call = ask(&mut client, METHODS[2], AT_ONCE);
    let mut open = Vec::new();
    while open.len() < AT_ONCE {
        let frame: Value = serde_json::from_str(&client.next_frame().expect("a frame")).expect("JSON");
        assert_eq!(frame["method"], METHODS[2], "{frame}");
        open.push(frame["id"].clone());
    }
    // In another order than they were asked.
    for id in open.iter().rev() {
        client.send_raw(json!({"jsonrpc": "2.0", "id": id, "result": {"roots": []}}).to_string().as_bytes());
    }
    let answer = client.answer(call);
    assert_eq!(counted(&answer), json!({"results": AT_ONCE, "errors": 0, "codes": []}));
}
