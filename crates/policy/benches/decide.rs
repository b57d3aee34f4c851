//! One decision, facts to context and request included, by number of loaded rules. Ten of them can speak about the call;
//! the rest are about other tools, so the lines should be alike.
//!
//! The sizes take turns, round by round: a machine that others use is not the same machine a minute later. What a
//! decision allocates is measured by the benchmark beside this one, because counting costs time.
//!
//! `cargo bench -p mortise-policy --bench decide`; the line printed first says what it ran on. For a profiler it only
//! makes some decisions: `-- everyday 1000` in a small project, `-- 100 1000` in one of a hundred rules.
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

#[path = "../tests/many/mod.rs"]
mod many;

use many::{Case, everyday, project};
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const ROUNDS: usize = 10;
/// Decisions of one size in one round: a tenth of a second at 50 us each.
const DECISIONS: usize = 2_000;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let [project, decisions, ..] = &*asked
        && let Ok(decisions) = decisions.parse()
    {
        return only(project, decisions);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("{build} build, one thread of {cores}, {} {}", std::env::consts::OS, std::env::consts::ARCH);
    let case = Case::new();
    let bundles = SIZES.map(|rules| (rules, project(rules)));
    let mut latencies = SIZES.map(|_| Vec::with_capacity(ROUNDS * DECISIONS));
    for _ in 0..ROUNDS {
        for ((_, bundle), latencies) in bundles.iter().zip(&mut latencies) {
            for _ in 0..DECISIONS {
                let start = Instant::now();
                case.decide(bundle);
                latencies.push(start.elapsed());
            }
        }
    }
    println!("{ROUNDS} rounds of {DECISIONS} decisions each\n");
    println!("| rules | p50, us | p99, us |\n|---:|---:|---:|");
    for ((rules, _), mut latencies) in bundles.iter().zip(latencies) {
        latencies.sort_unstable();
        println!("| {rules} | {:.1} | {:.1} |", micros(&latencies, 50), micros(&latencies, 99));
    }
}

fn only(rules: &str, decisions: usize) {
    let (bundle, case) = (rules.parse().map_or_else(|_| everyday(), project), Case::new());
    for _ in 0..decisions {
        case.decide(&bundle);
    }
}

fn micros(sorted: &[Duration], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default().as_secs_f64() * 1e6
}
