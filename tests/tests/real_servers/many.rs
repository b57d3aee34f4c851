//! Several servers behind one endpoint, and one connection behind several clients.

use harness::real::{AGENT, RealServer, govern, key, url};
use harness::{HttpClient, Project};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

fn names(client: &mut HttpClient) -> BTreeSet<String> {
    let answer = client.request("tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let names: Vec<String> = tools.iter().filter_map(|tool| tool["name"].as_str().map(ToOwned::to_owned)).collect();
    let unique: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(unique.len(), names.len(), "a name twice: {names:?}");
    unique
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

fn opened(project: &Project, key: &str) -> HttpClient {
    let mut client = HttpClient::new(&url(project), key);
    let answer = client.initialize();
    assert!(answer.get("result").is_some(), "{answer}");
    client
}

#[test]
fn tools_of_several_servers_are_one_list_and_calls_find_their_server() {
    let project = Project::empty();
    let [left, right] = ["left", "right"].map(|name| {
        let folder = project.root().join(name);
        fs::create_dir(&folder).expect("a folder");
        folder
    });
    let memory = RealServer::memory("memory", &project.root().join("memory.jsonl"));
    let servers = [
        RealServer::filesystem("left", &left),
        RealServer::filesystem("right", &right),
        memory,
        RealServer::time("time"),
    ];
    govern(&project, &servers);
    let _gateway = project.up(&[]);
    let mut client = opened(&project, &key(&project));
    let names = names(&mut client);
    for name in ["left__read_file", "right__read_file", "create_entities", "read_graph", "convert_time"] {
        assert!(names.contains(name), "no `{name}` in {names:?}");
    }
    for name in ["read_file", "memory__read_graph", "time__convert_time"] {
        assert!(!names.contains(name), "`{name}` in {names:?}");
    }
    for (name, folder, other) in [("left", &left, &right), ("right", &right, &left)] {
        let answer = client.call(&format!("{name}__list_allowed_directories"), json!({}));
        let text = text(&answer);
        assert!(text.contains(&folder.display().to_string()) && !text.contains(&other.display().to_string()), "{text}");
    }
    assert!(text(&client.call("read_graph", json!({}))).contains("entities"));
    let ambiguous = client.call("list_allowed_directories", json!({}));
    assert_eq!(ambiguous["result"]["isError"], true, "{ambiguous}");
    let read = client.request("resources/read", json!({"uri": "memory://knowledge-graph"}));
    assert!(read["result"]["contents"][0]["text"].as_str().is_some_and(|text| text.contains("entities")), "{read}");
}

fn meeting(project: &Project) {
    let folder = project.root().display().to_string();
    let server =
        |name: &str, other: &str| RealServer::fixture(name, "meeting_server.py").arg(&folder).arg(name).arg(other);
    // `mortise lock` looks at one server after the other.
    for name in ["east", "west"] {
        project.write(&format!("{name}.starts"), "");
    }
    govern(project, &[server("east", "west"), server("west", "east")]);
    for name in ["east", "west"] {
        project.remove(&format!("{name}.starts"));
    }
}

#[test]
fn servers_start_side_by_side_and_their_connections_are_used_again() {
    let project = Project::empty();
    meeting(&project);
    let _gateway = project.up(&[]);
    let key = key(&project);
    let mut said = BTreeSet::new();
    for _ in 0..5 {
        let mut client = opened(&project, &key);
        let expected = ["east__whoami", "only_east", "only_west", "west__whoami"].map(ToOwned::to_owned);
        assert_eq!(names(&mut client), BTreeSet::from(expected), "a server was left out");
        said.insert(text(&client.call("east__whoami", json!({}))).to_owned());
        said.insert(text(&client.call("only_west", json!({}))).to_owned());
    }
    assert_eq!(said.len(), 2, "{said:?}");
    for name in ["east", "west"] {
        assert_eq!(project.read(&format!("{name}.starts")).lines().count(), 1, "`{name}` was started more than once");
    }
}

/// Two credentials are two sessions; what one tells a server the other must not find there.
#[test]
fn another_credential_gets_connections_of_its_own() {
    let project = Project::empty();
    meeting(&project);
    let _gateway = project.up(&[]);
    let mut said = BTreeSet::new();
    for _ in 0..2 {
        let mut client = opened(&project, &key(&project));
        said.insert(text(&client.call("only_east", json!({}))).to_owned());
    }
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn progress_over_http_comes_under_the_clients_own_token() {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all")]);
    let _gateway = project.up(&[]);
    let mut client = opened(&project, &key(&project));
    let token = json!("my \"own\" token");
    let frame = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {
        "name": "trigger-long-running-operation", "arguments": {"duration": 1, "steps": 2},
        "_meta": {"progressToken": token}
    }});
    let reply = client.post(frame.to_string().as_bytes());
    let messages = reply.messages();
    let kinds: Vec<_> = messages.iter().map(|message| message["method"].as_str()).collect();
    assert_eq!(kinds, [Some("notifications/progress"), Some("notifications/progress"), None], "{reply:?}");
    assert!(messages[..2].iter().all(|message| message["params"]["progressToken"] == token), "{reply:?}");
    assert_eq!(messages[2]["id"], 9);
    // Without a token there is nothing to stream: the answer is plain JSON.
    let plain = client.call("echo", json!({"message": "plain"}));
    assert_eq!(text(&plain), "Echo: plain");
    assert_eq!(project.events_of("tool.result").iter().filter(|event| event["agent"] == AGENT).count(), 2);
}
