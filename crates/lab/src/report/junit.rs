//! JUnit XML, as continuous integration reads it: a `testsuite` per suite, a `testcase` per case.

use crate::run::{CaseResult, Report};
use crate::suite::Severity;
use std::fmt::Write as _;

/// Renders a run. An advisory failure is a failure when `strict`, else a skipped case with its message.
#[must_use]
pub fn junit(report: &Report, strict: bool) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = Counts::of(&report.cases, strict);
    let _ = writeln!(xml, "<testsuites name=\"mortise\"{counts}>");
    for cases in report.cases.chunk_by(|a, b| a.suite == b.suite && a.place.file == b.place.file) {
        suite(&mut xml, cases, strict);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, cases: &[CaseResult], strict: bool) {
    let Some(first) = cases.first() else { return };
    let (name, file) = (escaped(&first.suite), escaped(&first.place.file));
    let _ = writeln!(xml, "  <testsuite name=\"{name}\" file=\"{file}\"{}>", Counts::of(cases, strict));
    for case in cases {
        let (name, line) = (escaped(&case.name), case.place.line);
        let classname = escaped(&format!("{}.{}", case.suite, case.kind.as_str()));
        let _ = write!(xml, "    <testcase name=\"{name}\" classname=\"{classname}\" file=\"{file}\" line=\"{line}\"");
        match outcome(case, strict) {
            Outcome::Passed => xml.push_str("/>\n"),
            Outcome::Failed => {
                let (message, detail) = (escaped(message(case)), escaped(&detail(case)));
                let _ = writeln!(xml, ">\n      <failure message=\"{message}\">{detail}</failure>\n    </testcase>");
            }
            Outcome::Skipped => {
                let message = escaped(message(case));
                let _ = writeln!(xml, ">\n      <skipped message=\"advisory: {message}\"/>\n    </testcase>");
            }
        }
    }
    xml.push_str("  </testsuite>\n");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

fn outcome(case: &CaseResult, strict: bool) -> Outcome {
    match (case.passed, case.severity) {
        (true, _) => Outcome::Passed,
        (false, Severity::Advisory) if !strict => Outcome::Skipped,
        (false, _) => Outcome::Failed,
    }
}

struct Counts {
    tests: usize,
    failures: usize,
    skipped: usize,
}

impl Counts {
    fn of(cases: &[CaseResult], strict: bool) -> Self {
        let count = |wanted: Outcome| cases.iter().filter(|case| outcome(case, strict) == wanted).count();
        Self { tests: cases.len(), failures: count(Outcome::Failed), skipped: count(Outcome::Skipped) }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tests, failures, skipped } = self;
        write!(f, " tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"")
    }
}

fn message(case: &CaseResult) -> &str {
    case.message.as_deref().unwrap_or("failed")
}

fn detail(case: &CaseResult) -> String {
    let mut text = format!("expected {}, found {}\n", case.expected, case.got);
    for reason in &case.reasons {
        let _ = writeln!(text, "{} {}", reason.verdict, reason.rule);
    }
    let _ = write!(text, "{}:{}", case.place.file, case.place.line);
    text
}

/// Text for an attribute or element. XML 1.0 has no way to write most control characters (section 2.2), so they are
/// shown as escapes; line breaks and tabs are kept as references, since attributes would turn them into spaces.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\n' => safe.push_str("&#10;"),
            '\r' => safe.push_str("&#13;"),
            '\t' => safe.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}
