//! Which column goes by which name.
//!
//! The names are those of the OpenTelemetry GenAI and MCP conventions, which are in development and change. A change here
//! is another [`VERSION`]; what was exported before keeps the names it has.

/// Version of this table.
pub const VERSION: u32 = 1;

/// The conventions that the names are taken from: semantic-conventions-genai 0.1.0. An identifier, as such addresses are.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/gen-ai/0.1.0";

/// Columns that have a name there.
pub static NAMES: &[(&str, &str)] = &[
    ("agent", "gen_ai.agent.name"),
    ("session", "gen_ai.conversation.id"),
    ("model_id", "gen_ai.request.model"),
    ("user", "user.id"),
    ("mortise_version", "mortise.version"),
];

/// All the others, and what has no column there.
pub const PREFIX: &str = "mortise.";

/// Of a call of a tool: `execute_tool`.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Of a call of a tool: its name.
pub const TOOL: &str = "gen_ai.tool.name";
/// `tools/call`, or the method of another decided operation.
pub const METHOD: &str = "mcp.method.name";
/// The outcome, where it is not `ok`; or how the call ended without a result.
pub const ERROR: &str = "error.type";

/// The attribute that a column becomes.
#[must_use]
pub fn attribute(column: &str) -> String {
    match NAMES.iter().find(|(ours, _)| *ours == column) {
        Some((_, theirs)) => (*theirs).to_owned(),
        None => format!("{PREFIX}{column}"),
    }
}
