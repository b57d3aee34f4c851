//! What a tool call costs through Mortise with everything on, beside the same call without it, in one run.
//!
//! Reading order: `options` (how much) → `subject` (the paths that are compared, and `project`, the project Mortise
//! guards) → `drive` and `client` (a closed loop over keep-alive connections) → `round` (one measurement: `gauge` for
//! processor and memory, `disk` for the least a durable commit costs here) → `report`. `startup` is measured apart.
//!
//! Nothing here asserts a time. It fails when a call fails, for then there is nothing to report.

mod client;
mod conditions;
mod disk;
mod drive;
mod gauge;
mod options;
mod project;
mod report;
mod round;
mod startup;
mod statistics;
mod subject;

use options::Options;
use report::Report;
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--help") {
        println!("{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    // Everything measured lies on one disk, the log and the baseline alike, and is removed at the end.
    let folder = tempfile::Builder::new().prefix("load").tempdir_in(&options.directory);
    let folder = folder.map_err(|error| format!("`{}`: {error}", options.directory.display()))?;
    if tempfile::env::override_temp_dir(folder.path()).is_err() {
        return Err("the temporary folder is already chosen".into());
    }
    println!("{}", conditions::describe(options)?);
    let mut report = Report::default();
    for round in 0..options.rounds {
        // Each round begins one further, so that no path always follows the same one.
        let (after, before) = subject::ALL.split_at(round % subject::ALL.len());
        let subjects = before.iter().chain(after);
        for subject in subjects.filter(|subject| options.clients.is_none_or(|clients| clients == subject.clients)) {
            report.add(*subject, round::measure(*subject, options)?);
        }
        eprintln!("round {} of {} done", round + 1, options.rounds);
    }
    if options.clients.is_none() {
        report.startup = startup::measure(options)?;
    }
    println!("{}", report.markdown());
    Ok(())
}
