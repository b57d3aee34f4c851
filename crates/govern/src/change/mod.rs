//! Does an edit loosen anything? The rule is syntactic and errs on one side: what is not known to tighten loosens.
//!
//! Guards added or raised, permit rules, tools and `may_request` removed, limits lowered and modes moved towards enforce
//! tighten. Everything else loosens, new files included. Comments and formatting are no change.

mod agents;
mod keys;

use crate::project::files::{Files, Part};
use crate::project::{Agent, agent};
use keys::Values;
use std::collections::BTreeSet;

/// What an edit does. Both empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What must wait for a person.
    pub loosens: Vec<String>,
    /// What may apply at once.
    pub tightens: Vec<String>,
}

impl Change {
    /// Whether the two configurations mean the same.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.loosens.is_empty() && self.tightens.is_empty()
    }

    /// Whether it must wait for a person.
    #[must_use]
    pub fn must_wait(&self) -> bool {
        !self.loosens.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.loosens.extend(other.loosens);
        self.tightens.extend(other.tightens);
    }
}

/// What going from one snapshot to another does.
#[must_use]
pub fn compare(old: &Files, new: &Files) -> Change {
    let mut change = Change::default();
    let paths: BTreeSet<&str> = old.in_force().chain(new.in_force()).map(|(path, _)| path).collect();
    for path in paths {
        let (before, after) = (old.text(path), new.text(path));
        if before != after && Part::of(path) != Some(Part::Policy) {
            change.add(file(path, before, after));
        }
    }
    change.add(policies(old, new));
    change
}

fn file(path: &str, before: Option<&str>, after: Option<&str>) -> Change {
    let (Some(before), Some(after)) = (before, after) else {
        let what = if before.is_none() { "is new" } else { "is gone" };
        return loosens(format!("`{path}` {what}"));
    };
    let differs = || vec![format!("`{path}` differs")];
    let loosens = match Part::of(path) {
        Some(Part::Agent) => return agents(path, before, after),
        Some(Part::Settings) => keys::compare(path, before, after, Values::Shown).unwrap_or_else(differs),
        Some(Part::Server | Part::Grant) => keys::compare(path, before, after, Values::Hidden).unwrap_or_else(differs),
        Some(Part::Lock) if same_json(before, after) => Vec::new(),
        _ => differs(),
    };
    Change { loosens, tightens: Vec::new() }
}

fn agents(path: &str, before: &str, after: &str) -> Change {
    let read = |text| agent::parse(path, text).ok().map(|(agent, _): (Agent, _)| agent);
    match (read(before), read(after)) {
        (Some(before), Some(after)) => agents::compare(&before, &after),
        _ => loosens(format!("`{path}` cannot be compared")),
    }
}

fn policies(old: &Files, new: &Files) -> Change {
    let (old, new) = (crate::project::sources(old), crate::project::sources(new));
    if old == new {
        return Change::default();
    }
    let change = policy::tightening(&old, &new);
    Change { loosens: change.loosens, tightens: change.tightens }
}

fn same_json(before: &str, after: &str) -> bool {
    let read = |text: &str| canon::json::parse(text.as_bytes(), &canon::json::Limits::default()).ok();
    let text = |text: &str| read(text).map(|value| canon::json::canonical(&value));
    text(before).is_some_and(|before| Some(before) == text(after))
}

fn loosens(what: String) -> Change {
    Change { loosens: vec![what], tightens: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::{AGENT, SERVER, lock, put, sample};
    use crate::project::{LOCK, SETTINGS};
    use proptest::prelude::*;

    fn edited(path: &str, text: &str) -> Change {
        let mut files = sample();
        put(&mut files, path, text);
        compare(&sample(), &files)
    }

    #[test]
    fn identical_is_no_change() {
        assert!(compare(&sample(), &sample()).is_none());
    }

    #[test]
    fn comments_and_formatting_are_no_change() {
        assert!(edited(SETTINGS, "# a comment\n\n[gateway]\n").must_wait(), "an empty table is a difference");
        assert!(edited(SETTINGS, "# a comment\n").is_none());
        assert!(edited("mortise/tools/desk.toml", "start = { command = 'mortise' } # inline\n").is_none());
        let agent = format!("# why\n{AGENT}\ntools = [\n  'desk/close',\n]\nmode = \"enforce\"\n");
        assert!(edited("mortise/agents/bot.toml", &agent).is_none());
        let compact = lock(&["close", "search", "try_close"]).replace("  ", "");
        assert!(edited(LOCK, &compact).is_none());
    }

    #[test]
    fn everything_that_is_not_known_to_tighten_loosens() {
        for (path, text) in [
            (SETTINGS, "[ask]\nhold_s = 1\n"),
            (SETTINGS, "[sinks.soc]\nkind = \"webhook\"\nurl = \"https://c.example/\"\n"),
            (LOCK, &lock(&["close"])),
            ("mortise/tools/desk.toml", &format!("{SERVER}call_timeout_s = 1\n")),
            ("mortise/tools/shop.toml", SERVER),
            ("mortise/agents/eve.toml", AGENT),
            ("mortise/grants/g.toml", ""),
            ("mortise/invariants/i.cedar", ""),
            ("mortise/evals.lock", "x"),
            ("mortise/agents/bot.toml", "not toml"),
        ] {
            let change = edited(path, text);
            assert!(change.must_wait() && change.tightens.is_empty(), "{path}: {change:?}");
            let mut files = sample();
            put(&mut files, path, text);
            assert!(compare(&files, &sample()).must_wait(), "{path} undone");
        }
    }

    #[test]
    fn policies_are_compared_rule_by_rule() {
        let permit = "// why\n@id(\"all\")\npermit (principal, action, resource);\n";
        assert!(edited("mortise/policies/a.cedar", permit).is_none());
        let guard = "@id(\"no\")\nforbid (principal, action, resource);\n";
        let change = edited("mortise/policies/b.cedar", guard);
        assert!(!change.must_wait() && !change.is_none(), "{change:?}");
        let more = "@id(\"more\")\npermit (principal, action, resource);\n";
        assert!(edited("mortise/policies/b.cedar", more).must_wait());
    }

    #[test]
    fn a_removed_agent_waits() {
        let mut files = sample();
        files.texts.remove("mortise/agents/bot.toml");
        assert!(compare(&sample(), &files).must_wait());
    }

    #[test]
    fn tests_are_not_in_force() {
        assert!(edited("mortise/tests/t.yaml", "x").is_none());
    }

    #[test]
    fn agents_compare_by_meaning() {
        let less = edited("mortise/agents/bot.toml", AGENT);
        assert!(!less.must_wait() && less.tightens == ["`bot` loses the tool `desk/close`"], "{less:?}");
        let more = edited("mortise/agents/bot.toml", &format!("{AGENT}tools = [\"desk/close\", \"desk/search\"]\n"));
        assert!(more.must_wait());
    }

    proptest! {
        /// Nothing may be undone for free: if there is a change, one of its two directions waits.
        #[test]
        fn a_change_and_its_undoing_never_both_apply_at_once(a in agent_text(), b in agent_text()) {
            let (mut old, mut new) = (sample(), sample());
            put(&mut old, "mortise/agents/bot.toml", &a);
            put(&mut new, "mortise/agents/bot.toml", &b);
            let (there, back) = (compare(&old, &new), compare(&new, &old));
            prop_assert_eq!(there.is_none(), back.is_none());
            prop_assert!(there.is_none() || there.must_wait() || back.must_wait());
        }

        /// Two tightenings after one another are a tightening.
        #[test]
        fn tightening_is_transitive(a in agent_text(), b in agent_text(), c in agent_text()) {
            let files = |text: &str| { let mut files = sample(); put(&mut files, "mortise/agents/bot.toml", text); files };
            let (a, b, c) = (files(&a), files(&b), files(&c));
            if !compare(&a, &b).must_wait() && !compare(&b, &c).must_wait() {
                prop_assert!(!compare(&a, &c).must_wait());
            }
        }
    }

    prop_compose! {
        fn agent_text()(
            tools in proptest::sample::subsequence(vec!["desk/close", "desk/search", "desk/*"], 0..=3),
            may in proptest::sample::subsequence(vec!["desk/search", "desk/try_close"], 0..=2),
            mode in proptest::sample::select(vec!["observe", "shadow", "enforce"]),
            all in proptest::option::of(1_u32..4),
            one in proptest::option::of(1_u32..4),
        ) -> String {
            let rate = |key: &str, rate: Option<u32>| rate.map_or(String::new(), |rate| format!("{key} = {rate}\n"));
            let base = AGENT.replace("high", "low");
            format!("{base}mode = \"{mode}\"\ntools = {tools:?}\nmay_request = {may:?}\n[limits]\n{}[limits.tools]\n{}",
                rate("calls_per_minute", all), rate("\"desk/close\"", one))
        }
    }
}
