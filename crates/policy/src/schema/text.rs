//! The `.cedarschema` that policies are checked against and editors complete from.

use super::actions::{ActionShape, Actions, groups};
use super::json::{RecordShape, Shape};
use crate::vocabulary::enums;
use std::fmt::Write;

/// Entity types and the parts of the context that are the same for all actions; `fixed` has them as values.
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
    let mut out = String::from("// Generated from mortise.lock and the tool files. Do not edit.\n\n");
    for (name, words) in enums(envs) {
        out.push_str("entity ");
        out.push_str(name);
        out.push_str(" enum ");
        write_names(&mut out, words.iter().map(String::as_str));
        out.push_str(";\n");
    }
    out.push_str(FIXED);
    for group in groups() {
        out.push_str("action ");
        write_quoted(&mut out, group);
        out.push_str(";\n");
    }
    for action in actions.values() {
        write_action(&mut out, action);
    }
    out
}

fn write_action(out: &mut String, action: &ActionShape) {
    out.push_str("\naction ");
    write_quoted(out, &action.id);
    out.push_str(" in ");
    write_names(out, action.groups.iter().copied());
    out.push_str(" appliesTo {\n  principal: [Agent],\n  resource: [Server],\n  context: {\n    args: ");
    write_record(out, &action.arguments, 2);
    out.push_str(",\n    derived: {");
    for (name, field) in action.arguments.fields.iter().filter(|(_, field)| ActionShape::is_text(&field.shape)) {
        out.push_str("\n      ");
        write_quoted(out, name);
        out.push_str(if field.required { ": { bytes: Long }," } else { "?: { bytes: Long }," });
    }
    out.push_str("},\n    arg_origin: {");
    for name in &action.argument_names {
        out.push_str("\n      ");
        write_quoted(out, name);
        out.push_str(": Set<Origin>,");
    }
    out.push_str(
        "},\n    targets: TargetFacts,\n    call: CallFacts,\n    session: SessionFacts,\n    labels: LabelFacts,\n    \
         origin: OriginFacts,\n    findings: FindingFacts,\n  },\n};\n",
    );
}

fn write_record(out: &mut String, record: &RecordShape, depth: usize) {
    out.push('{');
    for (name, field) in &record.fields {
        out.push('\n');
        (0..=depth).for_each(|_| out.push_str("  "));
        write_quoted(out, name);
        out.push_str(if field.required { ": " } else { "?: " });
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

/// `["a", "b"]`
fn write_names<'a>(out: &mut String, names: impl Iterator<Item = &'a str>) {
    out.push('[');
    for (number, name) in names.enumerate() {
        if number > 0 {
            out.push_str(", ");
        }
        write_quoted(out, name);
    }
    out.push(']');
}

/// A Cedar string literal. Tool and argument names are foreign text: nothing in them may end the literal.
fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        out.push_str(text);
    } else {
        text.chars().for_each(|c| write_escaped(out, c));
    }
    out.push('"');
}

fn write_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        // Escaped, so that bidirectional marks and look-alikes in a foreign name cannot rearrange the file for a reader.
        c if c.is_control() || !c.is_ascii() => {
            let _infallible = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}
