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
}

impl ActionShape {
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
    let mut add = |shape: Option<ActionShape>| {
        if let Some(shape) = shape {
            let id = shape.id.clone();
            if actions.insert(id.clone(), shape).is_some() {
                twice.push(id);
            }
        }
    };
    add(inert(names));
    for server in servers {
        for operation in &Operation::FIXED {
            add(fixed(server, operation, names));
        }
    }
    for tool in tools {
        add(of_tool(tool, names));
    }
    (actions, twice)
}

/// Every group an action can be in.
pub(crate) fn groups() -> impl Iterator<Item = &'static str> {
    let methods = Operation::FIXED.iter().map(|operation| operation.suffix().trim_start_matches('#'));
    std::iter::once("tools/call").chain(Effect::ALL.iter().map(|effect| effect.group())).chain(methods)
}

fn inert(names: &Names) -> Option<ActionShape> {
    Some(ActionShape {
        id: INERT_ACTION.into(),
        uid: names.uid("Action", INERT_ACTION)?,
        server: None,
        effect: Effect::default(),
        groups: groups().collect(),
        arguments: RecordShape::default(),
        argument_names: Vec::new(),
        declared: BTreeMap::new(),
        invisible: Vec::new(),
        definition: String::new(),
    })
}

fn of_tool(tool: &ToolDescription, names: &Names) -> Option<ActionShape> {
    let id: Arc<str> = tool.action().into();
    let (arguments, invisible) = read_arguments(&tool.input_schema);
    Some(ActionShape {
        uid: names.uid("Action", &id)?,
        id,
        server: Some(tool.server.clone()),
        effect: tool.effect,
        groups: vec!["tools/call", tool.effect.group()],
        argument_names: all_names(&arguments),
        arguments,
        declared: tool.arguments.clone(),
        invisible,
        definition: tool.definition.to_string(),
    })
}

fn fixed(server: &ServerId, operation: &Operation, names: &Names) -> Option<ActionShape> {
    // Where a server asks something of the client, what it is told leaves the operator's hands: egress.
    let (effect, argument, declared) = match operation {
        Operation::ReadResource => {
            let uri = Argument { class: ArgumentClass::Target, kind: ArgumentKind::Url };
            (Effect::EgressRead, Some("uri"), Some(uri))
        }
        Operation::GetPrompt => {
            (Effect::Read, Some("name"), Some(Argument { class: ArgumentClass::Object, ..Argument::default() }))
        }
        _ => (Effect::EgressRead, None, None),
    };
    let schema = match argument {
        Some(name) => json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}),
        None => json!({"type": "object", "properties": {}}),
    };
    let (arguments, invisible) = read_arguments(&schema);
    let suffix = operation.suffix();
    let id: Arc<str> = format!("{server}{suffix}").into();
    Some(ActionShape {
        uid: names.uid("Action", &id)?,
        id,
        server: Some(server.clone()),
        effect,
        groups: vec![suffix.trim_start_matches('#'), effect.group()],
        argument_names: all_names(&arguments),
        arguments,
        declared: argument.zip(declared).map(|(name, declared)| (name.to_owned(), declared)).into_iter().collect(),
        invisible,
        definition: String::new(),
    })
}

fn all_names(arguments: &RecordShape) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = arguments.fields.keys().chain(&arguments.hidden).cloned().collect();
    names.sort();
    names.dedup();
    names
}
