//! What an agent is sent: refusals and failures in the protocol's own shapes.

use crate::jsonrpc::{self, Id, Outcome};
use bytes::Bytes;
use enforce::{Answer, Failure, Refusal, Reply};
use serde_json::{Value, json};

/// A call whose end is not known, or that could not be sent.
pub const FAILED: i32 = -32_011;

/// How refusals are shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `tools/call`: a result with `isError`, which the model reads. What a program reads stands in `_meta`; in
    /// `structuredContent` too, unless the tool has an output schema: a client would hold it against that, and show
    /// neither.
    ToolResult {
        /// Whether the tool says what its structured content looks like.
        has_schema: bool,
    },
    /// Anything else: a JSON-RPC error.
    Error,
}

/// The frame that answers a decided request.
#[must_use]
pub fn answer(id: &Id, shape: Shape, answer: Answer) -> Bytes {
    match answer {
        Answer::Reply(Reply::Result(result)) => jsonrpc::response(id, &result),
        Answer::Reply(Reply::Error(error)) => jsonrpc::error_raw(id, &error),
        Answer::Refused(refusal) => refused(id, shape, &refusal),
        Answer::Failed(failure) => failed(id, shape, &failure),
    }
}

/// The outcome that answers a server's decided request.
#[must_use]
pub fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Reply(Reply::Result(result)) => Outcome::Result(result.into()),
        Answer::Reply(Reply::Error(error)) => Outcome::Error(error.into()),
        Answer::Refused(refusal) => {
            let data = json!({ "mortise": *refusal }).to_string();
            Outcome::Error(error_object(jsonrpc::code::REFUSED, &refusal.sentence(), &data))
        }
        Answer::Failed(failure) => Outcome::Error(error_object(FAILED, &failure.text, "{}")),
    }
}

/// An error that answers nothing in particular: what came could not be read.
#[must_use]
pub fn error_without_id(code: i32, message: &str) -> Bytes {
    let error = jsonrpc::ErrorObject::encode(code, message, None);
    [b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":".as_slice(), &error, b"}"].concat().into()
}

fn refused(id: &Id, shape: Shape, refusal: &Refusal) -> Bytes {
    let structured = json!({ "mortise": refusal });
    match shape {
        Shape::ToolResult { has_schema } => tool_error(id, has_schema, &refusal.sentence(), &structured),
        Shape::Error => {
            jsonrpc::error(id, jsonrpc::code::REFUSED, &refusal.sentence(), Some(structured.to_string().as_bytes()))
        }
    }
}

fn failed(id: &Id, shape: Shape, failure: &Failure) -> Bytes {
    let advice = if failure.may_have_run { "It may have run: look before you repeat it." } else { "It did not run." };
    let text = format!("Mortise: {}. {advice}", failure.text);
    let structured = json!({ "mortise": { "call": failure.call, "may_have_run": failure.may_have_run } });
    match shape {
        Shape::ToolResult { has_schema } => tool_error(id, has_schema, &text, &structured),
        Shape::Error => jsonrpc::error(id, FAILED, &text, Some(structured.to_string().as_bytes())),
    }
}

fn tool_error(id: &Id, has_schema: bool, text: &str, structured: &Value) -> Bytes {
    let content = json!([{ "type": "text", "text": text }]);
    let result = if has_schema {
        json!({ "content": content, "isError": true, "_meta": structured })
    } else {
        json!({ "content": content, "structuredContent": structured, "isError": true, "_meta": structured })
    };
    jsonrpc::response(id, result.to_string().as_bytes())
}

fn error_object(code: i32, message: &str, data: &str) -> Bytes {
    jsonrpc::ErrorObject::encode(code, message, Some(data.as_bytes()))
}
