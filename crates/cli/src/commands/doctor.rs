//! `mortise doctor`: does this machine have what Mortise needs?
//!
//! Changes nothing but for a probe file in the state directory, and starts no gateway. Each check stands alone: one
//! that fails does not keep the others from being made.

mod machine;
mod project;
mod running;

use crate::args::{Format, Global};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use anstyle::AnsiColor;
pub(super) use machine::in_path;
use serde::Serialize;
use vocab::Exit;
use vocab::shown::line;

/// Makes every check.
pub fn run(output: &Output, global: &Global) -> Outcome {
    let checks = checks(global);
    match output.format {
        Format::Human | Format::Junit => checks.iter().for_each(|check| print(output, check)),
        Format::Json => output.json(&checks),
        Format::Ndjson => checks.iter().for_each(|check| output.json(check)),
    }
    match checks.iter().filter(|check| check.level == Level::Fail).count() {
        0 => Ok(Exit::Ok),
        _ if !output.is_human() => Ok(Exit::Environment),
        1 => Err(Failure::new(Exit::Environment, "one check fails")),
        failed => Err(Failure::new(Exit::Environment, format!("{failed} checks fail"))),
    }
}

fn checks(global: &Global) -> Vec<Check> {
    let mut checks = machine::checks();
    match Place::find(global) {
        Ok(place) => {
            checks.extend(project::checks(&place));
            checks.extend(running::checks(&place));
        }
        Err(failure) => {
            let fix = failure.help.unwrap_or_else(|| "name the project's folder with `--project DIR`".to_owned());
            // Asking for a project that is not there is an error; looking at a machine without one is not.
            let level = if global.project.is_some() { Level::Fail } else { Level::Warn };
            checks.push(Check { level, ..Check::warn("project", failure.message, fix) });
        }
    }
    checks
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    level: Level,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, level: Level::Ok, found: found.into(), fix: None }
    }

    fn warn(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warn, fix: Some(fix.into()), ..Self::ok(name, found) }
    }

    fn fail(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Fail, ..Self::warn(name, found, fix) }
    }
}

fn print(output: &Output, check: &Check) {
    let (word, style) = match check.level {
        Level::Ok => ("ok  ", AnsiColor::Green.on_default()),
        Level::Warn => ("warn", AnsiColor::Yellow.on_default().bold()),
        Level::Fail => ("fail", AnsiColor::Red.on_default().bold()),
    };
    output.line(format!("{}  {:<16} {}", output.paint(word, style), check.name, line(&check.found)));
    if let Some(fix) = &check.fix {
        output.line(format!("{:24}{}", "", output.dim(&format!("fix: {}", line(fix)))));
    }
}
