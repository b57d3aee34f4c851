//! The benchmarks. Each prints its conditions and a baseline of the same run; nothing here asserts a time.

use crate::run::{cargo, run, stage};
use crate::workspace::Workspace;
use anyhow::Result;

/// What is measured.
struct Bench {
    says: &'static str,
    /// It runs when this package has a target of this kind (and this name, unless empty).
    needs: (&'static str, &'static str, &'static str),
    arguments: &'static [&'static str],
}

const BENCHES: &[Bench] = &[
    Bench {
        says: "deciding",
        needs: ("mortise-policy", "bench", ""),
        arguments: &["bench", "-p", "mortise-policy", "--benches"],
    },
    Bench {
        says: "the pipeline",
        needs: ("mortise-enforce", "bench", ""),
        arguments: &["bench", "-p", "mortise-enforce", "--benches"],
    },
    Bench {
        says: "the log",
        needs: ("mortise-store", "bench", ""),
        arguments: &["bench", "-p", "mortise-store", "--benches"],
    },
    Bench {
        says: "a gateway under load",
        needs: ("mortise-tests", "bin", "load"),
        arguments: &["run", "--release", "-p", "mortise-tests", "--bin", "load"],
    },
];

/// Runs every benchmark that exists, and says which do not exist yet.
pub fn run_all(workspace: &Workspace) -> Result<()> {
    for bench in BENCHES {
        if exists(workspace, bench.needs) {
            stage(bench.says, || run(&mut cargo(bench.arguments)))?;
        } else {
            let (package, kind, name) = bench.needs;
            println!("{}: skipped, `{package}` has no {kind} {name}", bench.says);
        }
    }
    Ok(())
}

fn exists(workspace: &Workspace, (package, kind, name): (&str, &str, &str)) -> bool {
    let mut targets = workspace
        .packages
        .iter()
        .filter(|found| found.name == package)
        .flat_map(|found| &found.targets);
    targets.any(|target| target.kind == kind && (name.is_empty() || target.name == name))
}
