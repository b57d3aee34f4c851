//! The `.cedarschema` that policies are checked against and editors complete from.

use super::actions::{ActionShape, Actions, groups};
use super::json::{RecordShape, Shape};
use crate::vocabulary::enums;
use std::fmt::Write;

/// Entity types and the parts of the context that are the same for all actions.
///
/// `derived` is one record per text argument; later readers of URLs, paths, SQL and shell lines add optional
/// records beside `bytes`, which no existing policy notices.
const FIXED: &str = r#"entity Team;
entity AgentClass;
entity Zone;
entity User;
entity Agent in [Team, AgentClass] = {
  authn: Authn, env: Env, eval_passed: Bool, model: String, model_version: String, owner: String, tier: Tier,
};
entity Server in [Zone] = { confinement: String, pinned: Bool, transport: String, trust: Long };

type TargetFacts = { commands: Set<String>, hosts: Set<String>, paths: Set<String>, sql_classes: Set<String> };
type CallFacts = {
  chain_depth: Long, confidence?: Long, destination?: String, effect: Effect, now: Long, on_behalf_of?: User,
  purpose?: String, request_attested: Bool, unrepresentable: Bool,
};
type SessionFacts = {
  agent_limit_1m: Long, calls: Long, calls_1m: Long, cost_microusd: Long, denials: Long, in_flight: Long, mode: String,
  tool_calls_1m: Long, tool_limit_1m: Long,
};
type LabelFacts = { confidentiality: Set<Confidentiality>, integrity: Integrity, sources: Set<String> };
type OriginFacts = {
  content: Set<Origin>, critical: Set<Origin>, free: Set<Origin>, "object": Set<Origin>, target: Set<Origin>,
};
type FindingFacts = { kinds: Set<FindingKind>, worst: Severity };

"#;

/// Writes the schema.
pub(crate) fn schema_text(envs: &[String], actions: &Actions) -> String {
    text_of(envs, actions.values())
}

/// Writes the schema of these actions.
pub(super) fn text_of<'a>(envs: &[String], actions: impl Iterator<Item = &'a ActionShape>) -> String {
    let mut out = String::from("// Generated from mortise.lock and the tool files. Do not edit.\n\n");
    for (name, words) in enums(envs) {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        line(&mut out, format_args!("entity {name} enum [{}];", words.join(", ")));
    }
    out.push_str(FIXED);
    for group in groups() {
        line(&mut out, format_args!("action {};", quoted(group)));
    }
    for action in actions {
        write_action(&mut out, action);
    }
    out
}

fn write_action(out: &mut String, action: &ActionShape) {
    let groups: Vec<String> = action.groups.iter().map(|group| quoted(group)).collect();
    line(out, format_args!("\naction {} in [{}] appliesTo {{", quoted(&action.id), groups.join(", ")));
    out.push_str("  principal: [Agent],\n  resource: [Server],\n  context: {\n    args: ");
    write_record(out, &action.arguments, 2);
    out.push_str(",\n    derived: {");
    for (name, field) in action.arguments.fields.iter().filter(|(_, field)| ActionShape::is_text(&field.shape)) {
        let mark = if field.required { "" } else { "?" };
        line(out, format_args!("\n      {}{mark}: {{ bytes: Long }},", quoted(name)));
        out.pop();
    }
    out.push_str("},\n    arg_origin: {");
    for name in &action.argument_names {
        line(out, format_args!("\n      {}: Set<Origin>,", quoted(name)));
        out.pop();
    }
    out.push_str(
        "},\n    targets: TargetFacts,\n    call: CallFacts,\n    session: SessionFacts,\n    labels: LabelFacts,\n    \
         origin: OriginFacts,\n    findings: FindingFacts,\n  },\n};\n",
    );
}

fn write_record(out: &mut String, record: &RecordShape, depth: usize) {
    out.push('{');
    for (name, field) in &record.fields {
        let indent = "  ".repeat(depth + 1);
        let mark = if field.required { "" } else { "?" };
        line(out, format_args!("\n{indent}{}{mark}: ", quoted(name)));
        out.pop();
        write_shape(out, &field.shape, depth + 1);
        out.push(',');
    }
    out.push('}');
}

fn write_shape(out: &mut String, shape: &Shape, depth: usize) {
    match shape {
        Shape::Bool => out.push_str("Bool"),
        Shape::Long => out.push_str("Long"),
        Shape::Text => out.push_str("String"),
        Shape::Set(inner) => {
            out.push_str("Set<");
            write_shape(out, inner, depth);
            out.push('>');
        }
        Shape::Record(record) => write_record(out, record, depth),
    }
}

/// A Cedar string literal. Tool and argument names are foreign text: nothing in them may end the literal.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || !c.is_ascii() => line_free(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn line_free(out: &mut String, c: char) {
    // Escaped, so that bidirectional marks and look-alikes in a foreign name cannot rearrange the file for a reader.
    let _infallible = write!(out, "\\u{{{:x}}}", u32::from(c));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = writeln!(out, "{text}");
}
