//! What HTTP itself says: who may speak, and which conversation is meant.

use crate::bad_input::{http, url};
use crate::faulty;
use harness::HttpClient;
use serde_json::json;

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[test]
fn a_browser_that_was_lured_here_gets_nothing() {
    let project = faulty::project();
    let _gateway = project.up(&[]);
    let client = http(&project);
    let key = project.ok(&["agents", "key", "tester"]);
    let bearer = format!("Bearer {}", key.trim());
    let usual = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "localhost.evil.example"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let headers = [usual.as_slice(), &[(name, value)]].concat();
        for method in ["POST", "GET", "DELETE"] {
            let reply = client.exchange(method, &headers, PING);
            assert_eq!((reply.status, reply.body.as_str()), (403, ""), "{method} {name}: {value}");
        }
    }
    let form = [("content-type", "text/plain"), ("authorization", bearer.as_str())];
    assert_eq!(client.exchange("POST", &form, PING).status, 415);
}

#[test]
fn nobody_gets_in_without_a_key() {
    let project = faulty::project();
    let _gateway = project.up(&[]);
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "0"}}})
    .to_string();
    let client = HttpClient::new(&url(&project), "");
    for authorization in [None, Some("Bearer "), Some("Bearer wrong"), Some("Basic dGVzdGVyOg==")] {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        for method in ["POST", "GET", "DELETE"] {
            let reply = client.exchange(method, &headers, initialize.as_bytes());
            assert_eq!(reply.status, 401, "{method} {authorization:?}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"mortise\""));
            assert!(reply.body.contains("mortise agents key"), "{reply:?}");
        }
    }
    assert!(faulty::received(&project).is_empty());
}

#[test]
fn a_conversation_is_found_by_its_id_and_its_callers_key() {
    let project = faulty::project();
    project.write(
        "mortise/agents/other.toml",
        "owner = \"tests@example.com\"\npurpose = \"Be somebody else\"\ntier = \"low\"\ntools = [\"faulty/echo\"]\n",
    );
    let _gateway = project.up(&[]);
    let key = |agent| format!("Bearer {}", project.ok(&["agents", "key", agent]).trim());
    let (tester, other) = (key("tester"), key("other"));
    let client = HttpClient::new(&url(&project), "");
    let exchange = |method: &str, key: &str, session: Option<&str>, body: &[u8]| {
        let mut headers = vec![("content-type", "application/json"), ("authorization", key)];
        headers.extend(session.map(|session| ("mcp-session-id", session)));
        client.exchange(method, &headers, body)
    };
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "0"}}});
    let reply = exchange("POST", &tester, None, initialize.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{reply:?}");
    let session = reply.header("mcp-session-id").expect("a session id").to_owned();

    assert_eq!(exchange("POST", &tester, Some(&session), PING).status, 200);
    for method in ["POST", "GET", "DELETE"] {
        assert_eq!(exchange(method, &tester, Some("0123456789abcdef"), PING).status, 404, "{method}: unknown id");
        assert_eq!(exchange(method, &tester, None, PING).status, 400, "{method}: no id");
        assert_eq!(exchange(method, &other, Some(&session), PING).status, 404, "{method}: somebody else's id");
    }
    let unusual = exchange("PUT", &tester, Some(&session), PING);
    assert_eq!((unusual.status, unusual.header("allow")), (405, Some("DELETE, GET, POST")));

    let note = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(exchange("POST", &tester, Some(&session), note).status, 202);
    assert_eq!(exchange("DELETE", &tester, Some(&session), b"").status, 200);
    assert_eq!(exchange("POST", &tester, Some(&session), PING).status, 404);
    assert_eq!(exchange("DELETE", &tester, Some(&session), b"").status, 404);
}
