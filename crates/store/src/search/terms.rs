//! What an event can be found by.

use vocab::Event;

/// Longest value that is kept, in bytes: longer ones are found by their beginning.
const MAX_VALUE_BYTES: usize = 4096;

/// What a value is. The numbers are kept in the index: another meaning is another schema version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Field {
    /// Everything that is an event, or a call.
    Any = 0,
    Kind = 1,
    Agent = 2,
    User = 3,
    Session = 4,
    Run = 5,
    Tenant = 6,
    Server = 7,
    Tool = 8,
    /// `server/tool`, as listings show it.
    Action = 9,
    Verdict = 10,
    Outcome = 11,
    Rule = 12,
    Model = 13,
    Label = 14,
    Tier = 15,
    Effect = 16,
    Mode = 17,
    Approver = 18,
    Approval = 19,
    /// Only for its words.
    Text = 20,
}

impl Field {
    /// Whether its values are found by their words. They are our own words and names, never arguments.
    pub(super) fn has_words(self) -> bool {
        matches!(self, Self::Text | Self::Tool | Self::Rule | Self::Agent | Self::Server)
    }

    pub(super) fn number(self) -> i64 {
        i64::from(self as u8)
    }
}

/// Everything an event can be found by, except its index, time and call.
pub(super) fn of(event: &Event<'_>, mut take: impl FnMut(Field, &str)) {
    take(Field::Any, "");
    take(Field::Kind, event.kind.as_str());
    take(Field::Tenant, &event.tenant);
    for (field, value) in [
        (Field::Agent, &event.agent),
        (Field::User, &event.user),
        (Field::Session, &event.session),
        (Field::Run, &event.run),
        (Field::Server, &event.server),
        (Field::Tool, &event.tool_name),
        (Field::Model, &event.model_id),
        (Field::Approver, &event.approver),
        (Field::Approval, &event.approval),
        (Field::Text, &event.text),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            take(field, clip(value));
        }
    }
    if let (Some(server), Some(tool)) = (&event.server, &event.tool_name) {
        take(Field::Action, clip(&action(server, tool)));
    }
    for (field, word) in [
        (Field::Verdict, event.decision.map(vocab::Verdict::as_str)),
        (Field::Outcome, event.outcome.map(vocab::event::Outcome::as_str)),
        (Field::Tier, event.tier.map(vocab::Tier::as_str)),
        (Field::Effect, event.effect.map(vocab::Effect::as_str)),
        (Field::Mode, event.mode.map(vocab::Mode::as_str)),
    ] {
        if let Some(word) = word {
            take(field, word);
        }
    }
    if let Some(labels) = &event.labels {
        labels.confidentiality.iter().for_each(|label| take(Field::Label, label.as_str()));
        take(Field::Label, labels.integrity.as_str());
    }
    for reason in event.reasons.iter() {
        take(Field::Rule, clip(reason.rule.as_str()));
        if let Some(text) = reason.text.as_deref() {
            take(Field::Text, clip(text));
        }
    }
    event.permits.iter().for_each(|rule| take(Field::Rule, clip(rule.as_str())));
    event.would.iter().for_each(|would| take(Field::Rule, clip(would.rule.as_str())));
    for fault in event.faults.iter() {
        take(Field::Text, clip(&fault.text));
    }
}

/// How listings write a tool: `server/tool`, and `server#method` where it is another decided operation.
#[must_use]
pub fn action(server: &str, tool: &str) -> String {
    if tool.contains('/') { format!("{server}#{tool}") } else { format!("{server}/{tool}") }
}

/// As much of a value as is kept.
pub(super) fn clip(value: &str) -> &str {
    value.get(..value.floor_char_boundary(MAX_VALUE_BYTES)).unwrap_or(value)
}
