//! From a call to a span.

use super::super::calls::{Step, Told};
use super::super::columns::{Cell, Column, OfCall};
use super::super::time::nanoseconds;
use super::mapping;
use super::message::{AnyValue, KIND_CLIENT, KeyValue, STATUS_ERROR, Span, SpanEvent, Status, Value};
use ring::digest::{SHA256, digest};
use vocab::event::Kind;

/// What a call of a tool is called in MCP.
const TOOLS_CALL: &str = "tools/call";

/// The span of a call. Told again, it has the same ids: a receiver can tell that it has it already.
pub(super) fn from(told: &Told) -> Span {
    let target = told.text("tool_name").unwrap_or_default();
    // Another decided operation goes by its method, and no tool has a slash in its name.
    let (method, tool) = if target.contains('/') { (target, None) } else { (TOOLS_CALL, Some(target)) };
    let mut attributes = vec![text(mapping::METHOD, method)];
    if let Some(tool) = tool {
        attributes.extend([text(mapping::OPERATION, "execute_tool"), text(mapping::TOOL, tool)]);
    }
    attributes.extend(told.cells.iter().filter(|(column, _)| column.name != "tool_name").map(named));
    attributes.extend([
        text("mortise.end", told.how.as_str()),
        number("mortise.log.first", told.first),
        number("mortise.log.last", told.last),
    ]);
    let failure = told.failure();
    attributes.extend(failure.map(|failure| text(mapping::ERROR, failure)));
    Span {
        trace_id: id("trace", &[told.text("tenant"), told.text("session")], 16),
        span_id: id("span", &[told.text("tenant"), Some(&told.call)], 8),
        name: tool.map_or_else(|| method.to_owned(), |tool| format!("{TOOLS_CALL} {tool}")),
        kind: KIND_CLIENT,
        start_time_unix_nano: nanoseconds(told.start),
        end_time_unix_nano: nanoseconds(told.end),
        attributes,
        events: told.steps.iter().map(event).collect(),
        status: failure.map(|_| Status { code: STATUS_ERROR }),
    }
}

/// A thing that happened on the way. What all events of a call say is said by the span.
fn event(step: &Step) -> SpanEvent {
    let decides = step.kind == Kind::PolicyDecision;
    let is_own = |column: &Column| match column.of_call {
        OfCall::Last => true,
        OfCall::Strictest => decides,
        OfCall::First => column.name == "latency_us",
        OfCall::Nothing => false,
    };
    let own = step.cells.iter().filter(|(column, _)| is_own(column));
    let attributes = own.map(named).chain([number("mortise.log.index", step.index)]).collect();
    SpanEvent { time_unix_nano: nanoseconds(step.t), name: format!("mortise.{}", step.kind.as_str()), attributes }
}

fn named((column, cell): &(&'static Column, Cell<'static>)) -> KeyValue {
    let value = match cell {
        Cell::Text(text) => Value::Text(text.to_string()),
        Cell::Number(number) => Value::Number(*number),
        Cell::Flag(flag) => Value::Flag(*flag),
    };
    KeyValue { key: mapping::attribute(column.name), value: Some(AnyValue { value: Some(value) }) }
}

pub(super) fn text(key: &str, text: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::Text(text.to_owned())) }) }
}

fn number(key: &str, number: u64) -> KeyValue {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::Number(number)) }) }
}

/// An id made from what it is of. Never only zeros, which OTLP has for none.
fn id(what: &str, of: &[Option<&str>], bytes: usize) -> Vec<u8> {
    let of: Vec<&str> = of.iter().map(|part| part.unwrap_or_default()).collect();
    let digest = digest(&SHA256, format!("mortise/{what}/v1\n{}", of.join("\n")).as_bytes());
    let mut id: Vec<u8> = digest.as_ref().iter().copied().take(bytes).collect();
    if let (true, Some(last)) = (id.iter().all(|byte| *byte == 0), id.last_mut()) {
        *last = 1;
    }
    id
}
