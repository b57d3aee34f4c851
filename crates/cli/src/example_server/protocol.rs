//! MCP over lines of JSON: the few methods an example needs, each message answered before the next is read.

use std::io::{self, BufRead, Read as _, Write};

use canon::json::{Limits, parse};
use serde_json::{Value, json};

use super::world::World;

/// Protocol versions spoken, newest first.
const VERSIONS: [&str; 2] = ["2025-11-25", "2025-06-18"];

/// The version of the examples themselves. Not Mortise's: a release must not make every pinned definition stale.
const SERVER_VERSION: &str = "1.0.0";

/// The longest line that is read. Example calls stay below 10 KiB.
const LINE_BYTES: usize = 1024 * 1024;

/// Error codes of JSON-RPC 2.0 section 5.1, and MCP's for a resource that is not there.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const RESOURCE_NOT_FOUND: i32 = -32002;

/// Answers requests until the input ends.
pub(super) fn serve(world: &mut dyn World, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let too_long = line.trim_ascii_end().len() > LINE_BYTES;
        let answer =
            if too_long { Some(failure(&Value::Null, PARSE_ERROR, "line too long")) } else { answer(world, &line) };
        if let Some(answer) = answer {
            serde_json::to_writer(&mut output, &answer)?;
            output.write_all(b"\n")?;
            output.flush()?;
        }
        if too_long {
            // What follows is the middle of a message; nothing in it can be trusted to be one.
            return Ok(());
        }
    }
}

/// The response to one line; `None` for what has none: blank lines, notifications, responses.
fn answer(world: &mut dyn World, line: &[u8]) -> Option<Value> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return None;
    }
    let Ok(mut message) = parse(line, &Limits::default()) else {
        return Some(failure(&Value::Null, PARSE_ERROR, "not one strict JSON text"));
    };
    let id = message.get("id").cloned();
    let Some(method) = message.get("method").and_then(Value::as_str).map(str::to_owned) else {
        let is_response = message.get("result").or_else(|| message.get("error")).is_some();
        return (!is_response).then(|| failure(&Value::Null, INVALID_REQUEST, "not a request"));
    };
    let id = match id? {
        id @ (Value::String(_) | Value::Number(_)) => id,
        _ => return Some(failure(&Value::Null, INVALID_REQUEST, "an id is a string or a number")),
    };
    let params = message.get_mut("params").map_or(Value::Null, Value::take);
    Some(match dispatch(world, &method, params) {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err((code, text)) => failure(&id, code, &text),
    })
}

fn dispatch(world: &mut dyn World, method: &str, mut params: Value) -> Result<Value, (i32, String)> {
    match method {
        "initialize" => Ok(initialize(world, &params)),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({"tools": world.tools()})),
        "tools/call" => {
            let arguments = params.get_mut("arguments").map_or_else(|| json!({}), Value::take);
            let name = text(&params, "name")?;
            let answer = world.call(name, arguments).ok_or_else(|| (INVALID_PARAMS, format!("no tool `{name}`")))?;
            Ok(answer.into_result())
        }
        "resources/list" => {
            let entry = |r: &super::world::Resource| json!({"uri": r.uri, "name": r.name, "mimeType": r.mime_type});
            Ok(json!({"resources": world.resources().iter().map(entry).collect::<Vec<_>>()}))
        }
        "resources/read" => {
            let uri = text(&params, "uri")?;
            let found = world.resources().into_iter().find(|resource| resource.uri == uri);
            let found = found.ok_or_else(|| (RESOURCE_NOT_FOUND, format!("no resource `{uri}`")))?;
            Ok(json!({"contents": [{"uri": found.uri, "mimeType": found.mime_type, "text": found.text}]}))
        }
        "prompts/list" => Ok(json!({"prompts": []})),
        _ => Err((METHOD_NOT_FOUND, format!("no method `{method}`"))),
    }
}

/// The client's version when it is spoken here, else the newest: the client then decides (MCP, lifecycle).
fn initialize(world: &dyn World, params: &Value) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let [newest, ..] = VERSIONS;
    let version = VERSIONS.into_iter().find(|version| asked == Some(version)).unwrap_or(newest);
    json!({
        "protocolVersion": version,
        "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
        "serverInfo": {"name": world.name(), "version": SERVER_VERSION},
        "instructions": world.instructions(),
    })
}

fn text<'a>(params: &'a Value, member: &str) -> Result<&'a str, (i32, String)> {
    params.get(member).and_then(Value::as_str).ok_or_else(|| (INVALID_PARAMS, format!("`{member}` is missing")))
}

fn failure(id: &Value, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

#[cfg(test)]
mod tests {
    use super::super::mailer::Mailer;
    use super::*;

    fn talk(input: &str) -> Vec<Value> {
        let mut output = Vec::new();
        serve(&mut Mailer::new().unwrap(), input.as_bytes(), &mut output).unwrap();
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn one(method: &str, params: &Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let [answer] = talk(&format!("{request}\n")).try_into().unwrap();
        assert_eq!(answer["id"], 7);
        answer
    }

    #[test]
    fn versions_are_negotiated() {
        for (asked, answered) in
            [("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", "2025-11-25")]
        {
            let answer = one("initialize", &json!({"protocolVersion": asked, "capabilities": {}}));
            assert_eq!(answer["result"]["protocolVersion"], answered);
            assert_eq!(answer["result"]["serverInfo"]["name"], "mailer");
        }
    }

    #[test]
    fn the_known_methods_answer_and_the_rest_do_not_exist() {
        assert_eq!(one("ping", &json!({}))["result"], json!({}));
        assert_eq!(one("prompts/list", &json!({}))["result"], json!({"prompts": []}));
        assert_eq!(one("tools/list", &json!({}))["result"]["tools"][0]["name"], "send_mail");
        assert_eq!(one("resources/list", &json!({}))["result"]["resources"][0]["uri"], "mailer://outbox");
        assert_eq!(one("resources/read", &json!({"uri": "mailer://outbox"}))["result"]["contents"][0]["text"], "[]");
        for method in ["prompts/get", "tools/run", "logging/setLevel"] {
            assert_eq!(one(method, &json!({}))["error"]["code"], METHOD_NOT_FOUND);
        }
    }

    #[test]
    fn bad_parameters_are_protocol_errors() {
        assert_eq!(one("tools/call", &json!({"name": "format_disk"}))["error"]["code"], INVALID_PARAMS);
        assert_eq!(one("tools/call", &json!({}))["error"]["code"], INVALID_PARAMS);
        assert_eq!(one("resources/read", &json!({"uri": "file:///etc"}))["error"]["code"], RESOURCE_NOT_FOUND);
    }

    #[test]
    fn only_requests_are_answered() {
        let quiet = [
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "",
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        ];
        assert!(talk(&quiet.join("\n")).is_empty());
        for (bad, code) in [
            ("{", PARSE_ERROR),
            (r#"{"id":1,"id":2,"method":"ping"}"#, PARSE_ERROR),
            ("[]", INVALID_REQUEST),
            (r#"{"id":null,"method":"ping"}"#, INVALID_REQUEST),
        ] {
            assert_eq!(talk(bad)[0]["error"]["code"], code, "{bad}");
        }
    }

    #[test]
    fn a_line_is_read_up_to_its_limit() {
        let padded = |length: usize| {
            let request = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":""}}"#;
            request.replace(r#""x":""#, &format!(r#""x":"{}"#, "x".repeat(length - request.len())))
        };
        assert_eq!(padded(LINE_BYTES).len(), LINE_BYTES);
        assert_eq!(talk(&format!("{}\n", padded(LINE_BYTES)))[0]["result"], json!({}));
        let over = talk(&format!("{}\n{}\n", padded(LINE_BYTES + 1), padded(100)));
        assert_eq!(over.len(), 1, "nothing after an overlong line is read");
        assert_eq!(over[0]["error"]["code"], PARSE_ERROR);
    }
}
