//! The parts of the context, and which of them a rule looks at.
//!
//! A context is only built as far as a rule that can speak about the call looks at it: most of the cost of a decision
//! is building values.

use serde_json::Value;

/// The attributes of the context, in the order of their bits.
const NAMES: [&str; 9] =
    ["args", "derived", "arg_origin", "targets", "call", "session", "labels", "origin", "findings"];

/// A set of parts of the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts(u16);

impl Parts {
    /// Everything.
    pub(crate) const ALL: Self = Self(u16::MAX);

    /// Whether a part is in it.
    pub(crate) fn has(self, name: &str) -> bool {
        NAMES.iter().position(|known| *known == name).is_none_or(|bit| self.0 >> bit & 1 == 1)
    }

    /// Both.
    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What the conditions of a policy, as Cedar's JSON, look at. What is not understood looks at everything.
    pub(crate) fn of(policy: &Value) -> Self {
        policy.get("conditions").map_or(Self::ALL, mentioned)
    }

    fn named(name: &str) -> Self {
        NAMES.iter().position(|known| *known == name).map_or(Self::ALL, |bit| Self(1 << bit))
    }
}

fn mentioned(expression: &Value) -> Parts {
    match expression {
        Value::Array(items) => items.iter().map(mentioned).fold(Parts::default(), Parts::union),
        Value::Object(map) => map.iter().map(|(key, value)| operation(key, value)).fold(Parts::default(), Parts::union),
        _ => Parts::default(),
    }
}

fn operation(key: &str, value: &Value) -> Parts {
    let of_context = value.get("left").and_then(|left| left.get("Var")).is_some_and(|name| name == "context");
    match (key, value.get("attr")) {
        ("." | "has", Some(Value::String(name))) if of_context => Parts::named(name),
        ("Var", _) if value == "context" => Parts::ALL,
        ("Value", _) => Parts::default(),
        _ => mentioned(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Policy;

    fn parts(conditions: &str) -> Vec<&'static str> {
        let policy = Policy::parse(None, format!("permit(principal, action, resource) {conditions};")).unwrap();
        let parts = Parts::of(&policy.to_json().unwrap());
        NAMES.into_iter().filter(|name| parts.has(name)).collect()
    }

    #[test]
    fn a_rule_looks_at_what_it_names() {
        assert!(parts("").is_empty());
        assert!(parts("when { principal.owner == \"context.args\" }").is_empty());
        assert_eq!(parts("when { context.args.x == 1 } unless { context.call has purpose }"), ["args", "call"]);
        assert_eq!(parts("when { context[\"session\"].calls > 1 }"), ["session"]);
        assert_eq!(
            parts("when { context has labels && {a: context.origin}.a.target.isEmpty() }"),
            ["labels", "origin"]
        );
        assert_eq!(
            parts("when { if context.findings.kinds.isEmpty() then true else context.targets.hosts.contains(\"x\") }"),
            ["targets", "findings"]
        );
    }

    #[test]
    fn what_is_not_understood_looks_at_everything() {
        for all in [
            "when { context == {} }",
            "when { context has nothing }",
            "when { {a: context} has a }",
            "when { [context].isEmpty() }",
        ] {
            assert_eq!(parts(all).len(), NAMES.len(), "{all}");
        }
        assert!(parts("when { context has args.x }").contains(&"args"));
    }
}
