//! The benchmarks. Each prints its conditions and a baseline of the same run; nothing here asserts a time.

use crate::run::{cargo, run, stage};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::time::Instant;

/// What is measured.
struct Bench {
    says: &'static str,
    /// How long it takes once it is built.
    seconds: u32,
    /// The package, and the kind and name of its target.
    target: (&'static str, &'static str, &'static str),
}

/// In the order of a call: what a figure further down is made of stands above it.
const BENCHES: [Bench; 9] = [
    Bench { says: "deciding", seconds: 15, target: ("mortise-policy", "bench", "decide") },
    Bench { says: "allocations of deciding", seconds: 5, target: ("mortise-policy", "bench", "allocations") },
    Bench { says: "appending to the log", seconds: 100, target: ("mortise-store", "bench", "append") },
    Bench { says: "verifying a log", seconds: 30, target: ("mortise-store", "bench", "verify") },
    Bench { says: "deciding a log again", seconds: 60, target: ("mortise-lab", "bench", "replay") },
    Bench { says: "searching a log", seconds: 15, target: ("mortise-store", "bench", "search") },
    Bench { says: "memory of reading a log", seconds: 120, target: ("mortise-lab", "bench", "memory") },
    Bench { says: "reading messages", seconds: 15, target: ("mortise-canon", "bench", "scan") },
    Bench { says: "a gateway under load", seconds: 360, target: ("mortise-tests", "bin", "load") },
];

/// What the load driver starts: built first, so that nothing is compiled while anything is measured.
const BUILD: [&str; 7] = ["build", "--release", "-p", "mortise", "-p", "mortise-tests", "--bins"];

/// Runs every benchmark, one after the other.
pub fn run_all(workspace: &Workspace) -> Result<()> {
    if let Some(Bench { target: (package, kind, name), .. }) = BENCHES.iter().find(|bench| !exists(workspace, bench)) {
        bail!("`{package}` has no {kind} `{name}`");
    }
    let begin = Instant::now();
    stage("building what is measured", || {
        run(&mut cargo(&BUILD))?;
        BENCHES.iter().filter(|bench| bench.target.1 == "bench").try_for_each(|bench| run(&mut command(bench, true)))
    })?;
    let minutes = BENCHES.iter().map(|bench| bench.seconds).sum::<u32>().div_ceil(60);
    println!(
        "measuring takes about {minutes} minutes; figures are worth something on a machine that does nothing else\n"
    );
    for bench in &BENCHES {
        stage(&format!("{}, about {} s", bench.says, bench.seconds), || {
            run(command(bench, false).env("MORTISE_BIN", workspace.target.join("release/mortise")))
        })?;
    }
    println!("all of it took {:.0} minutes", begin.elapsed().as_secs_f64() / 60.0);
    Ok(())
}

/// The command that runs a benchmark, or only builds it.
fn command(bench: &Bench, only_build: bool) -> std::process::Command {
    let (package, kind, name) = bench.target;
    let mut words = match kind {
        "bin" => vec!["run", "--release", "-p", package, "--bin", name],
        _ => vec!["bench", "-p", package, "--bench", name],
    };
    if only_build {
        words.push("--no-run");
    }
    cargo(&words)
}

fn exists(workspace: &Workspace, bench: &Bench) -> bool {
    let (package, kind, name) = bench.target;
    let of_package = workspace.packages.iter().filter(|found| found.name == package);
    of_package.flat_map(|found| &found.targets).any(|target| target.kind == kind && target.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_benchmark_exists() {
        let workspace = Workspace::read().unwrap();
        for bench in &BENCHES {
            assert!(exists(&workspace, bench), "{:?}", bench.target);
        }
    }
}
