//! Traces as OpenTelemetry's OTLP carries them: a span for each call, from its intent to its end, and in it an event for
//! each thing that happened between them.
//!
//! | file | idea |
//! |---|---|
//! | `mapping` | which column goes by which name; the version of it |
//! | `span` | from a call to a span |
//! | `message` | the messages of OTLP |
//! | `json` | the same as OTLP's JSON |
//!
//! A file of `otlp` has an OTLP message a line, as the OTLP file exporter writes it. A file of `otlp-proto` is one
//! `ExportTraceServiceRequest`: protobuf puts the parts of a message together that are written one after the other.

mod json;
pub mod mapping;
mod message;
mod span;

use super::calls::{Calls, Told};
use super::{Encoder, Format, Head, Selection};
use crate::read::Record;
use message::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, InstrumentationScope, Resource, ResourceSpans, ScopeSpans,
    Span,
};
use prost::Message as _;
use vocab::Event;

pub(super) const JSON: Format = Format {
    name: "otlp",
    says: "OpenTelemetry traces, one OTLP message a line as JSON",
    appends: true,
    encoder: |head: &Head| Box::new(Spans::new(head, Wire::Json)),
};

pub(super) const PROTOBUF: Format = Format {
    name: "otlp-proto",
    says: "OpenTelemetry traces, one OTLP message in protobuf",
    appends: true,
    encoder: |head: &Head| Box::new(Spans::new(head, Wire::Protobuf)),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Json,
    Protobuf,
}

struct Spans {
    origin: String,
    selection: Selection,
    wire: Wire,
    calls: Calls,
    ready: Vec<Span>,
}

impl Spans {
    fn new(head: &Head, wire: Wire) -> Self {
        let (origin, selection) = (head.origin.clone(), head.selection.clone());
        Self { origin, selection, wire, calls: Calls::default(), ready: Vec::new() }
    }

    fn add(&mut self, told: &[Told]) -> u64 {
        let before = self.ready.len();
        self.ready.extend(told.iter().map(span::from));
        (self.ready.len() - before) as u64
    }
}

impl Encoder for Spans {
    fn take(&mut self, record: &Record, event: Option<&Event>, _out: &mut Vec<u8>) -> Result<u64, String> {
        let Some(event) = event else { return Ok(0) };
        // A call belongs to the time it was meant at; what becomes of it later belongs to it.
        let ended = self.calls.take(record.index, event, self.selection.admits(event));
        Ok(self.add(&ended))
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        if self.ready.is_empty() {
            return Ok(());
        }
        let message = message(&self.origin, std::mem::take(&mut self.ready));
        match self.wire {
            Wire::Protobuf => out.extend(message.encode_to_vec()),
            Wire::Json => {
                let line = serde_json::to_writer(&mut *out, &json::message(&message));
                line.map_err(|error| error.to_string())?;
                out.push(b'\n');
            }
        }
        Ok(())
    }

    fn from(&self) -> Option<u64> {
        self.calls.from()
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<u64, String> {
        let rest = self.calls.finish();
        let added = self.add(&rest);
        self.flush(out)?;
        Ok(added)
    }
}

/// The protobuf of an `ExportTraceServiceRequest` with these calls of a log.
#[must_use]
pub fn request(origin: &str, calls: &[Told]) -> Vec<u8> {
    message(origin, calls.iter().map(span::from).collect()).encode_to_vec()
}

/// How many spans a collector did not want of a request that it took: from the body of its answer.
#[must_use]
pub fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).ok();
    let partial = answer.and_then(|answer| answer.partial_success);
    partial.and_then(|partial| u64::try_from(partial.rejected_spans).ok()).unwrap_or_default()
}

fn message(origin: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let attributes = vec![
        span::text("service.name", "mortise"),
        span::text("service.version", vocab::MORTISE_VERSION),
        span::text("mortise.log.origin", origin),
        span::text("mortise.mapping.version", &mapping::VERSION.to_string()),
    ];
    let scope = InstrumentationScope { name: "mortise".to_owned(), version: vocab::MORTISE_VERSION.to_owned() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans, schema_url: mapping::SCHEMA_URL.to_owned() };
    let resource = ResourceSpans {
        resource: Some(Resource { attributes }),
        scope_spans: vec![scope_spans],
        schema_url: mapping::SCHEMA_URL.to_owned(),
    };
    ExportTraceServiceRequest { resource_spans: vec![resource] }
}
