//! Every test there is, and the record of it in `docs/full-test.md`.

use super::plan::{Step, everything};
use crate::run::{Watched, output, stage, watch};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

/// Where the record goes.
const RECORD: &str = "docs/full-test.md";

/// How one step went.
struct Ran {
    step: Step,
    took: Duration,
    watched: Watched,
}

/// Runs all steps, also after a failure, and writes the record; an error when one failed.
pub fn run(workspace: &Workspace) -> Result<()> {
    stage("setup", || setup::run(workspace))?;
    // Asked first: the record is about what is tested, not about what it says itself.
    let conditions = conditions(workspace)?;
    let mut ran = Vec::new();
    for step in everything(workspace)? {
        let start = Instant::now();
        let mut watched = stage(&step.says, || watch(&mut step.command(workspace)))?;
        if step.is_test() && !watched.closing.iter().any(|line| tells_of_passed(line)) {
            println!("no test ran");
            watched.passed = false;
        }
        ran.push(Ran { step, took: start.elapsed(), watched });
    }
    std::fs::write(workspace.root.join(RECORD), record(&conditions, &ran)).context("cannot write the record")?;
    println!("written: {RECORD}");
    let failed: Vec<&str> = ran.iter().filter(|ran| !ran.watched.passed).map(|ran| ran.step.says.as_str()).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join("; "));
    }
    println!("all tests passed, the long ones too");
    Ok(())
}

/// Whether a runner's closing line tells of a test that passed.
fn tells_of_passed(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).any(|pair| {
        matches!(pair, [number, word] if word.starts_with("passed") && number.parse::<u64>().is_ok_and(|number| number > 0))
    })
}

/// When, what and where, as pairs for a table.
fn conditions(workspace: &Workspace) -> Result<Vec<(&'static str, String)>> {
    let ask = |program: &str, arguments: &[&str]| {
        output(Command::new(program).args(arguments).current_dir(&workspace.root)).map(|text| text.trim().to_owned())
    };
    let changed = !ask("git", &["status", "--porcelain"])?.is_empty();
    let commit = ask("git", &["rev-parse", "HEAD"])? + if changed { " with uncommitted changes" } else { "" };
    let cores = std::thread::available_parallelism()?;
    Ok(vec![
        ("date", ask("date", &["-u", "+%Y-%m-%d %H:%M UTC"])?),
        ("commit", commit),
        ("system", ask("uname", &["-sm"])?),
        ("processor", format!("{cores} cores, {}", processor())),
        ("compiler", ask("rustc", &["--version"])?),
    ])
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn record(conditions: &[(&str, String)], ran: &[Ran]) -> String {
    let mut text = String::from("# The last full test\n\nWritten by `cargo xtask test --full`.\n\n| | |\n|---|---|\n");
    for (name, value) in conditions {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text.push_str("\n| step | result | seconds |\n|---|---|---:|\n");
    for Ran { step, took, watched } in ran {
        let result = if watched.passed { "passed" } else { "**failed**" };
        let _ = writeln!(text, "| {} | {result} | {:.0} |", step.says, took.as_secs_f64());
    }
    text.push_str("\nWhat ran, and what the test runners said at the end:\n\n```text\n");
    for Ran { step, watched, .. } in ran {
        let _ = writeln!(text, "{}", step.line());
        // A binary without tests of the kind asked for says nothing worth keeping.
        for line in watched.closing.iter().filter(|line| !line.contains(" 0 passed; 0 failed")) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text.push_str("```\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_tests_is_none() {
        assert!(tells_of_passed("test result: ok. 53 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"));
        assert!(tells_of_passed("Summary [ 146.193s] 947 tests run: 947 passed, 1 skipped"));
        assert!(!tells_of_passed("test result: ok. 0 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out"));
        assert!(!tells_of_passed("Summary [ 0.1s] 0 tests run: 0 passed, 1 skipped"));
    }
}
