//! Which part of a change only tightens, and which waits for an approver.
//!
//! Syntactic and per rule, so that a person can follow it: what is not plainly a tightening counts as a loosening.

use crate::load::parse;
use crate::shapes::Source;
use cedar_policy::Effect;
use serde_json::Value;
use std::collections::BTreeMap;
use vocab::Verdict;

/// What a change of the policy files does, one sentence per rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What waits for an approver.
    pub loosens: Vec<String>,
    /// What may apply at once.
    pub tightens: Vec<String>,
}

/// Compares two sets of policy files rule by rule. Comments, layout, files and order do not matter.
#[must_use]
pub fn tightening(old: &[Source], new: &[Source]) -> Change {
    let mut change = Change::default();
    let old = rules(old, &mut Vec::new());
    let mut unreadable = Vec::new();
    let new = rules(new, &mut unreadable);
    change.loosens.extend(unreadable);
    for (id, rule) in &new {
        match old.get(id) {
            None => change.add(rule.is_guard() && !rule.may_soften(), id, "is new", rule),
            Some(before) if before.json == rule.json => {}
            Some(before) => match rule.tightens(before) {
                Some(how) => change.tightens.push(format!("guard `{id}` {how}")),
                None => change.add(false, id, "has changed", rule),
            },
        }
    }
    for (id, rule) in old.iter().filter(|(id, _)| !new.contains_key(*id)) {
        change.add(!rule.is_guard(), id, "is gone", rule);
    }
    change
}

impl Change {
    fn add(&mut self, tightens: bool, id: &str, what: &str, rule: &Text) {
        let kind = if rule.is_guard() { "guard" } else { "permit rule" };
        let list = if tightens { &mut self.tightens } else { &mut self.loosens };
        list.push(format!("{kind} `{id}` {what}"));
    }
}

/// A rule as text: neither comments nor layout.
struct Text {
    effect: Effect,
    json: Value,
}

fn rules(sources: &[Source], unreadable: &mut Vec<String>) -> BTreeMap<String, Text> {
    let mut rules = BTreeMap::new();
    for source in sources {
        let mut diagnostics = Vec::new();
        for parsed in parse(source, &mut diagnostics) {
            let id = match parsed.policy.annotation("id") {
                Some(id) if !rules.contains_key(id) => id.to_owned(),
                // Never equal to a rule of the other side: an unnamed or doubled rule is read by nobody.
                _ => {
                    unreadable.push(format!("a rule in `{}` has no id of its own", source.file));
                    continue;
                }
            };
            rules.insert(id, Text { effect: parsed.policy.effect(), json: parsed.json });
        }
        if !diagnostics.is_empty() {
            unreadable.push(format!("`{}` cannot be read", source.file));
        }
    }
    rules
}

impl Text {
    fn is_guard(&self) -> bool {
        self.effect == Effect::Forbid
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.json.get("annotations")?.get(key)?.as_str()
    }

    fn verdict(&self) -> Verdict {
        self.annotation("decision").and_then(Verdict::from_word).unwrap_or(Verdict::Deny)
    }

    fn is_shadow(&self) -> bool {
        self.annotation("mode") == Some("shadow")
    }

    /// `@uncertain("ask")` takes the place of a shipped deny.
    fn may_soften(&self) -> bool {
        self.annotation("uncertain") == Some("ask")
    }

    /// How this guard is stricter than what stood in its place; `None` when it is not plainly so.
    fn tightens(&self, before: &Self) -> Option<&'static str> {
        let same_match = self.without("annotations") == before.without("annotations");
        if !self.is_guard() || !before.is_guard() || !same_match || (self.is_shadow() && !before.is_shadow()) {
            return None;
        }
        let raised = self.verdict() > before.verdict();
        let softens = self.may_soften() && !before.may_soften();
        if raised
            && !softens
            && (self.verdict() == Verdict::Deny || self.annotation("uncertain") == before.annotation("uncertain"))
        {
            return Some("is stricter");
        }
        let binds_now =
            before.is_shadow() && !self.is_shadow() && self.annotations_but_mode() == before.annotations_but_mode();
        (binds_now && !self.may_soften()).then_some("binds now")
    }

    fn without(&self, key: &str) -> Value {
        let mut json = self.json.clone();
        if let Some(map) = json.as_object_mut() {
            map.remove(key);
        }
        json
    }

    fn annotations_but_mode(&self) -> Option<Value> {
        let mut annotations = self.json.get("annotations").cloned()?;
        annotations.as_object_mut()?.remove("mode");
        Some(annotations)
    }
}
