//! Decisions as they are recorded, with the documents they were made on.

use canon::json::canonical;
use enforce::input::RecordedFacts;
use enforce::replay::{Declared, redecide};
use enforce::{DecisionInput, Snapshot};
use serde_json::{Value, json};
use std::error::Error;
use vocab::Event;
use vocab::event::Kind;

pub type Failure = Box<dyn Error + Send + Sync>;

/// A decision, and the document it was made on. What is kept of that the record does not say yet.
pub fn decision(snapshot: &Snapshot, number: usize, t: i64) -> Result<(Event<'static>, DecisionInput), Failure> {
    let input = DecisionInput::from_bytes(&canonical(&document(number)))?;
    let now = redecide(snapshot, &input, Declared::Then).ok_or("an operation that is not known")?;
    let mut event = Event::new(Kind::PolicyDecision, format!("id-{number}"), t, "default");
    let call = &input.call;
    event.agent = Some(call.agent.to_string().into());
    event.authn = Some(call.authn);
    event.call = Some(call.id.to_string().into());
    event.session = Some(call.session.to_string().into());
    event.server = Some(call.server.to_string().into());
    event.tool_name = call.tool.as_ref().map(|tool| tool.to_string().into());
    let target = call.target().ok_or("no target")?;
    event.definition = snapshot.tool(&target).map(|tool| tool.description.definition.to_string().into());
    event.policy_bundle = Some(snapshot.bundle.digest().to_string().into());
    event.config_revision = Some(snapshot.revision().to_string().into());
    event.decision = Some(now.decision.verdict);
    event.reasons = now.decision.reasons.into();
    event.permits = now.decision.permits.into();
    event.would = now.decision.would.into();
    event.faults = now.decision.faults.into();
    event.redactions = now.redactions;
    let facts = RecordedFacts { state: input.state.clone(), unrepresentable: false };
    event.detail.insert(RecordedFacts::MEMBER.to_owned(), serde_json::to_value(facts)?);
    Ok((event, input))
}

/// The id of a call.
pub fn call(number: usize) -> String {
    format!("0197f0a0-0000-7000-8000-{number:012}")
}

/// The document of a call: of every kind, with the arguments that such calls have.
fn document(number: usize) -> Value {
    let (tool, arguments) = match number % 6 {
        0 => ("search", json!({"query": format!("open tickets of customer {number}"), "limit": 20})),
        1 => ("close", json!({"id": format!("T-{}", number % 1_000)})),
        2 => ("run", json!({"script": "restart", "force": false})),
        3 => ("mail", json!({"to": format!("c{number}@example.com"), "note": "between us", "file": "notes.txt"})),
        4 => ("run", json!({"script": "purge"})),
        _ => ("mail", json!({"to": format!("c{number}@example.com"), "copy": "The script ran; the cache is empty."})),
    };
    json!({
        "v": 1,
        "call": {
            "id": call(number), "tenant": "default", "agent": "bot", "user": "ada",
            "authn": "run_token", "session": "0197f0a0-0000-7000-8000-000000000000", "server": "desk", "tool": tool,
            "arguments": arguments, "purpose": "to answer the customer", "received_us": 1_795_000_000_000_000_i64,
        },
        "state": {
            "now_s": 1_795_000_000, "calls": number % 90, "denials": 0, "cost_microusd": 0, "in_flight": 1,
            "calls_1m": number % 20, "tool_calls_1m": 3, "validation_failures": 0, "agent_limit_1m": 30, "mode": "enforce",
            "tier": "high", "uncertain": false, "request_attested": false, "integrity": "third_party",
            "confidentiality": ["private"], "sources": ["desk", "mailer"],
        },
        "seen": { "protected": false },
    })
}
