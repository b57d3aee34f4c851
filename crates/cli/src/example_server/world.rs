//! What every example world offers to the protocol loop.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// A set of tools over some state in memory.
pub(crate) trait World {
    /// The server's name, as in `initialize`.
    fn name(&self) -> &'static str;

    /// What a client may tell its model about the server.
    fn instructions(&self) -> &'static str;

    /// Tool definitions, exactly as listed and pinned.
    fn tools(&self) -> &[Value];

    /// Runs a tool; `None` when there is no tool of that name.
    fn call(&mut self, tool: &str, arguments: Value) -> Option<Answer>;

    /// The resources that can be read, with their present content.
    fn resources(&self) -> Vec<Resource>;
}

/// What a tool answers.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// It was done.
    Done {
        /// One sentence for people. Deliberately *not* a copy of the data: whoever redacts a field of the structured
        /// content must not have to find it again in prose.
        text: String,
        /// What the output schema describes.
        data: Value,
    },
    /// It was not done, and why: a tool error, which the model sees and can correct.
    Refused(String),
}

impl Answer {
    /// The result object of `tools/call`.
    pub(super) fn into_result(self) -> Value {
        match self {
            Self::Done { text, data } => json!({
                "content": [{"type": "text", "text": text}],
                "structuredContent": data,
                "isError": false,
            }),
            Self::Refused(text) => json!({"content": [{"type": "text", "text": text}], "isError": true}),
        }
    }
}

/// Something to read.
pub(crate) struct Resource {
    pub(super) uri: &'static str,
    pub(super) name: &'static str,
    pub(super) mime_type: &'static str,
    pub(super) text: String,
}

/// Reads the tool definitions that stand beside a world's code.
pub(super) fn definitions(json: &str) -> Result<Vec<Value>> {
    serde_json::from_str(json).context("built-in tool definitions do not parse")
}
