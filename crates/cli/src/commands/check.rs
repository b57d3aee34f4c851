//! `mortise check`: is everything in the project valid?
//!
//! Starts nothing and changes nothing. Complaints are messages, the result is data.

pub(super) mod excerpt;

use crate::args::Format;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use enforce::Snapshot;
use gateway::process::{Compiled, ConfigurationError, compile};
use gateway::sinks::misplaced;
use govern::project::Files;
use govern::protected::Protected;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use vocab::{Diagnostic, Exit, Severity};

/// Checks the project.
pub fn run(output: &Output, place: &Place) -> Outcome {
    let files = place.files()?;
    let checked = check(place, &files)?;
    match output.format {
        Format::Human | Format::Junit => return human(output, &files, &checked),
        Format::Json => output.json(&checked),
        Format::Ndjson => checked.diagnostics.iter().for_each(|found| output.json(found)),
    }
    Ok(if checked.ok { Exit::Ok } else { Exit::Configuration })
}

/// What checking found.
#[derive(Serialize)]
struct Checked {
    ok: bool,
    agents: usize,
    tools: usize,
    rules: usize,
    cases: usize,
    diagnostics: Vec<Diagnostic>,
    /// What policies cannot see, tool by tool. It is still held by the tools' own schemas.
    invisible: Vec<serde_json::Value>,
    #[serde(skip)]
    notes: Vec<String>,
}

fn check(place: &Place, files: &Files) -> Result<Checked, Failure> {
    let compiled = match compile(files) {
        Ok(compiled) => compiled,
        Err(ConfigurationError::Invalid(diagnostics)) => return Ok(Checked::failed(diagnostics)),
        Err(error) => return Err(Failure::new(Exit::Configuration, error.to_string())),
    };
    let Compiled { project, bundle, mut diagnostics } = compiled;
    diagnostics.extend(misplaced(&place.root, &place.state, &project.settings, files));
    let (suites, wrong) = lab::read_all(&project, files);
    diagnostics.extend(wrong);
    let home = std::env::var("HOME").ok();
    let (root, state) = (place.root.display().to_string(), place.state.display().to_string());
    let protected = Protected::new(&root, &state, home.as_deref())
        .map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
    let snapshot = Snapshot::new(Arc::clone(&project), Arc::clone(&bundle), protected, false);
    diagnostics.extend(suites.iter().flat_map(|suite| lab::suite::check(suite, &snapshot)));
    diagnostics.extend(lab::missing_kinds(&project, &suites).into_iter().map(raised));
    let invisible = bundle.invisible().map(|(action, hidden)| {
        let hidden: Vec<_> =
            hidden.iter().map(|one| json!({ "path": one.path, "required": one.required, "why": one.why })).collect();
        json!({ "action": action, "arguments": hidden })
    });
    Ok(Checked {
        ok: !diagnostics.iter().any(|found| found.severity == Severity::Error),
        agents: project.agents.len(),
        tools: project.tools().len(),
        rules: bundle.rules().filter(|rule| !rule.shipped).count(),
        cases: suites.iter().map(|suite| suite.cases.len()).sum(),
        invisible: invisible.collect(),
        notes: bundle
            .invisible()
            .map(|(action, hidden)| note(action, hidden))
            .chain(bundle.rules_left_to_cedar().map(left_to_cedar))
            .collect(),
        diagnostics,
    })
}

fn left_to_cedar(rule: &policy::Rule) -> String {
    format!(
        "note: rule `{}` has a condition that is not compiled, such as one with an extension function: it means the same, \
         and costs each call it speaks about tens of times what others cost\n",
        rule.id
    )
}

impl Checked {
    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            ok: false,
            agents: 0,
            tools: 0,
            rules: 0,
            cases: 0,
            diagnostics,
            invisible: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|found| found.severity == severity).count()
    }
}

/// Running cases is possible without a case of each kind; calling a project with a dangerous agent valid is not.
fn raised(found: Diagnostic) -> Diagnostic {
    match found.severity {
        Severity::Warning => Diagnostic { severity: Severity::Error, ..found },
        _ => found,
    }
}

fn note(action: &str, hidden: &[policy::Invisible]) -> String {
    let mut text = format!("note: policies cannot see all of `{action}` (its schema still holds every call)\n");
    for one in hidden {
        let path = if one.path.is_empty() { "all arguments".to_owned() } else { format!("`{}`", one.path) };
        let required = if one.required { ", required" } else { "" };
        text.push_str(&format!("  {path}{required}: {}\n", one.why));
    }
    text
}

fn human(output: &Output, files: &Files, checked: &Checked) -> Outcome {
    for found in &checked.diagnostics {
        output.message(excerpt::render(found, files.text(&found.file)));
    }
    for note in &checked.notes {
        output.message(note);
    }
    let (errors, warnings) = (checked.count(Severity::Error), checked.count(Severity::Warning));
    let also = if warnings > 0 { format!(", {}", counted(warnings, "warning")) } else { String::new() };
    if !checked.ok {
        return Err(Failure::new(Exit::Configuration, format!("{}{also}", counted(errors, "error")))
            .with_help("`mortise explain CODE` says more about what stands in brackets"));
    }
    output.line(format!(
        "ok: {}, {}, {}{also}",
        counted(checked.agents, "agent"),
        counted(checked.tools, "tool"),
        counted(checked.rules, "rule"),
    ));
    Ok(Exit::Ok)
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn example(name: &str) -> Place {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
        Place { root: root.canonicalize().unwrap(), state: PathBuf::from("/nowhere/state") }
    }

    fn checked(place: &Place, files: &Files) -> Checked {
        check(place, files).map_err(|failure| failure.message).unwrap()
    }

    #[test]
    fn examples_are_valid() {
        for name in ["support-desk", "hr-screening"] {
            let place = example(name);
            let checked = checked(&place, &Files::read(&place.root).unwrap());
            assert!(checked.ok, "{name}: {:?}", checked.diagnostics);
            assert!(checked.agents > 0 && checked.tools > 0 && checked.rules > 0 && checked.cases > 0, "{name}");
        }
    }

    #[test]
    fn a_rule_that_costs_more_than_others_is_named() {
        let place = example("support-desk");
        let mut files = Files::read(&place.root).unwrap();
        let rule = "@id(\"by-address\")\nforbid (principal, action, resource)\n\
                    when { ip(\"10.0.0.1\").isInRange(ip(\"192.168.0.0/16\")) };\n";
        files.texts.insert("mortise/policies/x.cedar".to_owned(), rule.to_owned());
        let found = checked(&place, &files);
        assert!(
            found.notes.iter().any(|note| note.contains("rule `by-address`")),
            "{:?} {:?}",
            found.notes,
            found.diagnostics
        );
    }

    #[test]
    fn a_redaction_that_would_take_nothing_out_is_an_error() {
        let place = example("support-desk");
        let mut files = Files::read(&place.root).unwrap();
        let path = "mortise/policies/guards/closed-tickets.cedar";
        let guard = files.texts[path].replace("[].customer_email", "[].customer_emial");
        files.texts.insert(path.to_owned(), guard);
        let found = checked(&place, &files);
        let complaint = found.diagnostics.iter().find(|found| found.code == "policy/redact").unwrap();
        assert!(complaint.message.contains("has no `customer_emial`"), "{complaint:?}");
        assert_eq!(complaint.candidates.first().map(String::as_str), Some("customer_email"), "{complaint:?}");
        assert!(!found.ok);
    }

    #[test]
    fn an_agent_of_a_high_tier_without_cases_is_an_error() {
        let place = example("support-desk");
        let mut files = Files::read(&place.root).unwrap();
        files.texts.retain(|path, _| !path.starts_with("mortise/tests/"));
        let found = checked(&place, &files);
        assert!(!found.ok);
        assert!(found.diagnostics.iter().any(|d| d.code == "tests/missing-kind" && d.severity == Severity::Error));
    }

    #[test]
    fn a_bad_policy_and_a_bad_suite_are_errors() {
        let place = example("support-desk");
        for (path, text) in [
            ("mortise/policies/x.cedar", "@id(\"x\")\n@decison(\"ask\")\nforbid (principal, action, resource);\n"),
            ("mortise/tests/x.yaml", "suite: x\nagent: nobody\ncases: []\n"),
            ("mortise/tests/x.yaml", "suite: [\n"),
            ("mortise/agents/support-bot.toml", "x = 1\n"),
        ] {
            let mut files = Files::read(&place.root).unwrap();
            files.texts.insert(path.to_owned(), text.to_owned());
            assert!(!checked(&place, &files).ok, "{path}: {text}");
        }
    }
}
