//! A server that does one well-known thing per method, right or wrong. It knows no transport.
#![expect(clippy::indexing_slicing, reason = "a member of a JSON value that is not there is null")]

use serde_json::{Value, json};

/// What the server does next.
pub enum Step {
    /// Sends a message.
    Send {
        /// The request on whose behalf.
        of: u64,
        /// The frame.
        text: String,
        /// Whether nothing follows for that request.
        last: bool,
    },
    /// Goes away.
    Die,
}

/// The server's memory.
#[derive(Default)]
pub struct Script {
    cancelled: Vec<Value>,
    /// The request that waits for the client's answer.
    asking: Option<u64>,
}

/// Log lines that `flood` sends: more than are allowed to be dropped.
const FLOOD: usize = 10_100;

impl Script {
    /// Takes a frame from the client.
    pub fn take(&mut self, frame: &[u8]) -> Vec<Step> {
        let frame: Value = serde_json::from_slice(frame).unwrap();
        let Some(method) = frame["method"].as_str() else {
            // The client's answer to `ask`.
            let of = self.asking.take().unwrap();
            return vec![answer(
                of,
                json!({ "heard": { "id": frame["id"], "result": frame["result"], "error": frame["error"] } }),
            )];
        };
        let Some(id) = frame["id"].as_u64() else {
            if method == "notifications/cancelled" {
                self.cancelled.push(frame["params"]["requestId"].clone());
            }
            return Vec::new();
        };
        self.request(id, method, &frame["params"])
    }

    fn request(&mut self, id: u64, method: &str, params: &Value) -> Vec<Step> {
        let send = |value: Value| Step::Send { of: id, text: value.to_string(), last: false };
        match method {
            "initialize" => vec![answer(
                id,
                json!({ "protocolVersion": params["protocolVersion"], "capabilities": {}, "serverInfo": { "name": "script" },
                        "x-extra": 1, "asked": params }),
            )],
            // Raw text: spacing, key order and unknown members have to survive.
            "echo" => vec![Step::Send {
                of: id,
                text: format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"z\" : 1.0, \"a\":{params}}}}}"),
                last: true,
            }],
            "fail" => vec![Step::Send {
                of: id,
                text: format!(
                    "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\" : -5,\"message\":\"m\",\"x\":[]}}}}"
                ),
                last: true,
            }],
            "progress" => {
                let token = &params["_meta"]["progressToken"];
                let told = |progress| {
                    send(json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                                 "params": { "progressToken": token, "progress": progress } }))
                };
                vec![told(1), told(2), answer(id, json!({ "token": token }))]
            }
            "ask" => {
                self.asking = Some(id);
                vec![send(json!({ "jsonrpc": "2.0", "id": "s-1", "method": "roots/list", "x": 1 }))]
            }
            "note" => vec![
                send(json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" })),
                answer(id, json!({})),
            ],
            "twice" => vec![
                send(json!({ "jsonrpc": "2.0", "id": 999_999, "result": "to nobody" })),
                send(json!({ "jsonrpc": "2.0", "id": id, "result": "first" })),
                answer(id, json!("second")),
            ],
            "garbage" => vec![Step::Send { of: id, text: "Listening on port 3000".to_owned(), last: true }],
            "batch" => {
                let text = format!("[{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}]");
                vec![Step::Send { of: id, text, last: true }]
            }
            "huge" => vec![answer(id, json!("x".repeat(usize::try_from(params["bytes"].as_u64().unwrap()).unwrap())))],
            "flood" => {
                let log = || send(json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} }));
                (0..FLOOD).map(|_| log()).chain([answer(id, json!({}))]).collect()
            }
            "die" => vec![Step::Die],
            "silent" => Vec::new(),
            "cancelled" => vec![answer(id, json!(self.cancelled))],
            "pid" => vec![answer(id, json!(std::process::id()))],
            "tools/list" => {
                let page = params["cursor"].as_str().unwrap_or("0").parse::<u32>().unwrap();
                let next = if page < 2 { json!((page + 1).to_string()) } else { Value::Null };
                vec![answer(
                    id,
                    json!({ "tools": [{ "name": format!("a{page}") }, { "name": format!("b{page}") }], "nextCursor": next }),
                )]
            }
            "loop/list" => vec![answer(id, json!({ "tools": [{}], "nextCursor": "again" }))],
            "odd/list" => vec![answer(id, json!({ "tools": [7] }))],
            _ => vec![Step::Send {
                of: id,
                text: json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "no" } }).to_string(),
                last: true,
            }],
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "called with literals")]
fn answer(of: u64, result: Value) -> Step {
    Step::Send { of, text: json!({ "jsonrpc": "2.0", "id": of, "result": result }).to_string(), last: true }
}
