//! What an edit of one agent's file does.

use super::Change;
use crate::project::{Agent, Limits, Privileges, ToolPattern};
use std::collections::BTreeSet;
use std::fmt::Display;

/// Compares two versions of one agent.
pub(super) fn compare(old: &Agent, new: &Agent) -> Change {
    let mut edit = Edit { agent: old.id.as_str(), change: Change::default() };
    edit.tools(&old.privileges.tools, &new.privileges.tools);
    edit.set("the resources of", old.privileges.resources.iter(), new.privileges.resources.iter());
    edit.set("the prompt", old.privileges.prompts.iter(), new.privileges.prompts.iter());
    let requests = |of: &Agent| -> Vec<String> {
        let name = |(server, request): &(vocab::id::ServerId, crate::project::ClientRequest)| {
            format!("{server}{}", request.operation().suffix())
        };
        of.privileges.client_requests.iter().map(name).collect()
    };
    edit.set("the client request", requests(old).iter(), requests(new).iter());
    edit.set("the privilege to ask for", old.may_request.iter(), new.may_request.iter());
    edit.mode(old, new);
    edit.limits(&old.limits, &new.limits);
    if rest(old) != rest(new) {
        edit.loosens("is described differently");
    }
    edit.change
}

/// The agent without what is compared piece by piece: any difference left here waits.
fn rest(agent: &Agent) -> Agent {
    let models = agent.privileges.models.clone();
    Agent {
        privileges: Privileges { models, ..Privileges::default() },
        may_request: BTreeSet::new(),
        mode: vocab::Mode::default(),
        limits: Limits::default(),
        ..agent.clone()
    }
}

struct Edit<'a> {
    agent: &'a str,
    change: Change,
}

impl Edit<'_> {
    fn loosens(&mut self, what: &str) {
        self.change.loosens.push(format!("`{}` {what}", self.agent));
    }

    fn tightens(&mut self, what: &str) {
        self.change.tightens.push(format!("`{}` {what}", self.agent));
    }

    /// A tool replacing a wildcard that covers it is less, not more.
    fn tools(&mut self, old: &BTreeSet<ToolPattern>, new: &BTreeSet<ToolPattern>) {
        let covered = |by: &BTreeSet<ToolPattern>, tool: &ToolPattern| by.iter().any(|pattern| pattern.covers(tool));
        for tool in new.iter().filter(|tool| !covered(old, tool)) {
            self.loosens(&format!("gains the tool `{tool}`"));
        }
        for tool in old.iter().filter(|tool| !covered(new, tool)) {
            self.tightens(&format!("loses the tool `{tool}`"));
        }
    }

    fn set<T: Ord + Display>(&mut self, what: &str, old: impl Iterator<Item = T>, new: impl Iterator<Item = T>) {
        let (old, new): (BTreeSet<T>, BTreeSet<T>) = (old.collect(), new.collect());
        for gained in new.difference(&old) {
            self.loosens(&format!("gains {what} `{gained}`"));
        }
        for lost in old.difference(&new) {
            self.tightens(&format!("loses {what} `{lost}`"));
        }
    }

    /// Modes are ordered from observe to enforce.
    fn mode(&mut self, old: &Agent, new: &Agent) {
        let what = format!("goes from mode {} to {}", old.mode.as_str(), new.mode.as_str());
        match new.mode.cmp(&old.mode) {
            std::cmp::Ordering::Less => self.loosens(&what),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => self.tightens(&what),
        }
    }

    fn limits(&mut self, old: &Limits, new: &Limits) {
        self.limit("all tools", old.calls_per_minute, new.calls_per_minute);
        let tools: BTreeSet<_> = old.tools.keys().chain(new.tools.keys()).collect();
        for tool in tools {
            self.limit(&format!("`{tool}`"), old.tools.get(tool).copied(), new.tools.get(tool).copied());
        }
    }

    /// No limit is the highest.
    fn limit(&mut self, of: &str, old: Option<u32>, new: Option<u32>) {
        let rank = |limit: Option<u32>| limit.map_or(u64::MAX, u64::from);
        match rank(new).cmp(&rank(old)) {
            std::cmp::Ordering::Less => self.tightens(&format!("may call {of} less often")),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => self.loosens(&format!("may call {of} more often")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::AGENT;

    fn agent(rest: &str) -> Agent {
        let text = format!("{}{rest}", AGENT.replace("high", "low"));
        crate::project::agent::parse("mortise/agents/bot.toml", &text).unwrap().0
    }

    fn edit(old: &str, new: &str) -> (usize, usize) {
        let change = compare(&agent(old), &agent(new));
        (change.loosens.len(), change.tightens.len())
    }

    #[test]
    fn each_way_to_tighten_and_its_opposite() {
        for (more, less) in [
            ("tools = ['d/a', 'd/b']", "tools = ['d/a']"),
            ("tools = ['d/*']", "tools = ['d/a']"),
            ("tools = ['d/*']", ""),
            ("resources = ['d']", ""),
            ("prompts = ['d/p']", ""),
            ("client_requests = ['d#roots']", ""),
            ("may_request = ['d/a']", ""),
            ("mode = 'observe'", "mode = 'shadow'"),
            ("mode = 'shadow'", ""),
            ("limits.calls_per_minute = 5", "limits.calls_per_minute = 4"),
            ("", "limits.calls_per_minute = 4"),
            ("[limits.tools]\n'd/a' = 2", "[limits.tools]\n'd/a' = 1"),
            ("", "[limits.tools]\n'd/a' = 1"),
        ] {
            assert_eq!(edit(more, less), (0, 1), "{more} -> {less}");
            assert_eq!(edit(less, more), (1, 0), "{less} -> {more}");
            assert_eq!(edit(more, more), (0, 0), "{more}");
        }
    }

    #[test]
    fn everything_else_waits_in_both_directions() {
        for other in [
            "models = ['a/b']",
            "parents = ['x']",
            "team = 't'",
            "classes = ['c']",
            "env = 'dev'",
            "model = 'm'",
            "model_version = '2'",
            "user = 'ada'",
        ] {
            assert_eq!((edit("", other), edit(other, "")), ((1, 0), (1, 0)), "{other}");
        }
    }

    #[test]
    fn swapping_a_tool_does_both() {
        assert_eq!(edit("tools = ['d/a']", "tools = ['d/b']"), (1, 1));
        assert_eq!(edit("tools = ['d/*', 'd/a']", "tools = ['d/*']"), (0, 0));
    }
}
