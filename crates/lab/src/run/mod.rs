//! Suites against one configuration.
//!
//! Files one after the other, so that memory holds one suite and the results, whatever the number of files; the order
//! is the given one, so that two runs print the same.

mod coverage;
mod expectation;
mod result;

pub use coverage::{Coverage, RuleCoverage};
pub use result::{CaseResult, Report};

use crate::suite::{self, Suite};
use coverage::Counting;
use enforce::Snapshot;
use enforce::preview::{BuiltIn, Preview, Probe, declared, preview};
use std::sync::Arc;
use vocab::{Diagnostic, Verdict};

/// Runs the cases of files (path and text) whose suite's or own name contains `filter`.
///
/// # Errors
/// Everything wrong with any of the files: a run with a broken suite has no result.
pub fn run<'a>(
    snapshot: &Snapshot,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    filter: Option<&str>,
) -> Result<Report, Vec<Diagnostic>> {
    let mut running = Running { snapshot, filter, report: Report::default(), counting: Counting::of(snapshot) };
    let mut wrong = Vec::new();
    for (file, text) in files {
        match suite::read(file, text) {
            Ok(suite) => {
                let found = suite::check(&suite, snapshot);
                if wrong.is_empty() && found.is_empty() {
                    running.suite(&suite);
                }
                wrong.extend(found);
            }
            Err(found) => wrong.extend(found),
        }
    }
    if wrong.is_empty() { Ok(running.finish()) } else { Err(wrong) }
}

struct Running<'a> {
    snapshot: &'a Snapshot,
    filter: Option<&'a str>,
    report: Report,
    counting: Counting,
}

impl Running<'_> {
    fn suite(&mut self, suite: &Suite) {
        let selected =
            |name: &str| self.filter.is_none_or(|filter| suite.name.contains(filter) || name.contains(filter));
        for case in suite.cases.iter().filter(|case| selected(&case.name)) {
            let (agent, target) = (&suite.agent.value, &case.target.value);
            let below = self.snapshot.project.settings.uncertain_below;
            let facts = case.stated.over(&declared(self.snapshot, agent, target), below);
            let probe = Probe { agent, authn: case.stated.authn, target, arguments: &case.arguments, facts: &facts };
            let found = preview(self.snapshot, &probe);
            self.counting.count(agent, case.kind, &found.decision);
            if let Some(warning) = unintended(suite, case, &found) {
                self.report.warnings.push(warning);
            }
            let message = expectation::failure(case, &found);
            self.report.cases.push(CaseResult::of(Arc::clone(&suite.name), agent, case, found.decision, message));
        }
    }

    fn finish(self) -> Report {
        let mut report = self.report;
        report.coverage = self.counting.finish();
        report.is_whole = self.filter.is_none();
        report.bundle = self.snapshot.bundle.digest().to_string();
        report.revision = self.snapshot.revision().to_string();
        report
    }
}

/// A case that is denied by the schema where it names no rule has probably a slip in its arguments, and would pass
/// whatever the policies say.
fn unintended(suite: &Suite, case: &suite::Case, found: &Preview) -> Option<Diagnostic> {
    let by_schema = found.stopped == Some(BuiltIn::Schema);
    if !by_schema || case.expect != Verdict::Deny || case.rule.is_some() {
        return None;
    }
    let rule = BuiltIn::Schema.id(&suite.agent.value, &case.target.value);
    let what = expectation::schema_complaints(found);
    let message = format!("`{}` is denied by the tool's schema before any rule is asked: {what}", case.name);
    let warning = Diagnostic::warning("tests/denied-by-schema", &*suite.file, message);
    Some(
        case.target.complain(
            warning.with_help(format!("correct the arguments, or say `rule: {rule}` if this is what is meant")),
        ),
    )
}
