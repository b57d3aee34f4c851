//! Cedar's strict validator, with its warnings sorted into what refuses a set and what does not.

use super::parse::{Parsed, placed};
use crate::rule::Rule;
use crate::schema::INERT_ACTION;
use cedar_policy::{PolicyId, PolicySet, Schema, ValidationError, ValidationMode, ValidationWarning, Validator};
use std::collections::HashMap;
use vocab::{Diagnostic, Severity};

/// Validates all rules together.
pub(crate) fn validate(schema: &Schema, loaded: &[(Parsed, Rule)], diagnostics: &mut Vec<Diagnostic>) {
    let mut policies = PolicySet::new();
    let mut by_id: HashMap<PolicyId, &(Parsed, Rule)> = HashMap::new();
    for entry in loaded {
        by_id.insert(entry.0.policy.id().clone(), entry);
        if let Err(error) = policies.add(entry.0.policy.clone()) {
            diagnostics.push(entry.0.error("policy/duplicate-id", error.to_string()));
        }
    }
    let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
    let mut found = Vec::new();
    for error in result.validation_errors() {
        // Names that nothing has are reported with their place already.
        if matches!(error, ValidationError::UnrecognizedActionId(_)) {
            continue;
        }
        let entry = by_id.get(error.policy_id());
        found.push(diagnostic(Severity::Error, "policy/invalid", &error.to_string(), entry, error));
    }
    for warning in result.validation_warnings() {
        let entry = by_id.get(warning.policy_id());
        let shipped = entry.is_some_and(|(_, rule)| rule.shipped);
        let (severity, code) = match warning {
            ValidationWarning::ImpossiblePolicy(_) => (Severity::Error, IMPOSSIBLE),
            ValidationWarning::InvalidActionApplication(_) if shipped => (Severity::Info, INAPPLICABLE),
            ValidationWarning::InvalidActionApplication(_) => (Severity::Error, INAPPLICABLE),
            _ => (Severity::Warning, "policy/suspicious-text"),
        };
        found.push(diagnostic(severity, code, &warning.to_string(), entry, warning));
    }
    let known: Vec<&Diagnostic> =
        diagnostics.iter().chain(&found).filter(|other| other.severity == Severity::Error).collect();
    let explained = |diagnostic: &Diagnostic| {
        // A rule with another error often cannot match either; the other says why.
        let is_inside = |other: &&Diagnostic| {
            !ABOUT_MATCHING.contains(&other.code)
                && other.file == diagnostic.file
                && by_id.values().any(|(parsed, _)| {
                    let holds = |at: Option<(usize, usize)>| {
                        at.is_some_and(|at| parsed.span.0 <= at.0 && at.1 <= parsed.span.1)
                    };
                    *parsed.file == *other.file && holds(other.span) && holds(diagnostic.span)
                })
        };
        ABOUT_MATCHING.contains(&diagnostic.code) && known.iter().any(is_inside)
    };
    let kept: Vec<Diagnostic> = found.iter().filter(|diagnostic| !explained(diagnostic)).cloned().collect();
    diagnostics.extend(one_per_place(kept));
}

const IMPOSSIBLE: &str = "policy/impossible";
const INAPPLICABLE: &str = "policy/inapplicable";
const ABOUT_MATCHING: [&str; 2] = [IMPOSSIBLE, INAPPLICABLE];

/// Cedar checks a rule once per tool in its scope and says the same once per tool: one of them is enough, and best
/// one that names a tool the reader knows.
fn one_per_place(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let names_inert = |diagnostic: &Diagnostic| diagnostic.message.contains(INERT_ACTION);
    let mut kept: Vec<(Diagnostic, usize)> = Vec::new();
    for diagnostic in found {
        let same_place = |(other, _): &&mut (Diagnostic, usize)| {
            let same_code = other.code == diagnostic.code
                || ABOUT_MATCHING.contains(&other.code) && ABOUT_MATCHING.contains(&diagnostic.code);
            (&other.file, other.span, other.severity) == (&diagnostic.file, diagnostic.span, diagnostic.severity)
                && same_code
        };
        match kept.iter_mut().find(same_place) {
            None => kept.push((diagnostic, 0)),
            Some((other, more)) => {
                *more += 1;
                if names_inert(other) || diagnostic.code == IMPOSSIBLE {
                    *other = diagnostic;
                }
            }
        }
    }
    let tidy = |(mut diagnostic, more): (Diagnostic, usize)| {
        if names_inert(&diagnostic) {
            diagnostic.message =
                diagnostic.message.replace(&format!("Action::\"{INERT_ACTION}\""), "a tool of this scope");
            let help = "say first that the call has it, for example `context.args has name && ...`: a group can get tools without it";
            diagnostic.help.get_or_insert_with(|| help.to_owned());
        } else if more > 0 && diagnostic.code == "policy/invalid" {
            diagnostic.message = format!("{} (and the like for other tools in scope)", diagnostic.message);
        }
        diagnostic
    };
    kept.into_iter().map(tidy).collect()
}

fn diagnostic(
    severity: Severity,
    code: &'static str,
    message: &str,
    entry: Option<&&(Parsed, Rule)>,
    error: &dyn miette::Diagnostic,
) -> Diagnostic {
    let file = entry.map_or("", |(parsed, _)| &*parsed.file);
    // Cedar writes "for policy `id`, ..." before each: the place says that already.
    let message = match entry {
        Some((_, rule)) => message.strip_prefix(&format!("for policy `{}`, ", rule.id)).unwrap_or(message),
        None => message,
    };
    let diagnostic = Diagnostic { severity, ..Diagnostic::error(code, file, message) };
    let diagnostic = match entry {
        Some((parsed, _)) => {
            let head = parsed.error(code, "").span.unwrap_or(parsed.span);
            placed(diagnostic.at(&parsed.source, head), error, &parsed.source)
        }
        None => diagnostic,
    };
    match (code, &diagnostic.help) {
        (IMPOSSIBLE, None) => {
            diagnostic.with_help("no call can match this rule: look at its tools, names and conditions, or delete it")
        }
        _ => diagnostic,
    }
}
