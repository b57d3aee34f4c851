//! For people: what failed first and in full, then what passed, then what was never tried.

use super::printable;
use crate::run::{CaseResult, Report};
use crate::suite::Severity;
use std::fmt::Write as _;
use vocab::Verdict;

/// What a piece of text is, for whoever chooses colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Passed.
    Pass,
    /// Failed.
    Fail,
    /// Failed, but does not block.
    Advisory,
    /// A verdict.
    Verdict(Verdict),
    /// What can be skipped in reading.
    Quiet,
}

/// Renders a run. `paint` gives a text its colour, or gives it back as it is.
#[must_use]
pub fn human(report: &Report, paint: &dyn Fn(Tone, &str) -> String) -> String {
    let mut text = String::new();
    for case in report.cases.iter().filter(|case| !case.passed) {
        failed(&mut text, case, paint);
    }
    passed(&mut text, report, paint);
    coverage(&mut text, report, paint);
    let _ = writeln!(text, "{}", statistic(report, paint));
    text
}

/// `12 passed, 0 failed`.
fn statistic(report: &Report, paint: &dyn Fn(Tone, &str) -> String) -> String {
    let (blocking, advisory) = (report.failed(Severity::Blocking), report.failed(Severity::Advisory));
    let passed = paint(Tone::Pass, &format!("{} passed", report.passed()));
    let failed = format!("{blocking} failed");
    let failed = if blocking > 0 { paint(Tone::Fail, &failed) } else { failed };
    match advisory {
        0 => format!("{passed}, {failed}"),
        _ => format!("{passed}, {failed}, {}", paint(Tone::Advisory, &format!("{advisory} advisory"))),
    }
}

fn failed(text: &mut String, case: &CaseResult, paint: &dyn Fn(Tone, &str) -> String) {
    let label = match case.severity {
        Severity::Blocking => paint(Tone::Fail, "FAIL"),
        Severity::Advisory => paint(Tone::Advisory, "NOTE"),
    };
    let _ = writeln!(text, "{label}  {} > {}", printable(&case.suite), printable(&case.name));
    let mut row = |key: &str, value: String| {
        let _ = writeln!(text, "      {key:<9} {value}");
    };
    row("expected", paint(Tone::Verdict(case.expected), case.expected.as_str()));
    row("found", paint(Tone::Verdict(case.got), case.got.as_str()));
    if let Some(message) = &case.message {
        row("because", printable(message));
    }
    for (number, line) in rules(case, paint).into_iter().enumerate() {
        row(if number == 0 { "rules" } else { "" }, line);
    }
    row("call", format!("{} as {}", printable(&case.call), case.agent));
    row("at", format!("{}:{}", printable(&case.place.file), case.place.line));
    text.push('\n');
}

/// Which rules spoke, one a line, aligned.
fn rules(case: &CaseResult, paint: &dyn Fn(Tone, &str) -> String) -> Vec<String> {
    let width = case.reasons.iter().map(|reason| reason.rule.as_str().chars().count());
    let width = width.chain(case.permits.iter().map(|rule| rule.as_str().chars().count())).max().unwrap_or(0);
    let reasons = case.reasons.iter().map(|reason| {
        let place = reason.place.as_ref().map_or_else(String::new, |place| format!("{}:{}", place.file, place.line));
        let text = reason.text.as_deref().map_or_else(String::new, |text| format!("  {}", printable(text)));
        let line = format!("{} {:<width$}  {place}{text}", verdict(reason.verdict, paint), reason.rule.as_str());
        line.trim_end().to_owned()
    });
    let permits = case.permits.iter().map(|rule| format!("{:<8} {rule}", "permit"));
    let would = case.would.iter().map(|would| format!("{:<8} {} (would {})", "recorded", would.rule, would.verdict));
    reasons.chain(permits).chain(would).collect()
}

fn verdict(verdict: Verdict, paint: &dyn Fn(Tone, &str) -> String) -> String {
    paint(Tone::Verdict(verdict), &format!("{verdict:<8}"))
}

fn passed(text: &mut String, report: &Report, paint: &dyn Fn(Tone, &str) -> String) {
    let mut suite = None;
    for case in report.cases.iter().filter(|case| case.passed) {
        if suite != Some(&case.suite) {
            let _ = writeln!(text, "{}", printable(&case.suite));
            suite = Some(&case.suite);
        }
        let kind = paint(Tone::Quiet, &format!("{:<11}", case.kind.as_str()));
        let name = printable(&case.name);
        let _ = writeln!(text, "  {}  {} {kind} {name}", paint(Tone::Pass, "ok"), verdict(case.got, paint));
    }
    if suite.is_some() {
        text.push('\n');
    }
}

fn coverage(text: &mut String, report: &Report, paint: &dyn Fn(Tone, &str) -> String) {
    let rules = &report.coverage.rules;
    // What a filter left out is not untested.
    if rules.is_empty() || report.cases.is_empty() || !report.is_whole {
        return;
    }
    let silent: Vec<&str> = report.coverage.silent().map(|rule| rule.rule.as_str()).collect();
    let spoke = rules.len() - silent.len();
    let _ = writeln!(text, "{spoke} of {} rules spoke in a case", rules.len());
    for rule in silent {
        let _ = writeln!(text, "  {}  {rule}", paint(Tone::Quiet, "never"));
    }
}
