//! One decision, facts to context included, by number of loaded rules. Ten of them can speak about the call; the rest
//! are about other tools, so the medians should be alike.
//!
//! `cargo bench -p mortise-policy`; the line printed first says what it ran on.

#[path = "../tests/many/mod.rs"]
mod many;

use many::{Case, project};

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    #[expect(clippy::print_stdout, reason = "a benchmark prints its conditions")]
    {
        println!("{build} build, one thread of {cores}, {} {}", std::env::consts::OS, std::env::consts::ARCH);
    }
    divan::main();
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn decision(bencher: divan::Bencher<'_, '_>, rules: usize) {
    let (bundle, case) = (project(rules), Case::new());
    bencher.bench_local(|| case.decide(&bundle));
}
