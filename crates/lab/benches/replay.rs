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
#[path = "../../store/benches/measured/mod.rs"]
#[expect(dead_code, reason = "shared with the benchmarks of the log")]
mod measured;
mod past;

use enforce::replay::{Declared, redecide};
use enforce::{DecisionInput, Inputs, Kept, Snapshot};
use lab::replay::{Aim, Replay, Report, Selection};
use past::Failure;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};
use vocab::Event;
use vocab::event::{Payload, PayloadClass};

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

fn main() -> Result<(), Failure> {
    let decisions = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(400_000);
    let snapshot = fixture::snapshot_of(&fixture::files());
    let past = Past::of(&snapshot)?;
    let bytes = past.records.iter().map(Vec::len).sum::<usize>() / past.records.len();
    let documents = past.documents.values().map(Vec::len).sum::<usize>() / past.documents.len();
    println!("one thread; {}", measured::conditions());
    println!(
        "{decisions} decisions, {} rules; {bytes} bytes a record, {documents} a document\n",
        snapshot.bundle.rules().count()
    );
    println!(
        "| what | decisions/s | us each | resident after a tenth, and after all, MiB | exact, from facts, neither |"
    );
    println!("|---|---:|---:|---:|---:|");
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
    fn of(snapshot: &Snapshot) -> Result<Self, Failure> {
        let mut past = Self { records: Vec::new(), documents: HashMap::new(), inputs: HashMap::new() };
        for number in 0..DISTINCT {
            let (mut event, input) = past::decision(snapshot, number, 1_795_000_000_000_000)?;
            let (digest, document) = (format!("sha256:{number:064x}"), input.to_bytes());
            event.payloads = vec![Payload {
                bytes: u64::try_from(document.len())?,
                class: PayloadClass::DecisionInput,
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
        say(what, decisions, begin.elapsed(), "| |");
    }

    fn replay(&self, what: &str, snapshot: &Snapshot, decisions: usize, inputs: &dyn Inputs) -> Result<(), Failure> {
        let selection = Selection { since_us: None, agent: None, examples: 3 };
        let mut replay = Replay::new(snapshot, &|_| None, Aim::Same, selection, inputs, None);
        let mut resident = Vec::new();
        let begin = Instant::now();
        for (index, record) in self.records.iter().cycle().take(decisions).enumerate() {
            replay.take(u64::try_from(index)?, &Event::from_bytes(record)?);
            if index + 1 == decisions / 10 || index + 1 == decisions {
                resident.push(measured::memory("VmRSS"));
            }
        }
        let taken = begin.elapsed();
        let Report { summary, .. } = replay.finish();
        if summary.differences > 0 {
            return Err(format!("{what}: {summary:?}").into());
        }
        let memory: Vec<String> = resident.iter().map(|kib| format!("{:.1}", *kib as f64 / 1024.0)).collect();
        let counts = format!("{}, {}, {}", summary.exact, summary.from_facts, summary.not_replayable);
        say(what, decisions, taken, &format!("{} | {counts} |", memory.join(", ")));
        Ok(())
    }
}

fn say(what: &str, decisions: usize, taken: Duration, more: &str) {
    let taken = taken.as_secs_f64();
    let each = taken * 1e6 / decisions as f64;
    println!("| {what} | {:.0} | {each:.1} | {more}", decisions as f64 / taken);
}
