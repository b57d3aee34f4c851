//! An MCP server over standard input and output that answers at once: the tool behind every measured path.
//!
//! `echo-server [N]` lists `echo` and N further tools, `other0` and so on, for policies to speak about. Its one result
//! is the text it was given, copied as the JSON it came in: nothing is unescaped, nothing is built.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};

/// Longer than any burst of frames of sixteen clients, so that one read takes them all.
const BUFFER_BYTES: usize = 256 * 1024;

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    name: &'a str,
    #[serde(borrow)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

fn main() -> std::io::Result<()> {
    let others = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
    let tools = json!({ "tools": tools(others) }).to_string();
    let mut input = BufReader::with_capacity(BUFFER_BYTES, std::io::stdin().lock());
    let mut output = std::io::stdout().lock();
    let (mut line, mut answers) = (Vec::new(), Vec::with_capacity(BUFFER_BYTES));
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        answer(&line, &tools, &mut answers);
        // Answers wait while more frames are at hand: one write for a burst.
        if !input.buffer().contains(&b'\n') {
            output.write_all(&answers)?;
            output.flush()?;
            answers.clear();
        }
    }
}

/// Appends the answer to a frame, and its newline. Notifications have none.
fn answer(line: &[u8], tools: &str, answers: &mut Vec<u8>) {
    let Ok(Frame { id: Some(id), method, params }) = serde_json::from_slice::<Frame<'_>>(line) else { return };
    let body = match method {
        "tools/call" => match params.and_then(|params| serde_json::from_str::<Call<'_>>(params.get()).ok()) {
            Some(Call { name: "echo", arguments: Arguments { message } }) => {
                format!(r#""result":{{"content":[{{"type":"text","text":{message}}}]}}"#)
            }
            _ => r#""error":{"code":-32602,"message":"not an echo"}"#.to_owned(),
        },
        "ping" => r#""result":{}"#.to_owned(),
        "tools/list" => format!(r#""result":{tools}"#),
        "initialize" => format!(r#""result":{}"#, hello(params)),
        _ => r#""error":{"code":-32601,"message":"no such method"}"#.to_owned(),
    };
    // A vector takes every write.
    let _ = writeln!(answers, r#"{{"jsonrpc":"2.0","id":{id},{body}}}"#);
}

/// Agrees to whatever version is asked for.
fn hello(params: Option<&RawValue>) -> Value {
    let params: Value = params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
    let version = params["protocolVersion"].as_str().unwrap_or("2025-11-25");
    let info = json!({"name": "echo", "version": "1.0.0"});
    json!({"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info})
}

fn tools(others: usize) -> Vec<Value> {
    let message = json!({"type": "string", "minLength": 1, "maxLength": 4096});
    let schema = json!({"type": "object", "properties": {"message": message}, "required": ["message"], "additionalProperties": false});
    let names = std::iter::once("echo".to_owned()).chain((0..others).map(|number| format!("other{number}")));
    names.map(|name| json!({"name": name, "description": "Says it again.", "inputSchema": schema})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(frame: &str) -> String {
        let mut answers = Vec::new();
        answer(frame.as_bytes(), "[]", &mut answers);
        String::from_utf8(answers).unwrap()
    }

    #[test]
    fn a_message_comes_back_byte_for_byte() {
        let frame = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo","arguments":{"message":"x\u00e9\"y"}}}"#;
        let answer = said(frame);
        assert!(answer.contains(r#""id":"a""#) && answer.contains(r#""text":"x\u00e9\"y""#), "{answer}");
        assert!(answer.ends_with("}\n"));
    }

    #[test]
    fn notifications_are_not_answered_and_other_tools_do_not_echo() {
        assert_eq!(said(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#), "");
        let other =
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"other0","arguments":{"message":"x"}}}"#;
        assert!(said(other).contains(r#""error""#));
    }
}
