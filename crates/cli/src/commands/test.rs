//! `mortise test`: the project's suites against the configuration as it stands in the files.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use anstyle::{AnsiColor, Style};
use enforce::Snapshot;
use govern::project::{Files, Project, ReadError};
use govern::protected::Protected;
use lab::Report;
use lab::report::Tone;
use std::path::Path;
use std::sync::Arc;
use vocab::Exit;

/// Runs the cases. Needs no gateway, no server and no state, and leaves nothing behind.
pub fn run(output: &Output, root: &Path, args: &args::Test) -> Outcome {
    let files = Files::read(root).map_err(|error| unreadable(&error))?;
    let project = Project::parse(&files).map_err(Failure::diagnostics)?;
    let snapshot = snapshot(output, root, project)?;
    let tests = lab::texts(&snapshot.project, &files);
    let report = lab::run(&snapshot, tests, args.filter.as_deref()).map_err(Failure::diagnostics)?;
    for warning in &report.warnings {
        output.diagnostic(warning);
    }
    if let Some(path) = &args.junit {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Environment, format!("cannot write `{}`: {error}", path.display()))
        };
        std::fs::write(path, lab::report::junit(&report, args.strict)).map_err(failed)?;
    }
    print(output, &report, args.strict);
    match report.exit(args.strict) {
        Exit::Nothing => Err(nothing(&snapshot.project, args.filter.as_deref())),
        exit => Ok(exit),
    }
}

/// The configuration as the gateway would load it, but for what waits to be accepted: tests are about the files.
fn snapshot(output: &Output, root: &Path, project: Project) -> Result<Snapshot, Failure> {
    for warning in &project.warnings {
        output.diagnostic(warning);
    }
    let compilation = policy::compile(&project.policies, &project.shapes());
    let Some(bundle) = compilation.bundle else {
        return Err(Failure::diagnostics(compilation.diagnostics));
    };
    for found in &compilation.diagnostics {
        output.diagnostic(found);
    }
    Ok(Snapshot::new(Arc::new(project), Arc::new(bundle), protected(root)?, false))
}

/// What no tool may be pointed at on this machine.
pub fn protected(root: &Path) -> Result<Protected, Failure> {
    let Place { root, state } = Place::at(root)?;
    let home = std::env::var("HOME").ok().filter(|home| home.starts_with('/'));
    Protected::new(&root.to_string_lossy(), &state.to_string_lossy(), home.as_deref())
        .map_err(|error| Failure::new(Exit::Environment, format!("`{}`: {error}", root.display())))
}

fn print(output: &Output, report: &Report, strict: bool) {
    match output.format {
        args::Format::Human => output.page(lab::report::human(report, &|tone, text| paint(output, tone, text))),
        args::Format::Json => output.json(&lab::report::json(report, strict)),
        args::Format::Ndjson => lab::report::ndjson(report, strict).for_each(|line| output.line(line)),
        args::Format::Junit => output.raw(lab::report::junit(report, strict)),
    }
}

/// A report's text in its colour.
pub fn paint(output: &Output, tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Pass => AnsiColor::Green.on_default(),
        Tone::Fail => AnsiColor::Red.on_default().bold(),
        Tone::Advisory => AnsiColor::Yellow.on_default().bold(),
        Tone::Quiet => Style::new().dimmed(),
        // The report aligns, the output only colours.
        Tone::Verdict(verdict) => return output.verdict(verdict).replacen(&format!("{verdict:<8}"), text, 1),
    };
    output.paint(text, style)
}

fn nothing(project: &Project, filter: Option<&str>) -> Failure {
    match filter {
        Some(filter) if !project.tests.is_empty() => {
            Failure::new(Exit::Nothing, format!("no case has `{filter}` in its name or that of its suite"))
                .with_help("without a filter all cases run")
        }
        _ => Failure::new(Exit::Nothing, "there is no case to run")
            .with_help("write a suite: `mortise/tests/<name>.yaml` with `suite`, `agent` and `cases`"),
    }
}

fn unreadable(error: &ReadError) -> Failure {
    let exit = match error {
        ReadError::Io { .. } => Exit::Environment,
        _ => Exit::Configuration,
    };
    Failure::new(exit, error.to_string())
}
