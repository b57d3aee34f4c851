//! Everything that can be called: one action per tool, and the fixed operations of each server.

use super::json::{Invisible, RecordShape, Shape, read_arguments};
use crate::vocabulary::Names;
use cedar_policy::EntityUid;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use vocab::id::ServerId;
use vocab::{Argument, ArgumentClass, ArgumentKind, Effect, Operation, ToolDescription};

/// An action that nothing calls. It stands in every group, so that a rule on a group without tools is not
/// "impossible by type", which it would be for a project that has no tool of that kind yet.
pub(crate) const INERT_ACTION: &str = "mortise/none";

/// All actions of a project, by id.
pub(crate) type Actions = BTreeMap<Arc<str>, ActionShape>;

/// One action.
#[derive(Debug)]
pub(crate) struct ActionShape {
    /// Its id, `desk/close_ticket`.
    pub(crate) id: Arc<str>,
    /// Its id as an entity.
    pub(crate) uid: EntityUid,
    /// Where it lives; `None` for the inert action.
    pub(crate) server: Option<ServerId>,
    /// What it does.
    pub(crate) effect: Effect,
    /// The groups it is in.
    pub(crate) groups: Vec<&'static str>,
    /// The same as entities.
    pub(crate) parents: Vec<EntityUid>,
    /// Its arguments as policies see them.
    pub(crate) arguments: RecordShape,
    /// Names of all declared arguments, visible or not, in order.
    pub(crate) argument_names: Vec<Arc<str>>,
    /// What was declared about its arguments; for others the default of [`Argument`] holds.
    pub(crate) declared: BTreeMap<String, Argument>,
    /// What policies cannot see.
    pub(crate) invisible: Vec<Invisible>,
    /// Digest of the tool's definition; empty for what is not a tool.
    pub(crate) definition: String,
    /// The tool's pinned output schema, when it has one.
    pub(crate) output: Option<Arc<serde_json::Value>>,
}

impl ActionShape {
    /// The action of no server. It is in every group.
    fn inert(known: &Known<'_>) -> Option<Self> {
        let groups: Vec<_> = groups().collect();
        Some(Self {
            id: INERT_ACTION.into(),
            uid: known.names.uid("Action", INERT_ACTION)?,
            server: None,
            effect: Effect::default(),
            parents: known.groups(&groups)?,
            groups,
            argument_names: Vec::new(),
            arguments: RecordShape::default(),
            declared: BTreeMap::new(),
            invisible: Vec::new(),
            definition: String::new(),
            output: None,
        })
    }

    /// What is known of an argument.
    pub(crate) fn argument(&self, name: &str) -> Argument {
        self.declared.get(name).copied().unwrap_or_default()
    }

    /// Whether an argument's text has derived attributes.
    pub(crate) fn is_text(shape: &Shape) -> bool {
        matches!(shape, Shape::Text)
    }
}

/// Lists the actions of the servers and tools. Also gives the ids that occurred twice.
pub(crate) fn actions<'a>(
    servers: impl Iterator<Item = &'a ServerId>,
    tools: &[Arc<ToolDescription>],
    names: &Names,
) -> (Actions, Vec<Arc<str>>) {
    let mut actions = Actions::new();
    let mut twice = Vec::new();
    let known = Known::new(names);
    let mut add = |shape: Option<ActionShape>| {
        if let Some(shape) = shape {
            let id = shape.id.clone();
            if actions.insert(id.clone(), shape).is_some() {
                twice.push(id);
            }
        }
    };
    add(ActionShape::inert(&known));
    for server in servers {
        for operation in &Operation::FIXED {
            add(fixed(server, operation, &known));
        }
    }
    for tool in tools {
        add(of_tool(tool, &known));
    }
    (actions, twice)
}

/// Every group an action can be in.
pub(crate) fn groups() -> impl Iterator<Item = &'static str> {
    let methods = Operation::FIXED.iter().map(|operation| operation.suffix().trim_start_matches('#'));
    std::iter::once("tools/call").chain(Effect::ALL.iter().map(|effect| effect.group())).chain(methods)
}

/// What naming an action takes: every group as an entity, made once.
struct Known<'a> {
    names: &'a Names,
    groups: BTreeMap<&'static str, EntityUid>,
}

impl<'a> Known<'a> {
    fn new(names: &'a Names) -> Self {
        let groups = groups().filter_map(|group| Some((group, names.uid("Action", group)?)));
        Self { names, groups: groups.collect() }
    }

    fn groups(&self, groups: &[&str]) -> Option<Vec<EntityUid>> {
        groups.iter().map(|group| self.groups.get(group).cloned()).collect()
    }
}

fn of_tool(tool: &ToolDescription, known: &Known<'_>) -> Option<ActionShape> {
    let id: Arc<str> = tool.action().into();
    let (arguments, invisible) = read_arguments(&tool.input_schema);
    let groups = vec!["tools/call", tool.effect.group()];
    Some(ActionShape {
        uid: known.names.uid("Action", &id)?,
        id,
        server: Some(tool.server.clone()),
        effect: tool.effect,
        parents: known.groups(&groups)?,
        groups,
        argument_names: all_names(&arguments),
        arguments,
        declared: tool.arguments.clone(),
        invisible,
        definition: tool.definition.to_string(),
        output: tool.output_schema.clone(),
    })
}

/// A member of a fixed operation's params that policies read: name, JSON type, what it is.
type Member = (&'static str, &'static str, Argument);

/// What is known of a fixed operation: its effect, the members that policies read (the first is required for what names
/// something), and those the protocol has beside them, which policies do not see.
fn described(operation: &Operation) -> (Effect, Vec<Member>, &'static [&'static str]) {
    let argument = |class: ArgumentClass, kind: ArgumentKind| Argument { class, kind };
    let content = argument(ArgumentClass::Content, ArgumentKind::Text);
    let url = argument(ArgumentClass::Target, ArgumentKind::Url);
    match operation {
        Operation::ReadResource => (Effect::EgressRead, vec![("uri", "string", url)], &[]),
        Operation::GetPrompt => {
            let name = argument(ArgumentClass::Object, ArgumentKind::Text);
            (Effect::Read, vec![("name", "string", name)], &["arguments"])
        }
        // Where a server asks something of the client, what it is told leaves the operator's hands: egress.
        Operation::Sampling => (
            Effect::EgressRead,
            vec![("systemPrompt", "string", content), ("maxTokens", "integer", Argument::default())],
            &[
                "_meta",
                "includeContext",
                "messages",
                "metadata",
                "modelPreferences",
                "stopSequences",
                "task",
                "temperature",
                "toolChoice",
                "tools",
            ],
        ),
        Operation::Elicitation => (
            Effect::EgressRead,
            vec![("message", "string", content), ("mode", "string", Argument::default()), ("url", "string", url)],
            &["_meta", "elicitationId", "requestedSchema", "task"],
        ),
        Operation::Roots | Operation::Tool(_) => (Effect::EgressRead, Vec::new(), &["_meta"]),
    }
}

fn fixed(server: &ServerId, operation: &Operation, known: &Known<'_>) -> Option<ActionShape> {
    let (effect, members, unseen) = described(operation);
    let mut properties = serde_json::Map::new();
    for (name, kind, _) in &members {
        properties.insert((*name).to_owned(), json!({"type": kind}));
    }
    for name in unseen {
        // Untyped: allowed, and nothing a policy could read.
        properties.insert((*name).to_owned(), json!({}));
    }
    let required: Vec<&str> = match operation {
        Operation::ReadResource | Operation::GetPrompt => members.iter().map(|(name, ..)| *name).collect(),
        _ => Vec::new(),
    };
    let schema = json!({"type": "object", "properties": properties, "required": required});
    // What the protocol puts beside them is no news to an operator: it is not listed as invisible.
    let (arguments, _) = read_arguments(&schema);
    let suffix = operation.suffix();
    let id: Arc<str> = format!("{server}{suffix}").into();
    let groups = vec![suffix.trim_start_matches('#'), effect.group()];
    Some(ActionShape {
        uid: known.names.uid("Action", &id)?,
        id,
        server: Some(server.clone()),
        effect,
        parents: known.groups(&groups)?,
        groups,
        argument_names: all_names(&arguments),
        arguments,
        declared: members.into_iter().map(|(name, _, declared)| (name.to_owned(), declared)).collect(),
        invisible: Vec::new(),
        definition: String::new(),
        output: None,
    })
}

fn all_names(arguments: &RecordShape) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = arguments.fields.keys().chain(&arguments.hidden).cloned().collect();
    names.sort();
    names.dedup();
    names
}
