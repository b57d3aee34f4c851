//! What one allowed call allocates on the thread that takes it through the pipeline, with a tool that answers at once. Its
//! own binary, because the counter replaces the allocator.
//!
//! `cargo bench -p mortise-enforce --bench call [-- <calls>]`. For the instructions, under callgrind:
//! `--toggle-collect='*many_calls*'`; divide by the calls.
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

#[path = "../tests/setting/mod.rs"]
mod setting;

use enforce::{Boxed, Live, Lost, Pipeline, Reply, Route, Submission};
use setting::{Outcome, Setting};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;
use vocab::id::Digest;
use vocab::{Call, Target};

const REPLY: &[u8] = br#"{"content":[{"type":"text","text":"hello there, this is a message"}],"isError":false}"#;

fn main() -> Outcome<()> {
    let calls = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(200);
    let dir = std::env::temp_dir().join(format!("mortise-call-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = run(&dir, calls);
    std::fs::remove_dir_all(&dir)?;
    done
}

fn run(dir: &Path, calls: usize) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bench = Setting::open(dir)?;
    let route: Arc<dyn Route> = Arc::new(Echo { definition: bench.definition.clone() });
    // The session begins, the schema is compiled, the rules of agent and tool are put together.
    many_calls(&runtime, (0..20).map(|_| bench.submission(&route)).collect(), &bench.pipeline)?;
    let submissions = (0..calls).map(|_| bench.submission(&route)).collect();
    let mut outcome = Ok(());
    let used = allocation_counter::measure(|| outcome = many_calls(&runtime, submissions, &bench.pipeline));
    outcome?;
    let per_call = |total: u64| total / u64::try_from(calls).unwrap_or(1).max(1);
    println!("{} allocations, {} bytes a call", per_call(used.count_total), per_call(used.bytes_total));
    Ok(())
}

#[inline(never)]
fn many_calls(runtime: &Runtime, submissions: Vec<Submission>, pipeline: &Arc<Pipeline>) -> Outcome<()> {
    for submission in submissions {
        match runtime.block_on(pipeline.submit(submission)) {
            enforce::Answer::Reply(_) => {}
            other => return Err(format!("not allowed: {other:?}").into()),
        }
    }
    Ok(())
}

/// A tool that answers at once.
struct Echo {
    definition: Digest,
}

impl Route for Echo {
    fn live(&self, _target: &Target) -> Live {
        Live::Definition(self.definition.clone())
    }

    fn send<'a>(&'a self, _effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        Box::pin(std::future::ready(Ok(Reply::Result(REPLY.to_vec()))))
    }

    fn working_directory(&self) -> String {
        "/srv/shop".to_owned()
    }
}
