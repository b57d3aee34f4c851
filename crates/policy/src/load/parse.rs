//! One file of Cedar text, split into policies.

use crate::bundle::digest;
use crate::shapes::Source;
use cedar_policy::{ParseErrors, Policy, PolicySet};
use cedar_policy_core::est;
use std::str::FromStr;
use std::sync::Arc;
use vocab::Diagnostic;
use vocab::id::Digest;

/// One policy of a file, before its annotations are read.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) file: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) policy: Policy,
    /// Byte range in the file.
    pub(crate) span: (usize, usize),
    /// Line of its first character, from 1.
    pub(crate) line: u32,
    /// The policy as Cedar's JSON: neither comments nor layout. Of two ways to write the same, such as two `when` and
    /// one with `&&`, it is the one that Cedar evaluates.
    pub(crate) json: serde_json::Value,
    pub(crate) text: Digest,
}

impl Parsed {
    /// An error about the whole policy.
    pub(crate) fn error(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, &*self.file, message).at(&self.source, self.head())
    }

    /// An error about one annotation.
    pub(crate) fn error_at(&self, code: &'static str, key: &str, message: impl Into<String>) -> Diagnostic {
        let span = self.annotation_span(key).unwrap_or_else(|| self.head());
        Diagnostic::error(code, &*self.file, message).at(&self.source, span)
    }

    /// The policy's text.
    pub(crate) fn snippet(&self) -> &str {
        self.source.get(self.span.0..self.span.1).unwrap_or_default()
    }

    fn annotation_span(&self, key: &str) -> Option<(usize, usize)> {
        let mut annotations = self.policy.as_ref().annotations();
        let loc = annotations.find(|(name, _)| name.to_string() == key)?.1.loc.as_ref()?;
        Some((loc.start(), loc.end()))
    }

    /// The first line of the policy: enough to find it, short enough to underline.
    fn head(&self) -> (usize, usize) {
        let length = self.snippet().find('\n').unwrap_or(self.span.1.saturating_sub(self.span.0));
        (self.span.0, self.span.0 + length)
    }
}

/// Has Cedar build what it reads policies with; once built, it is there for every policy. A third of the time that a start
/// computes.
pub fn prepare() {
    drop(PolicySet::from_str(""));
}

/// Splits a file. What does not parse is reported and gives no policy.
pub(crate) fn parse(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Vec<Parsed> {
    let policies = match PolicySet::from_str(&source.text) {
        Ok(policies) => policies,
        Err(errors) => {
            diagnostics.extend(syntax(source, &errors));
            return Vec::new();
        }
    };
    for template in policies.templates() {
        let at = template.as_ref().loc().map_or((0, 0), |loc| (loc.start(), loc.end()));
        diagnostics.push(
            Diagnostic::error("policy/template", &*source.file, "a policy with `?principal` or `?resource`")
                .at(&source.text, at)
                .with_help("write one policy per principal or resource; templates cannot be analysed"),
        );
    }
    let lines: Vec<usize> = source.text.match_indices('\n').map(|(at, _)| at).collect();
    policies.policies().filter_map(|policy| parsed(source, policy, &lines, diagnostics)).collect()
}

fn parsed(source: &Source, policy: &Policy, lines: &[usize], diagnostics: &mut Vec<Diagnostic>) -> Option<Parsed> {
    let span = policy.as_ref().loc().map_or((0, source.text.len()), |loc| (loc.start(), loc.end()));
    // From the policy that was parsed: Cedar's own `to_json` would parse its text a second time.
    match serde_json::to_value(est::Policy::from(policy.as_ref().clone())) {
        Ok(json) => {
            let text = digest(&[json.to_string().as_bytes()]);
            let (file, source) = (source.file.clone(), source.text.clone());
            let before = lines.partition_point(|newline| *newline < span.0);
            let line = u32::try_from(before + 1).unwrap_or(u32::MAX);
            Some(Parsed { file, source, policy: policy.clone(), span, line, json, text })
        }
        Err(error) => {
            let diagnostic = Diagnostic::error("policy/syntax", &*source.file, error.to_string());
            diagnostics.push(diagnostic.at(&source.text, span));
            None
        }
    }
}

fn syntax(source: &Source, errors: &ParseErrors) -> Vec<Diagnostic> {
    errors
        .iter()
        .map(|error| {
            let diagnostic = Diagnostic::error("policy/syntax", &*source.file, error.to_string());
            placed(diagnostic, error, &source.text)
        })
        .collect()
}

/// Adds the place and the advice that Cedar gives.
pub(crate) fn placed(mut diagnostic: Diagnostic, error: &dyn miette::Diagnostic, text: &str) -> Diagnostic {
    if let Some(label) = error.labels().and_then(|mut labels| labels.next()) {
        diagnostic = diagnostic.at(text, (label.offset(), label.offset() + label.len()));
    }
    match error.help() {
        Some(help) => diagnostic.with_help(help.to_string()),
        None => diagnostic,
    }
}
