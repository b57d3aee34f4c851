//! The parts of the context, and which of their members a rule looks at.
//!
//! A rule that looks at none is settled once. For one that Cedar evaluates, a context is built as far as it looks at it,
//! because building values costs more than evaluating. The rule cannot tell: what it looks at is there or absent as in the
//! whole context, and whoever looks at a part as a whole gets the whole.

use serde_json::Value;
use std::collections::BTreeSet;

/// The attributes of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Args,
    Derived,
    ArgOrigin,
    Targets,
    Call,
    Session,
    Labels,
    Origin,
    Findings,
}

impl Part {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 9] = [
        Self::Args,
        Self::Derived,
        Self::ArgOrigin,
        Self::Targets,
        Self::Call,
        Self::Session,
        Self::Labels,
        Self::Origin,
        Self::Findings,
    ];

    /// Its name in policies.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Args => "args",
            Self::Derived => "derived",
            Self::ArgOrigin => "arg_origin",
            Self::Targets => "targets",
            Self::Call => "call",
            Self::Session => "session",
            Self::Labels => "labels",
            Self::Origin => "origin",
            Self::Findings => "findings",
        }
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.as_str() == name)
    }
}

/// Which members of a part are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Members {
    /// These; without any, only whether the part is there.
    Only(BTreeSet<Box<str>>),
    All,
}

impl Members {
    /// Whether a member is one of them.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::Only(names) => names.contains(name),
            Self::All => true,
        }
    }

    /// How many are named.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Only(names) => names.len(),
            Self::All => 0,
        }
    }

    fn add(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Only(names), Self::Only(more)) => names.extend(more.iter().cloned()),
            _ => *self = Self::All,
        }
    }
}

/// What of the context is looked at; `None` is a part that nobody looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Parts([Option<Members>; Part::ALL.len()]);

impl Parts {
    /// Everything.
    pub(crate) fn all() -> Self {
        Self([const { Some(Members::All) }; Part::ALL.len()])
    }

    /// What is looked at of one part.
    pub(crate) fn of(&self, part: Part) -> Option<&Members> {
        self.0.get(part as usize)?.as_ref()
    }

    /// Something that is looked at and for which `is_known` is false: `part.member`, or `part` for a whole one.
    pub(crate) fn unknown(&self, is_known: &dyn Fn(&str, Option<&str>) -> bool) -> Option<String> {
        let looks = Part::ALL.into_iter().filter_map(|part| Some((part.as_str(), self.of(part)?)));
        looks.into_iter().find_map(|(part, members)| match members {
            Members::All => (!is_known(part, None)).then(|| part.to_owned()),
            Members::Only(names) => {
                names.iter().find(|name| !is_known(part, Some(name))).map(|name| format!("{part}.{name}"))
            }
        })
    }

    /// Whether nothing is looked at: then no fact and no argument can change the answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Both.
    #[must_use]
    pub(crate) fn union(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => mine.add(theirs),
                (mine @ None, theirs) => mine.clone_from(theirs),
                (Some(_), None) => {}
            }
        }
        self
    }

    /// What the conditions of a policy, as Cedar's JSON, look at. What is not understood looks at everything.
    pub(crate) fn looked_at(policy: &Value) -> Self {
        policy.get("conditions").map_or_else(Self::all, mentioned)
    }

    fn one(part: &str, members: Members) -> Self {
        let Some(part) = Part::named(part) else {
            return Self::all();
        };
        let mut parts = Self::default();
        if let Some(place) = parts.0.get_mut(part as usize) {
            *place = Some(members);
        }
        parts
    }
}

fn mentioned(expression: &Value) -> Parts {
    let join = |all: Parts, more: Parts| all.union(&more);
    match expression {
        Value::Array(items) => items.iter().map(mentioned).fold(Parts::default(), join),
        Value::Object(map) => map.iter().map(|(key, value)| operation(key, value)).fold(Parts::default(), join),
        _ => Parts::default(),
    }
}

fn operation(key: &str, value: &Value) -> Parts {
    match (key, value) {
        ("." | "has", _) => access(key, value).unwrap_or_else(|| mentioned(value)),
        ("Var", name) if name == "context" => Parts::all(),
        // Names of a record's fields are data: one called `Value` or `Var` is no operation.
        ("Record", Value::Object(fields)) => {
            fields.values().map(mentioned).fold(Parts::default(), |all, more| all.union(&more))
        }
        ("Value", _) => Parts::default(),
        _ => mentioned(value),
    }
}

/// `context.part.member`, `context.part has member`, `context.part`, `context has part`, `context has part.member`;
/// `None` for anything else.
fn access(key: &str, value: &Value) -> Option<Parts> {
    let (left, path) = (value.get("left")?, path(value)?);
    let none = || Members::Only(BTreeSet::new());
    let only = |name: &str| Members::Only(BTreeSet::from([name.into()]));
    if is_context(left) {
        return match *path {
            [part] if key == "." => Some(Parts::one(part, Members::All)),
            [part] => Some(Parts::one(part, none())),
            [part, member, ..] => Some(Parts::one(part, only(member))),
            [] => None,
        };
    }
    let inner = left.get(".").filter(|inner| inner.get("left").is_some_and(is_context))?;
    Some(Parts::one(inner.get("attr")?.as_str()?, only(path.first()?)))
}

/// One name, or the several of `a has b.c`.
fn path(access: &Value) -> Option<Vec<&str>> {
    match access.get("attr")? {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn is_context(expression: &Value) -> bool {
    expression.get("Var").is_some_and(|name| name == "context")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Policy;

    fn as_loaded(policy: &Policy) -> Value {
        serde_json::to_value(cedar_policy_core::est::Policy::from(policy.as_ref().clone())).unwrap()
    }

    /// `part.member`, `part.*` for a whole part, `part` for one whose presence is asked for.
    fn looks(conditions: &str) -> Vec<String> {
        let policy = Policy::parse(None, format!("permit(principal, action, resource) {conditions};")).unwrap();
        let parts = Parts::looked_at(&as_loaded(&policy));
        assert_eq!(parts, Parts::looked_at(&policy.to_json().unwrap()), "as written and as evaluated: {conditions}");
        let lines = Part::ALL.into_iter().filter_map(|part| Some((part.as_str(), parts.of(part)?)));
        let lines = lines.flat_map(|(part, members)| match members {
            Members::All => vec![format!("{part}.*")],
            Members::Only(names) if names.is_empty() => vec![part.to_owned()],
            Members::Only(names) => names.iter().map(|name| format!("{part}.{name}")).collect(),
        });
        lines.collect()
    }

    #[test]
    fn a_rule_looks_at_the_members_it_names() {
        assert!(looks("").is_empty());
        assert!(looks("when { principal.owner == \"context.args\" }").is_empty());
        assert_eq!(
            looks("when { context.args.x == 1 } unless { context.call has purpose }"),
            ["args.x", "call.purpose"]
        );
        assert_eq!(looks("when { context[\"session\"][\"calls\"] > 1 }"), ["session.calls"]);
        assert_eq!(
            looks("when { context.session.calls > 1 && context.session.denials < context.session.calls }"),
            ["session.calls", "session.denials"]
        );
        assert_eq!(
            looks("when { if context.findings.kinds.isEmpty() then true else context.targets.hosts.contains(\"x\") }"),
            ["targets.hosts", "findings.kinds"]
        );
        assert_eq!(looks("when { context has labels }"), ["labels"]);
        assert_eq!(looks("when { context has args.x.y }"), ["args.x"]);
        assert_eq!(looks("when { context.args has x.y }"), ["args.x"]);
        assert_eq!(looks("when { context.args.filter.from like \"a*\" }"), ["args.filter"]);
    }

    #[test]
    fn whoever_looks_at_a_part_as_a_whole_gets_the_whole() {
        assert_eq!(looks("when { context.session == {calls: 1} }"), ["session.*"]);
        assert_eq!(looks("when { [context.args].contains({x: 1}) && context.args.x == 1 }"), ["args.*"]);
        assert_eq!(looks("when { (if true then context.session else context.session).calls > 1 }"), ["session.*"]);
        assert_eq!(looks("when { {a: context.origin}.a.target.isEmpty() }"), ["origin.*"]);
    }

    #[test]
    fn a_field_of_a_record_is_no_operation_whatever_its_name() {
        for name in ["Value", "Var", "Record", "Set", "has", ".", "left", "attr", "like", "=="] {
            let field = format!("{{\"{name}\": context.args has x}}[\"{name}\"]");
            assert_eq!(looks(&format!("when {{ {field} }}")), ["args.x"], "{name}");
            assert_eq!(looks(&format!("when {{ {{a: {field}, \"{name}\": 1}}.a }}")), ["args.x"], "{name}");
        }
        assert!(looks("when { {Var: \"context\", \"Value\": {\"Var\": \"context\"}} has Var }").is_empty());
    }

    #[test]
    fn what_is_not_understood_looks_at_everything() {
        for all in [
            "when { context == {} }",
            "when { context has nothing }",
            "when { context.nothing.x == 1 }",
            "when { {a: context} has a }",
            "when { [context].isEmpty() }",
            "when { (if true then context else context).args.x == 1 }",
        ] {
            let looks = looks(all);
            assert!(
                looks.len() == Part::ALL.len() && looks.iter().all(|look| look.ends_with(".*")),
                "{all}: {looks:?}"
            );
        }
        let unknown = serde_json::json!({"conditions": [{"kind": "when", "body": {"has": {"left": {"Var": "context"}, "attr": 5}}}]});
        assert_eq!(Parts::looked_at(&unknown), Parts::all());
        assert_eq!(Parts::looked_at(&serde_json::json!({})), Parts::all());
    }
}
