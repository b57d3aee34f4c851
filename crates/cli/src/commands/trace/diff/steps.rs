//! The calls of one side, in order of arrival.

use crate::failure::Failure;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;
use store::LogReader;
use vocab::event::{Kind, Outcome};
use vocab::{Event, Exit, Verdict};

/// Most calls of one side: some tens of megabytes. A log with more is compared session by session.
const MAX_STEPS: usize = 100_000;

/// Which calls: those of a session or run of this name, or all.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a>(pub Option<&'a str>);

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Step {
    /// Its id.
    pub call: String,
    /// What was called.
    pub action: String,
    /// Keyed hash of its arguments.
    pub args_hash: String,
    /// The first decision.
    pub verdict: Option<Verdict>,
    /// The rule that decided.
    pub rule: String,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Labels of the session after it.
    pub labels: String,
    /// The model that answers for the agent.
    pub model: String,
    /// Microseconds spent deciding.
    pub latency_us: Option<u64>,
}

impl Step {
    /// The verdict as a word.
    pub fn verdict(&self) -> &'static str {
        self.verdict.map_or("", Verdict::as_str)
    }

    /// The outcome as a word.
    pub fn outcome(&self) -> &'static str {
        self.outcome.map_or("", Outcome::as_str)
    }

    fn take(&mut self, event: &Event<'_>) {
        match event.kind {
            Kind::PolicyDecision if self.verdict.is_none() => {
                self.verdict = event.decision;
                self.latency_us = event.latency_us;
                let leading = event.reasons.iter().find(|reason| reason.discharged_by.is_none());
                let rule = leading.map(|reason| &reason.rule).or_else(|| event.permits.first());
                self.rule = rule.map(ToString::to_string).unwrap_or_default();
                if event.decision == Some(Verdict::Deny) {
                    self.outcome = Some(Outcome::Refused);
                }
            }
            Kind::ToolResult => {
                self.outcome = event.outcome;
                if let Some(labels) = &event.labels {
                    let words = labels.confidentiality.iter().map(|label| label.as_str());
                    let words: Vec<&str> = std::iter::once(labels.integrity.as_str()).chain(words).collect();
                    self.labels = words.join(" ");
                }
            }
            Kind::ApprovalDenied => self.outcome = Some(Outcome::Refused),
            Kind::ApprovalExpired => self.outcome = Some(Outcome::Expired),
            _ => {}
        }
    }
}

/// Reads them.
pub fn read(log: &Path, of: Of<'_>) -> Result<Vec<Step>, Failure> {
    let reader = LogReader::open(log)?;
    let (mut steps, mut places) = (Vec::new(), HashMap::new());
    for record in reader.iter_from(0) {
        let record = record?;
        let Ok(event) = Event::from_bytes(&record.bytes) else { continue };
        let Some(call) = event.call.as_deref().filter(|_| of.is(&event)) else { continue };
        let place = match places.get(call) {
            Some(place) => *place,
            None if steps.len() >= MAX_STEPS => {
                return Err(Failure::new(Exit::Budget, format!("more than {MAX_STEPS} calls on one side"))
                    .with_help("compare session with session"));
            }
            None => {
                places.insert(call.to_owned(), steps.len());
                steps.push(step(call, &event));
                steps.len() - 1
            }
        };
        if let Some(step) = steps.get_mut(place) {
            step.take(&event);
        }
    }
    Ok(steps)
}

impl Of<'_> {
    fn is(self, event: &Event<'_>) -> bool {
        self.0.is_none_or(|name| event.session.as_deref() == Some(name) || event.run.as_deref() == Some(name))
    }
}

fn step(call: &str, event: &Event<'_>) -> Step {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
    let (server, tool) = (text(&event.server), text(&event.tool_name));
    Step {
        call: call.to_owned(),
        action: if tool.contains('/') { format!("{server}#{tool}") } else { format!("{server}/{tool}") },
        args_hash: text(&event.args_hash),
        model: text(&event.model_id),
        ..Step::default()
    }
}
