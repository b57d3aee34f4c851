//! Messages that are not messages, over both transports: refused by name, recorded, and nothing else is lost by them.

use crate::faulty;
use harness::{HttpClient, Project, StdioClient, wait_for};
use serde_json::{Value, json};

/// The default limit of a message, bytes.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Frames that are not one message in strict JSON, and a part of the sentence that says so.
fn not_messages() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let call = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":70,"method":"tools/call","params":{params}}}"#);
    let echo = |arguments: &str| call(&format!(r#"{{"name":"echo","arguments":{arguments}}}"#)).into_bytes();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let twice_on_top = br#"{"jsonrpc":"2.0","id":70,"id":71,"method":"ping"}"#;
    let mut not_utf8 = echo(r#"{"text":"?"}"#);
    let mark = not_utf8.iter().position(|byte| *byte == b'?').expect("the mark");
    not_utf8[mark] = 0xff;
    vec![
        ("malformed", br#"{"jsonrpc":"2.0","id":70,"method":"ping""#.to_vec(), "message refused"),
        ("no JSON", b"GET / HTTP/1.1".to_vec(), "message refused"),
        ("deep", echo(&format!(r#"{{"text":{deep}}}"#)), "nested deeper"),
        ("duplicate on top", twice_on_top.to_vec(), "key given twice"),
        ("duplicate in params", call(r#"{"name":"echo","name":"die"}"#).into_bytes(), "key given twice"),
        ("duplicate in arguments", echo(r#"{"n":1,"n":2}"#), "key given twice"),
        ("escaped duplicate", echo(r#"{"n":1,"\u006e":2}"#), "key given twice"),
        ("not UTF-8", not_utf8, "UTF-8"),
        ("batch", br#"[{"jsonrpc":"2.0","id":70,"method":"ping"}]"#.to_vec(), "batches"),
        ("lone surrogate", echo(r#"{"text":"\ud800"}"#), "surrogate"),
        ("huge integer", echo(r#"{"n":12345678901234567890123}"#), "integer"),
        ("null id", br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_vec(), "`id` is null"),
        ("wrong version", br#"{"jsonrpc":"1.0","id":70,"method":"ping"}"#.to_vec(), "jsonrpc"),
    ]
}

#[test]
fn stdio_refuses_what_is_no_message_and_goes_on() {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    for (name, frame, says) in not_messages() {
        client.send_raw(&frame);
        let answer: Value = serde_json::from_str(&client.next_frame().expect("an answer")).expect("JSON");
        assert_eq!(answer["id"], Value::Null, "{name}: {answer}");
        assert!(answer["error"]["code"].is_i64(), "{name}: {answer}");
        let message = answer["error"]["message"].as_str().expect("a sentence");
        assert!(message.contains(says), "{name}: {message}");
    }
    works(&mut client);
    refused_and_recorded(&project, not_messages().len());
}

#[test]
fn http_refuses_what_is_no_message_and_goes_on() {
    let project = faulty::project();
    let gateway = project.up(&[]);
    let mut client = http(&project);
    client.initialize();
    for (name, frame, says) in not_messages() {
        let reply = client.post(&frame);
        assert_eq!(reply.status, 400, "{name}: {reply:?}");
        let answer: Value = serde_json::from_str(&reply.body).expect("JSON");
        let message = answer["error"]["message"].as_str().expect("a sentence");
        assert!(message.contains(says), "{name}: {message}");
    }
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    refused_and_recorded(&project, not_messages().len());
    drop(gateway);
}

#[test]
fn a_message_over_the_limit_is_refused_on_stdio_and_nothing_else_is_lost() {
    let project = faulty::project();
    let (mut other, mut client) = (project.proxy("tester", "faulty"), project.proxy("tester", "faulty"));
    for size in [MAX_MESSAGE + 1, 64 * 1024 * 1024, 64 * 1024 * 1024 + 1] {
        too_long(&mut client, size, MAX_MESSAGE);
        works(&mut client);
        works(&mut other);
        works(&mut project.proxy("tester", "faulty"));
    }
    assert_eq!(faulty::calls(&project, "echo"), 9);
    recorded_as_too_long(&project, 3, MAX_MESSAGE);
}

/// Also in the middle of what else is under way, and exactly at the edge.
#[test]
fn a_declared_limit_of_messages_is_exact_on_stdio() {
    let limit = 16 * 1024;
    let project = faulty::with("[gateway]\nmax_message_bytes = 16384\n");
    let mut client = project.proxy("tester", "faulty");
    let (head, tail) = (r#"{"jsonrpc":"2.0","id":99,"method":"ping","params":{"_meta":{"x":""#, r#""}}}"#);
    let ping = format!("{head}{}{tail}", "x".repeat(limit - head.len() - tail.len()));
    client.send_raw(ping.as_bytes());
    let answer: Value = serde_json::from_str(&client.next_frame().expect("an answer")).expect("JSON");
    assert_eq!((&answer["id"], answer.get("result").is_some()), (&json!(99), true), "{answer}");
    too_long(&mut client, limit + 1, limit);
    let call = client.send("tools/call", json!({"name": "echo", "arguments": {"n": 2}}));
    client.send_raw(&large(limit + 1));
    let last = client.send("tools/call", json!({"name": "echo", "arguments": {"n": 3}}));
    let mut ids: Vec<Value> = Vec::new();
    while ids.len() < 3 {
        let frame: Value = serde_json::from_str(&client.next_frame().expect("an answer")).expect("JSON");
        assert_eq!(frame.get("error").is_some(), frame["id"].is_null(), "{frame}");
        ids.push(frame["id"].clone());
    }
    assert!([json!(call), Value::Null, json!(last)].iter().all(|id| ids.contains(id)), "{ids:?}");
    assert_eq!(faulty::calls(&project, "echo"), 2);
    recorded_as_too_long(&project, 2, limit);
}

/// Sends a call of so many bytes, and reads its refusal.
fn too_long(client: &mut StdioClient, size: usize, limit: usize) {
    client.send_raw(&large(size));
    let answer: Value = serde_json::from_str(&client.next_frame().expect("an answer")).expect("JSON");
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32600)), "{answer}");
    assert_eq!(answer["error"]["message"], format!("a message is longer than {limit} bytes"));
}

/// The log has it, by whom and why, and nothing of what was in it.
fn recorded_as_too_long(project: &Project, count: usize, limit: usize) {
    let recorded = wait_for("the refusals in the log", || {
        Some(project.events_of("message.refused")).filter(|recorded| recorded.len() >= count)
    });
    assert_eq!(recorded.len(), count, "{recorded:#?}");
    for event in recorded {
        assert_eq!(event["text"], format!("size: a message is longer than {limit} bytes"));
        assert_eq!((&event["agent"], &event["authn"]), (&json!("tester"), &json!("local")));
        assert!(event["session"].is_string() && event.get("call").is_none(), "{event}");
    }
    project.ok(&["trace", "verify"]);
}

#[test]
fn a_message_over_the_limit_is_413_on_http() {
    let project = faulty::project();
    let _gateway = project.up(&[]);
    let mut client = http(&project);
    client.initialize();
    assert_eq!(client.post(&large(MAX_MESSAGE + 1)).status, 413);
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    // Exactly the limit is a message: it is only the tool's schema that may complain.
    assert_eq!(client.post(&large(MAX_MESSAGE)).status, 200);
}

#[test]
fn the_handshake_comes_first() {
    let project = faulty::project();
    let mut client = project.proxy_raw("tester", "faulty");
    let answer = client.call("echo", json!({"n": 1}));
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    client.initialize();
    works(&mut client);
    assert_eq!(faulty::calls(&project, "echo"), 1);
}

#[test]
fn methods_that_are_unknown_or_refused_are_not_found() {
    let project = faulty::project();
    let _gateway = project.up(&[]);
    let mut web = http(&project);
    web.initialize();
    let mut client = project.proxy("tester", "faulty");
    let methods =
        ["tools/destroy", "server/discover", "tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "Tools/call"];
    for method in methods {
        for answer in [client.request(method, json!({})), web.request(method, json!({}))] {
            assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
        }
    }
    works(&mut client);
    refused_and_recorded(&project, methods.len() * 2);
    let methods_received = faulty::received(&project);
    assert!(!methods_received.iter().any(|line| line.contains("tasks/") || line.contains("destroy")));
}

#[test]
fn an_unknown_tool_and_an_undeclared_one_are_refused_alike() {
    let project = faulty::project();
    let agent = "mortise/agents/tester.toml";
    project.write(agent, &project.read(agent).replace("\"faulty/die\", ", ""));
    let mut client = project.proxy("tester", "faulty");
    let shape = |answer: Value, tool: &str| {
        let mut answer = answer;
        answer["id"] = Value::Null;
        answer["result"]["_meta"]["mortise"]["call"] = Value::Null;
        answer["result"]["structuredContent"]["mortise"]["call"] = Value::Null;
        answer.to_string().replace(tool, "TOOL")
    };
    let unknown = shape(client.call("no_such_tool", json!({})), "no_such_tool");
    let undeclared = shape(client.call("die", json!({})), "die");
    assert_eq!(unknown, undeclared);
    assert!(unknown.contains("\"isError\":true"), "{unknown}");
    assert_eq!(faulty::calls(&project, "die"), 0);
}

#[test]
fn arguments_against_the_schema_are_refused_by_pointer_and_never_echoed() {
    let project = faulty::project();
    let mut client = project.proxy("tester", "faulty");
    let arguments = json!({"name": "a-secret-value-too-long", "count": 0, "surprise": "a-secret-too"});
    let answer = client.call("strict", arguments);
    let mut refusal = answer["result"]["_meta"]["mortise"].clone();
    refusal["call"] = Value::from("[call]");
    insta::assert_snapshot!("schema_complaint", serde_json::to_string_pretty(&refusal).expect("JSON"));
    assert!(!answer.to_string().contains("secret"), "{answer}");
    assert_eq!(faulty::calls(&project, "strict"), 0);
    let good = client.call("strict", json!({"name": "fine", "count": 2}));
    assert_eq!(faulty::text(&good), r#"{"name": "fine", "count": 2}"#);
}

#[test]
fn what_is_forwarded_is_what_was_evaluated() {
    let project = faulty::project();
    project.write(
        "mortise/policies/not-one.cedar",
        "@id(\"not-one\")\nforbid (principal, action == Action::\"faulty/strict\", resource)\nwhen { context.args.count \
         == 1 };\n",
    );
    let mut client = project.proxy("tester", "faulty");
    // Every spelling of the number one is the number one.
    for spelling in ["1", "1.0", "1e0", "10e-1", "1.000"] {
        let answer = raw_call(&mut client, "strict", &format!(r#"{{"name":"n","count":{spelling}}}"#));
        assert!(answer.contains("not-one") || answer.contains("unrepresentable"), "{spelling}: {answer}");
    }
    assert_eq!(faulty::calls(&project, "strict"), 0);
    // What is spelt in two ways leaves in one.
    raw_call(&mut client, "echo", r#"{ "t\u0065xt" : "\u0061\/b" ,"n":18446744073709551615}"#);
    let received = faulty::received(&project);
    let sent = received.iter().find(|line| line.contains("18446744073709551615")).expect("the call");
    let sent: Value = serde_json::from_str(sent).expect("JSON");
    assert_eq!(sent["params"]["arguments"], json!({"text": "a/b", "n": 18_446_744_073_709_551_615_u64}));
}

/// Sends a call whose arguments are spelt as given, and gives the answer's text.
fn raw_call(client: &mut StdioClient, tool: &str, arguments: &str) -> String {
    let id = "\"raw\"";
    let params = format!(r#"{{"name":"{tool}","arguments":{arguments}}}"#);
    client.send_raw(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#).as_bytes());
    loop {
        let frame = client.next_frame().expect("an answer");
        if frame.contains(&format!("\"id\":{id}")) {
            return frame;
        }
    }
}

fn works(client: &mut StdioClient) {
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
}

/// A call of exactly so many bytes.
fn large(size: usize) -> Vec<u8> {
    let (head, tail) =
        (r#"{"jsonrpc":"2.0","id":99,"method":"tools/call","params":{"name":"echo","arguments":{"text":""#, r#""}}}"#);
    let text = "x".repeat(size - head.len() - tail.len());
    format!("{head}{text}{tail}").into_bytes()
}

/// Nothing of it reached the server, each is an event, and the log verifies.
fn refused_and_recorded(project: &Project, count: usize) {
    let recorded = wait_for("the refusals in the log", || {
        let recorded = project.events_of("message.refused");
        (recorded.len() >= count).then_some(recorded)
    });
    assert_eq!(recorded.len(), count, "{recorded:#?}");
    assert!(recorded.iter().all(|event| event["agent"] == "tester"));
    assert_eq!(faulty::calls(project, "die"), 0);
    assert_eq!(faulty::calls(project, "echo"), 1);
    project.ok(&["trace", "verify"]);
}

/// A client with a key for the running gateway.
pub fn http(project: &Project) -> HttpClient {
    let key = project.ok(&["agents", "key", "tester"]);
    HttpClient::new(&url(project), key.trim())
}

/// Where the gateway listens.
pub fn url(project: &Project) -> String {
    wait_for("a listening gateway", || {
        let status = project.control(&json!("status"))?;
        status["ok"]["listening"].as_str().map(ToOwned::to_owned)
    })
}
