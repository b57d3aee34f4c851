//! Where a project's suites are: `mortise/tests/**/*.yaml`.

use super::case::Suite;
use super::read::read;
use govern::project::{Files, Project};
use vocab::Diagnostic;

/// Path and text of every suite of a project, in order of path.
pub fn texts<'a>(project: &'a Project, files: &'a Files) -> impl Iterator<Item = (&'a str, &'a str)> {
    project.tests.iter().filter_map(|path| Some((path.as_str(), files.text(path)?)))
}

/// Every suite that reads, and what is wrong with the others.
#[must_use]
pub fn read_all(project: &Project, files: &Files) -> (Vec<Suite>, Vec<Diagnostic>) {
    let mut suites = Vec::new();
    let mut wrong = Vec::new();
    for (path, text) in texts(project, files) {
        match read(path, text) {
            Ok(suite) => suites.push(suite),
            Err(found) => wrong.extend(found),
        }
    }
    (suites, wrong)
}
