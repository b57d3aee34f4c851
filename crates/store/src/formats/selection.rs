//! Which records are meant.

use vocab::Event;

/// Which events are meant. Nothing given: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only what this agent did.
    pub agent: Option<String>,
    /// From then on, microseconds since the epoch.
    pub since: Option<i64>,
    /// Before then, microseconds since the epoch.
    pub until: Option<i64>,
}

impl Selection {
    /// Whether all records are meant.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.agent.is_none() && self.since.is_none() && self.until.is_none()
    }

    /// Whether this event is meant.
    #[must_use]
    pub fn admits(&self, event: &Event) -> bool {
        self.agent.as_deref().is_none_or(|agent| event.agent.as_deref() == Some(agent))
            && self.since.is_none_or(|since| event.t >= since)
            && self.until.is_none_or(|until| event.t < until)
    }
}
