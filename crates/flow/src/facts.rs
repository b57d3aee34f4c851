//! The counters of one session.
//!
//! A call is *begun* before it is decided, so that it counts itself ("at most 5 per minute" is `rate <= 5`) and so that
//! calls decided at the same time see each other. It ends once, through [`SessionFacts::end_call`] or
//! [`SessionFacts::deny`]. A refused call stays counted: trying is doing.

use std::collections::BTreeMap;

use vocab::Label;
use vocab::id::ServerId;

use crate::labels::Labels;
use crate::window::Window;

/// Tools counted apart. All further ones share one set of counters, which is then too high for each of them.
pub const MAX_TOOLS: usize = 256;

/// Bytes of a tool's name (`server/tool`) that is remembered. One with a longer name shares the counters too.
pub const MAX_TOOL_BYTES: usize = 260;

/// What is known about a session. At most about 150 KiB, when all [`MAX_TOOLS`] are in use.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    started_us: u64,
    last_seen_us: u64,
    denials: u64,
    all: ToolFacts,
    tools: BTreeMap<Box<str>, ToolFacts>,
    /// The shared counters of all tools beyond the bound.
    rest: ToolFacts,
    labels: Labels,
}

/// The span of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// The last minute.
    PerMinute,
    /// The last hour.
    PerHour,
}

/// The counters of one tool, or of all.
#[derive(Debug, Clone)]
pub struct ToolFacts {
    calls: u64,
    in_flight: u64,
    validation_failures: u64,
    minute: Window,
    hour: Window,
}

impl SessionFacts {
    /// The facts of a session that starts now.
    #[must_use]
    pub const fn new(now_us: u64) -> Self {
        Self {
            started_us: now_us,
            last_seen_us: now_us,
            denials: 0,
            all: ToolFacts::new(),
            tools: BTreeMap::new(),
            rest: ToolFacts::new(),
            labels: Labels::nothing_seen(),
        }
    }

    /// A call arrived, and is about to be decided.
    pub fn begin_call(&mut self, tool: &str, now_us: u64) {
        self.see(now_us);
        self.all.begin(now_us);
        self.tool_mut(tool).begin(now_us);
    }

    /// A begun call is over: answered, failed or given up.
    pub fn end_call(&mut self, tool: &str, now_us: u64) {
        self.see(now_us);
        self.all.end();
        self.tool_mut(tool).end();
    }

    /// A begun call is over because it was refused.
    pub fn deny(&mut self, tool: &str, now_us: u64) {
        self.denials = self.denials.saturating_add(1);
        self.end_call(tool, now_us);
    }

    /// The arguments of a call did not fit the tool's schema.
    pub fn validation_failed(&mut self, tool: &str) {
        self.all.fail_validation();
        self.tool_mut(tool).fail_validation();
    }

    /// The arguments of a call fitted the schema: failures before it no longer say that the agent is uncertain.
    pub fn validated(&mut self, tool: &str) {
        self.tool_mut(tool).validation_failures = 0;
    }

    /// A refusal that was counted before, as a log tells it.
    pub fn count_denial(&mut self) {
        self.denials = self.denials.saturating_add(1);
    }

    /// Something with these labels was shown to the agent.
    pub fn absorb(&mut self, seen: &Labels) {
        self.labels.join(seen);
    }

    /// An output of one server with this label was shown to the agent.
    pub fn see_output(&mut self, label: Label, source: &ServerId) {
        self.labels.add(label, source);
    }

    /// The counters over all tools.
    #[must_use]
    pub const fn all(&self) -> &ToolFacts {
        &self.all
    }

    /// The counters of one tool; the shared ones if it is, or would be, one too many.
    #[must_use]
    pub fn tool(&self, tool: &str) -> &ToolFacts {
        const UNUSED: &ToolFacts = &ToolFacts::new();
        match self.tools.get(tool) {
            Some(facts) => facts,
            None if self.has_room_for(tool) => UNUSED,
            None => &self.rest,
        }
    }

    /// Calls begun.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.all.calls
    }

    /// Calls refused.
    #[must_use]
    pub const fn denials(&self) -> u64 {
        self.denials
    }

    /// What the session has seen.
    #[must_use]
    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// When the session started.
    #[must_use]
    pub const fn started_us(&self) -> u64 {
        self.started_us
    }

    /// The latest time at which a call began or ended.
    #[must_use]
    pub const fn last_seen_us(&self) -> u64 {
        self.last_seen_us
    }

    /// Since when nothing has happened; `None` while a call is in flight, which is not idling however long it takes.
    #[must_use]
    pub const fn idle_since(&self) -> Option<u64> {
        if self.all.in_flight > 0 { None } else { Some(self.last_seen_us) }
    }

    fn see(&mut self, now_us: u64) {
        self.last_seen_us = self.last_seen_us.max(now_us);
    }

    fn tool_mut(&mut self, tool: &str) -> &mut ToolFacts {
        // INVARIANT: tools never leave the map, so a tool that shares counters shares them for good, and a call ends
        // in the counters it began in.
        // Known in all but the first call, which alone has to keep the name.
        if self.has_room_for(tool) && !self.tools.contains_key(tool) {
            return self.tools.entry(tool.into()).or_insert_with(ToolFacts::new);
        }
        self.tools.get_mut(tool).unwrap_or(&mut self.rest)
    }

    fn has_room_for(&self, tool: &str) -> bool {
        self.tools.len() < MAX_TOOLS && tool.len() <= MAX_TOOL_BYTES
    }
}

impl ToolFacts {
    const fn new() -> Self {
        Self { calls: 0, in_flight: 0, validation_failures: 0, minute: Window::minute(), hour: Window::hour() }
    }

    /// Calls begun.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Calls begun and not over.
    #[must_use]
    pub const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Calls in a row whose arguments did not fit the schema (of one tool); all such calls (over all tools).
    #[must_use]
    pub const fn validation_failures(&self) -> u64 {
        self.validation_failures
    }

    /// Calls begun within the span. Never fewer than are in flight: one that outlasts the span still counts.
    #[must_use]
    pub fn rate(&self, rate: Rate, now_us: u64) -> u64 {
        let window = match rate {
            Rate::PerMinute => &self.minute,
            Rate::PerHour => &self.hour,
        };
        window.count(now_us).max(self.in_flight)
    }

    fn begin(&mut self, now_us: u64) {
        self.calls = self.calls.saturating_add(1);
        self.in_flight = self.in_flight.saturating_add(1);
        self.minute.hit(now_us);
        self.hour.hit(now_us);
    }

    const fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    const fn fail_validation(&mut self) {
        self.validation_failures = self.validation_failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vocab::id::ServerId;
    use vocab::{Integrity, Label};

    const MINUTE: u64 = 60 * 1_000_000;

    #[test]
    fn a_call_counts_from_its_beginning() {
        let mut facts = SessionFacts::new(5);
        facts.begin_call("desk/send", 10);
        assert_eq!((facts.calls(), facts.all().in_flight(), facts.tool("desk/send").in_flight()), (1, 1, 1));
        assert_eq!(facts.tool("desk/send").rate(Rate::PerMinute, 10), 1);
        assert_eq!(facts.idle_since(), None);
        facts.deny("desk/send", 20);
        assert_eq!((facts.calls(), facts.denials(), facts.all().in_flight()), (1, 1, 0));
        assert_eq!((facts.started_us(), facts.last_seen_us(), facts.idle_since()), (5, 20, Some(20)));
        assert_eq!(facts.tool("desk/read").calls(), 0);
    }

    #[test]
    fn a_long_call_counts_while_it_lasts() {
        let mut facts = SessionFacts::new(0);
        facts.begin_call("desk/run", 0);
        assert_eq!(facts.tool("desk/run").rate(Rate::PerMinute, 10 * MINUTE), 1);
        facts.end_call("desk/run", 10 * MINUTE);
        assert_eq!(facts.tool("desk/run").rate(Rate::PerMinute, 10 * MINUTE), 0);
        assert_eq!(facts.tool("desk/run").rate(Rate::PerHour, 10 * MINUTE), 1);
    }

    #[test]
    fn tools_beyond_the_bound_share_the_worst() {
        let mut facts = SessionFacts::new(0);
        for n in 0..MAX_TOOLS {
            facts.begin_call(&format!("desk/{n}"), 0);
        }
        assert_eq!(facts.tool("desk/0").calls(), 1);
        assert_eq!(facts.tool("late/a").calls(), 0);
        facts.begin_call("late/a", 0);
        facts.begin_call("late/b", 0);
        facts.validation_failed("late/c");
        for tool in ["late/a", "late/b", "never/called"] {
            assert_eq!((facts.tool(tool).calls(), facts.tool(tool).validation_failures()), (2, 1), "{tool}");
        }
        facts.end_call("late/a", 0);
        assert_eq!(facts.tool("late/b").in_flight(), 1);
        assert_eq!(facts.tool("desk/0").calls(), 1);
        assert_eq!(facts.tools.len(), MAX_TOOLS);
    }

    #[test]
    fn long_names_share_too() {
        let mut facts = SessionFacts::new(0);
        facts.begin_call(&"t".repeat(MAX_TOOL_BYTES), 0);
        assert_eq!(facts.tools.len(), 1);
        facts.begin_call(&"t".repeat(MAX_TOOL_BYTES + 1), 0);
        assert_eq!(facts.tools.len(), 1);
        assert_eq!(facts.tool(&"u".repeat(MAX_TOOL_BYTES + 1)).calls(), 1);
    }

    #[test]
    fn labels_stick() {
        let mut facts = SessionFacts::new(0);
        facts.absorb(&Labels::of(Label::default(), ServerId::new("web")));
        facts.absorb(&Labels::nothing_seen());
        assert_eq!(facts.labels().integrity, Integrity::ThirdParty);
    }

    #[test]
    fn nothing_overflows_or_goes_below_zero() {
        let mut facts = SessionFacts::new(u64::MAX);
        facts.denials = u64::MAX;
        facts.all.calls = u64::MAX;
        facts.begin_call("a/b", 0);
        facts.deny("a/b", 0);
        facts.deny("a/b", 0);
        assert_eq!((facts.calls(), facts.denials(), facts.all().in_flight()), (u64::MAX, u64::MAX, 0));
        assert_eq!(facts.last_seen_us(), u64::MAX);
    }

    proptest! {
        #[test]
        fn in_flight_is_what_began_and_did_not_end(ends in proptest::collection::vec((0..4_u8, any::<bool>(), any::<u32>()), 0..60)) {
            let mut facts = SessionFacts::new(0);
            let (mut open, mut calls, mut denials) = (Vec::new(), 0, 0);
            for (tool, deny, now) in ends {
                let tool = format!("desk/{tool}");
                if open.len() < 3 {
                    facts.begin_call(&tool, u64::from(now));
                    open.push(tool);
                    calls += 1;
                } else {
                    let tool = open.remove(0);
                    if deny {
                        facts.deny(&tool, u64::from(now));
                        denials += 1;
                    } else {
                        facts.end_call(&tool, u64::from(now));
                    }
                }
                let in_flight: u64 = (0..4).map(|n| facts.tool(&format!("desk/{n}")).in_flight()).sum();
                prop_assert_eq!(in_flight, open.len() as u64);
                prop_assert_eq!(facts.all().in_flight(), open.len() as u64);
                prop_assert_eq!((facts.calls(), facts.denials()), (calls, denials));
            }
        }
    }
}
