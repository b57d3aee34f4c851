//! OTLP's JSON: that of protobuf, but for ids, which are hexadecimal, and enumerations, which are numbers.

use super::message::{ExportTraceServiceRequest, KeyValue, Resource, ResourceSpans, ScopeSpans, Span, Value};
use serde_json::{Value as Json, json};

pub(super) fn message(message: &ExportTraceServiceRequest) -> Json {
    json!({ "resourceSpans": message.resource_spans.iter().map(resource_spans).collect::<Vec<_>>() })
}

fn resource_spans(spans: &ResourceSpans) -> Json {
    json!({
        "resource": spans.resource.as_ref().map(|Resource { attributes }| json!({ "attributes": pairs(attributes) })),
        "scopeSpans": spans.scope_spans.iter().map(scope_spans).collect::<Vec<_>>(),
        "schemaUrl": spans.schema_url,
    })
}

fn scope_spans(spans: &ScopeSpans) -> Json {
    json!({
        "scope": spans.scope.as_ref().map(|scope| json!({ "name": scope.name, "version": scope.version })),
        "spans": spans.spans.iter().map(span).collect::<Vec<_>>(),
        "schemaUrl": spans.schema_url,
    })
}

fn span(span: &Span) -> Json {
    let events = span.events.iter().map(|event| {
        json!({
            "timeUnixNano": event.time_unix_nano.to_string(),
            "name": event.name,
            "attributes": pairs(&event.attributes),
        })
    });
    let mut json = json!({
        "traceId": hex::encode(&span.trace_id),
        "spanId": hex::encode(&span.span_id),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano.to_string(),
        "attributes": pairs(&span.attributes),
        "events": events.collect::<Vec<_>>(),
    });
    if let (Some(status), Some(members)) = (&span.status, json.as_object_mut()) {
        members.insert("status".to_owned(), json!({ "code": status.code }));
    }
    json
}

fn pairs(attributes: &[KeyValue]) -> Vec<Json> {
    let value = |value: &Value| match value {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Flag(flag) => json!({ "boolValue": flag }),
        // 64 bits do not fit a number of JSON.
        Value::Number(number) => json!({ "intValue": number.to_string() }),
    };
    let pair = |pair: &KeyValue| {
        let held = pair.value.as_ref().and_then(|held| held.value.as_ref());
        json!({ "key": pair.key, "value": held.map_or_else(|| json!({}), value) })
    };
    attributes.iter().map(pair).collect()
}
