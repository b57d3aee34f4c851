//! Actions that no rule of a set can tell apart, so that one of them stands for all when the set is validated.
//!
//! The validator takes a rule once per action. What it finds depends on the action in three ways only: whether a name in
//! the rule is that action's, whether one is a group that the action is in, and the types of those members of the
//! context that the rule speaks of. All else is the same for every action of a generated schema: principal, resource,
//! and the other parts of the context. So actions that are not named by any rule, are in the same groups and have the
//! same types in all members that any rule looks at ([`Parts`]) are of one kind: what holds or fails of a rule for one of
//! them does so for the others. Validating one of each finds fault with a set exactly if validating all does; only the
//! wording (which tool, which similar name) can differ, so whoever finds fault validates all, to say it.

use super::actions::{ActionShape, Actions};
use super::json::Field;
use crate::parts::{Members, Part, Parts};
use cedar_policy::EntityUid;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// One action of each kind, for rules that name these entities and look at these parts.
pub(crate) fn kinds<'a>(actions: &'a Actions, named: &HashSet<EntityUid>, looks: &Parts) -> Vec<&'a ActionShape> {
    let mut seen = HashSet::new();
    let first = |action: &'a ActionShape| seen.insert(Kind::of(action, named, looks)).then_some(action);
    actions.values().filter_map(first).collect()
}

/// What rules can see of an action.
#[derive(PartialEq, Eq, Hash)]
struct Kind<'a> {
    /// Itself, if a rule names it.
    name: Option<&'a EntityUid>,
    groups: &'a [&'static str],
    arguments: BTreeSet<Member<'a>>,
    derived: BTreeSet<Member<'a>>,
    origins: BTreeSet<&'a str>,
}

/// A member and its type: Debug output of plain data, with every field.
type Member<'a> = (&'a str, String);

impl<'a> Kind<'a> {
    fn of(action: &'a ActionShape, named: &HashSet<EntityUid>, looks: &Parts) -> Self {
        let sees = |part: Part, name: &str| looks.of(part).is_some_and(|members: &Members| members.has(name));
        let field = |(name, field): (&'a Arc<str>, &'a Field)| (&**name, format!("{field:?}"));
        let fields = || action.arguments.fields.iter();
        Self {
            name: named.contains(&action.uid).then_some(&action.uid),
            groups: &action.groups,
            arguments: fields().filter(|(name, _)| sees(Part::Args, name)).map(field).collect(),
            derived: fields().filter(|(name, _)| sees(Part::Derived, name)).map(field).collect(),
            origins: action
                .argument_names
                .iter()
                .map(|name| &**name)
                .filter(|name| sees(Part::ArgOrigin, name))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::actions;
    use super::*;
    use crate::vocabulary::Names;
    use serde_json::{Value, json};
    use vocab::id::{Digest, ServerId, ToolName};
    use vocab::{Effect, Label, ToolDescription};

    fn tool(name: &str, effect: Effect, properties: &Value) -> Arc<ToolDescription> {
        Arc::new(ToolDescription {
            server: ServerId::new("desk"),
            name: ToolName::new(name),
            effect,
            input_schema: Arc::new(json!({"type": "object", "properties": properties, "required": ["id"]})),
            output_schema: None,
            definition: Digest::new("sha256:00"),
            arguments: std::collections::BTreeMap::new(),
            label: Label::default(),
            dry_run: None,
        })
    }

    fn looks(conditions: &str) -> Parts {
        let rule = cedar_policy::Policy::parse(None, format!("permit(principal, action, resource) {conditions};"));
        Parts::looked_at(&rule.unwrap().to_json().unwrap())
    }

    /// The kinds of tools, without the actions that every project has.
    fn tools(named: &[&str], looks: &Parts) -> Vec<String> {
        let names = Names::new(&[]).unwrap();
        let text = json!({"id": {"type": "string"}, "more": {"type": "string"}});
        let tools = [
            tool("a", Effect::Read, &text),
            tool("b", Effect::Read, &text),
            tool("c", Effect::Money, &text),
            tool("d", Effect::Read, &json!({"id": {"type": "integer"}, "more": {"type": "string"}})),
            tool("e", Effect::Read, &json!({"id": {"type": "string"}, "more": {}})),
            tool("f", Effect::Read, &json!({"id": {"type": "string"}})),
        ];
        let (actions, _) = actions([].iter(), &tools, &names);
        let named = named.iter().map(|name| names.uid("Action", name).unwrap()).collect();
        let kinds = kinds(&actions, &named, looks);
        kinds.iter().filter(|action| action.server.is_some()).map(|action| action.id.replace("desk/", "")).collect()
    }

    #[test]
    fn actions_are_of_one_kind_if_no_rule_tells_them_apart() {
        let session = looks("when { context.session.calls > 1 }");
        assert_eq!(tools(&[], &session), ["a", "c"]);
        assert_eq!(tools(&["desk/b", "tools/call"], &session), ["a", "b", "c"]);
        assert_eq!(tools(&[], &looks("when { context.args.id == 1 }")), ["a", "c", "d"]);
        assert_eq!(tools(&[], &looks("when { context.args has more }")), ["a", "c", "e"]);
        assert_eq!(tools(&[], &looks("when { context.derived has id }")), ["a", "c", "d"]);
        assert_eq!(tools(&[], &looks("when { context.arg_origin.more.isEmpty() }")), ["a", "c", "f"]);
        assert_eq!(tools(&[], &looks("when { context.args has nothing }")), ["a", "c"]);
        assert_eq!(tools(&[], &looks("when { [context.args].isEmpty() }")), ["a", "c", "d", "e"]);
        assert_eq!(tools(&[], &looks("when { context == {} }")), ["a", "c", "d", "e", "f"]);
    }
}
