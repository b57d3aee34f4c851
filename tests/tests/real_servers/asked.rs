//! What servers ask of clients, and tell them while they work, over stdio.

use harness::real::{AGENT, RealServer, govern, write};
use harness::{Project, StdioClient};
use serde_json::{Value, json};

const SAMPLING: &str = "sampling/createMessage";
const ELICITATION: &str = "elicitation/create";
const ROOTS: &str = "roots/list";

/// Calls a tool and answers whatever is asked meanwhile; gives the answer and the methods that were asked for.
fn call(client: &mut StdioClient, tool: &str, arguments: Value) -> (Value, Vec<String>) {
    let id = client.send("tools/call", json!({"name": tool, "arguments": arguments}));
    let mut asked = Vec::new();
    loop {
        let frame = client.next_frame().expect("an answer before the end");
        let frame: Value = serde_json::from_str(&frame).expect("a JSON frame");
        match (frame.get("method").and_then(Value::as_str), frame.get("id")) {
            (Some(method), Some(request)) => {
                let result = reply(method);
                client.send_raw(json!({"jsonrpc": "2.0", "id": request, "result": result}).to_string().as_bytes());
                asked.push(method.to_owned());
            }
            (None, Some(answered)) if *answered == id => return (frame, asked),
            _ => {}
        }
    }
}

fn reply(method: &str) -> Value {
    match method {
        SAMPLING => {
            json!({"role": "assistant", "content": {"type": "text", "text": "said the client"}, "model": "its-model"})
        }
        ELICITATION => json!({"action": "accept", "content": {"name": "Ada"}}),
        ROOTS => json!({"roots": [{"uri": "file:///client/root", "name": "the client's"}]}),
        other => panic!("asked for {other}"),
    }
}

fn able(project: &Project) -> StdioClient {
    let mut client = project.proxy_raw(AGENT, "all");
    client.initialize_with("2025-11-25", json!({"sampling": {}, "elicitation": {}, "roots": {"listChanged": true}}));
    client
}

#[test]
fn declared_and_permitted_roots_are_given() {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all")]);
    let mut client = able(&project);
    let (answer, _) = call(&mut client, "get-roots-list", json!({}));
    assert!(answer.to_string().contains("file:///client/root"), "{answer}");
    let decided: Vec<String> = project.events_of("policy.decision").iter().map(Value::to_string).collect();
    assert!(decided.iter().any(|event| event.contains(r#""tool_name":"roots""#)), "{decided:#?}");
}

#[test]
fn a_declared_and_permitted_question_reaches_the_client() {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all")]);
    let mut client = able(&project);
    let (answer, asked) = call(&mut client, "trigger-sampling-request", json!({"prompt": "what?", "maxTokens": 5}));
    assert!(answer.to_string().contains("said the client"), "{answer}");
    assert!(asked.iter().any(|method| method == SAMPLING), "{asked:?}");
    let (answer, asked) = call(&mut client, "trigger-elicitation-request", json!({}));
    assert!(answer.to_string().contains("Name: Ada"), "{answer}");
    assert!(asked.iter().any(|method| method == ELICITATION), "{asked:?}");
    let decided: Vec<String> = project.events_of("policy.decision").iter().map(Value::to_string).collect();
    for operation in ["sampling", "elicitation"] {
        let named = format!(r#""tool_name":"{operation}""#);
        assert!(decided.iter().any(|event| event.contains(&named)), "`{operation}` was not decided: {decided:#?}");
    }
}

#[test]
fn a_question_that_is_not_declared_never_reaches_the_client() {
    let project = Project::empty();
    write(&project, &[RealServer::everything("all")], &[]);
    project.ok(&["lock"]);
    let mut client = able(&project);
    for tool in ["trigger-sampling-request", "trigger-elicitation-request", "get-roots-list"] {
        let (answer, asked) = call(&mut client, tool, json!({"prompt": "what?"}));
        assert!(asked.is_empty(), "{tool}: {asked:?}");
        let text = answer.to_string();
        assert!(!text.contains("said the client") && !text.contains("client/root"), "{tool}: {answer}");
    }
    let denied = project.events_of("policy.decision");
    let denied = denied.iter().filter(|event| event["decision"] == "deny").count();
    assert!(denied >= 3, "{denied}");
}

/// The filesystem server asks for the roots the moment the handshake is over.
#[test]
fn an_early_question_waits_for_the_client() {
    let project = Project::empty();
    let world = project.root().join("world");
    std::fs::create_dir(&world).expect("a folder");
    govern(&project, &[RealServer::filesystem("all", project.root())]);
    let mut client = project.proxy_raw(AGENT, "all");
    let id = client.send(
        "initialize",
        json!({
            "protocolVersion": "2025-11-25", "capabilities": {"roots": {"listChanged": true}},
            "clientInfo": {"name": "harness", "version": "0"}
        }),
    );
    let first: Value = serde_json::from_str(&client.next_frame().expect("a frame")).expect("JSON");
    assert_eq!(first["id"], id, "the server was heard before its answer to the handshake");
    client.notify("notifications/initialized", json!({}));
    let asked: Value = serde_json::from_str(&client.next_frame().expect("a frame")).expect("JSON");
    assert_eq!(asked["method"], ROOTS);
    let roots = json!({"roots": [{"uri": format!("file://{}", world.display())}]});
    client.send_raw(json!({"jsonrpc": "2.0", "id": asked["id"], "result": roots}).to_string().as_bytes());
    harness::wait_for("the server to take the roots over", || {
        let answer = client.call("list_allowed_directories", json!({}));
        let text = answer["result"]["content"][0]["text"].as_str()?.to_owned();
        text.contains(&world.display().to_string()).then_some(())
    });
}

#[test]
fn progress_comes_under_the_clients_own_token() {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all")]);
    let mut client = project.proxy(AGENT, "all");
    for token in [json!("my \"own\" token"), json!(7)] {
        let params = json!({
            "name": "trigger-long-running-operation", "arguments": {"duration": 1, "steps": 2},
            "_meta": {"progressToken": token}
        });
        let answer = client.request("tools/call", params);
        assert_ne!(answer["result"]["isError"], true, "{answer}");
        let told: Vec<Value> = std::mem::take(&mut client.others);
        let told = told.iter().filter(|frame| frame["method"] == "notifications/progress");
        let told: Vec<_> =
            told.map(|frame| (&frame["params"]["progressToken"], &frame["params"]["progress"])).collect();
        assert_eq!(told, [(&token, &json!(1)), (&token, &json!(2))]);
    }
}

#[test]
fn subscribed_resources_are_announced() {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all")]);
    let mut client = project.proxy(AGENT, "all");
    let uri = json!({"uri": "demo://resource/static/document/startup.md"});
    let subscribed = client.request("resources/subscribe", uri.clone());
    assert_eq!(subscribed["result"], json!({}), "{subscribed}");
    client.call("toggle-subscriber-updates", json!({}));
    let updated = |frame: &Value| frame["method"] == "notifications/resources/updated" && frame["params"] == uri;
    while !client.others.iter().any(updated) {
        let frame = client.next_frame().expect("an announcement");
        client.others.push(serde_json::from_str(&frame).expect("a JSON frame"));
    }
}
