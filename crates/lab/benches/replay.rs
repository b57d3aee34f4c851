//! How fast recorded decisions are decided again, on one core: on their documents, and on their records.
//!
//! `cargo bench -p mortise-lab --bench replay [-- <decisions>]`. Prints what reading the records and deciding alone cost
//! in the same run, and the resident memory after a tenth and after all of the decisions.
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a fixture that breaks ends the benchmark"
)]

#[path = "../tests/lab/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of suites, which use other parts of it")]
mod fixture;

use enforce::input::{RecordedFacts, State};
use enforce::replay::{Declared, redecide};
use enforce::{DecisionInput, Inputs, Kept, Snapshot};
use lab::replay::{Aim, Replay, Report, Selection};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;
use vocab::Event;
use vocab::event::{Kind, Payload, PayloadClass};

/// Different records; the log is made of them again and again.
const DISTINCT: usize = 5_000;

const UNSEEING: &str = r#"
@id("roles/work") permit(principal, action, resource);
@id("guards/secrets")
forbid(principal, action == Action::"desk/mail", resource)
when { context.labels.confidentiality.contains(Confidentiality::"secret") };
@id("guards/long") @decision("ask")
forbid(principal, action == Action::"desk/run", resource) when { context.session.calls > 80 };
"#;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let decisions = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(400_000);
    let snapshot = fixture::snapshot_of(&fixture::files());
    let past = Past::of(&snapshot)?;
    let bytes = past.records.iter().map(Vec::len).sum::<usize>() / past.records.len();
    let documents = past.documents.values().map(Vec::len).sum::<usize>() / past.documents.len();
    println!(
        "{decisions} decisions, {} rules; {bytes} bytes a record, {documents} a document; one thread",
        snapshot.bundle.rules().count()
    );
    past.measure("records read, nothing else", decisions, &mut |record| {
        black_box(Event::from_bytes(record).is_ok());
    });
    past.measure("records read, arguments decided on as they are", decisions, &mut |record| {
        if let Ok(event) = Event::from_bytes(record)
            && let Some(payload) = event.payloads.first()
            && let Some(input) = past.inputs.get(&*payload.digest)
        {
            black_box(redecide(&snapshot, input, Declared::Then));
        }
    });
    past.replay("exact", &snapshot, decisions, &past)?;
    // Rules that look at no argument, as far as that goes.
    let mut files = fixture::files();
    files.texts.insert("mortise/policies/a.cedar".to_owned(), UNSEEING.to_owned());
    let snapshot = fixture::snapshot_of(&files);
    Past::of(&snapshot)?.replay("from facts", &snapshot, decisions, &())?;
    Ok(())
}

/// A log in memory.
struct Past {
    records: Vec<Vec<u8>>,
    documents: HashMap<String, Vec<u8>>,
    inputs: HashMap<String, DecisionInput>,
}

impl Inputs for Past {
    fn input(&self, payload: &Payload<'_>, _t_us: i64) -> Kept {
        self.documents.get(&*payload.digest).map_or(Kept::Gone, |bytes| Kept::Whole(bytes.clone()))
    }
}

impl Past {
    fn of(snapshot: &Snapshot) -> Outcome<Self> {
        let mut past = Self { records: Vec::new(), documents: HashMap::new(), inputs: HashMap::new() };
        for number in 0..DISTINCT {
            let input = DecisionInput::from_bytes(&canon::json::canonical(&document(number)))?;
            let now = redecide(snapshot, &input, Declared::Then).ok_or("an operation that is not known")?;
            let (digest, document) = (format!("sha256:{number:064x}"), input.to_bytes());
            let mut event = Event::new(Kind::PolicyDecision, format!("id-{number}"), 1_795_000_000_000_000, "default");
            let call = &input.call;
            event.agent = Some((&call.agent).into());
            event.authn = Some(call.authn);
            event.call = Some((&call.id).into());
            event.session = Some((&call.session).into());
            event.server = Some((&call.server).into());
            event.tool_name = call.tool.as_ref().map(Into::into);
            let target = call.target().ok_or("no target")?;
            event.definition = snapshot.tool(&target).map(|tool| (&tool.description.definition).into());
            event.policy_bundle = Some(snapshot.bundle.digest().into());
            event.config_revision = Some(snapshot.revision().into());
            event.decision = Some(now.decision.verdict);
            event.reasons = now.decision.reasons.clone().into();
            event.permits = now.decision.permits.clone().into();
            event.would = now.decision.would.clone().into();
            event.faults = now.decision.faults.clone().into();
            event.redactions.clone_from(&now.redactions);
            let state: State = input.state.clone();
            let facts = RecordedFacts { state, unrepresentable: false };
            event.detail.insert(RecordedFacts::MEMBER.to_owned(), serde_json::to_value(facts)?);
            let bytes = u64::try_from(document.len())?;
            let class = PayloadClass::DecisionInput;
            event.payloads = vec![Payload {
                bytes,
                class,
                digest: digest.clone().into(),
                key: "2026-11".into(),
                name: "input".into(),
            }];
            past.records.push(event.to_bytes()?);
            past.documents.insert(digest.clone(), document);
            past.inputs.insert(digest, input);
        }
        Ok(past)
    }

    fn measure(&self, what: &str, decisions: usize, each: &mut dyn FnMut(&[u8])) {
        let begin = Instant::now();
        self.records.iter().cycle().take(decisions).for_each(|record| each(record));
        say(what, decisions, begin, "");
    }

    fn replay(&self, what: &str, snapshot: &Snapshot, decisions: usize, inputs: &dyn Inputs) -> Outcome<()> {
        let selection = Selection { since_us: None, agent: None, examples: 3 };
        let mut replay = Replay::new(snapshot, &|_| None, Aim::Same, selection, inputs, None);
        let mut resident = Vec::new();
        let begin = Instant::now();
        for (index, record) in self.records.iter().cycle().take(decisions).enumerate() {
            replay.take(u64::try_from(index)?, &Event::from_bytes(record)?);
            if index + 1 == decisions / 10 || index + 1 == decisions {
                resident.push(resident_kib());
            }
        }
        let memory = format!(", resident {resident:?} KiB");
        say(what, decisions, begin, &memory);
        let Report { summary, not_replayable, .. } = replay.finish();
        println!("    {summary:?} {not_replayable:?}");
        Ok(())
    }
}

fn say(what: &str, decisions: usize, begin: Instant, more: &str) {
    let taken = begin.elapsed().as_secs_f64();
    let each = taken * 1e6 / decisions as f64;
    println!("{what}: {:.0} decisions/s, {each:.1} us each{more}", decisions as f64 / taken);
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
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
            "id": format!("0197f0a0-0000-7000-8000-{number:012}"), "tenant": "default", "agent": "bot", "user": "ada",
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
