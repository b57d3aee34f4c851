//! What an agent may see of the tools, and under which names.

use enforce::Snapshot;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use vocab::id::{AgentId, Digest, ServerId, ToolName};
use vocab::{Operation, Target};

/// The name of the argument in which an agent says why.
pub const PURPOSE: &str = "purpose";

/// The longest purpose, characters.
pub const MAX_PURPOSE: usize = 500;

/// The name of the argument in which an agent says how sure it is.
pub const CONFIDENCE: &str = "confidence";

/// Names under which one agent sees tools.
#[derive(Debug, Default)]
pub struct Names {
    by_exposed: HashMap<String, (ServerId, ToolName)>,
    by_target: BTreeMap<(ServerId, ToolName), String>,
}

impl Names {
    /// Names of the pinned tools an agent's inventory declares: the tool's own where it is unique among them,
    /// `server__tool` where it is not, or everywhere when the project says so. With `only`, the tools of one server.
    #[must_use]
    pub fn of(snapshot: &Snapshot, agent: &AgentId, only: Option<&ServerId>) -> Self {
        let mut tools = Vec::new();
        for description in snapshot.project.tools() {
            if only.is_some_and(|only| *only != description.server) {
                continue;
            }
            let target = target(&description.server, &description.name);
            if snapshot.inventory.allows(agent, &target).is_ok() {
                tools.push((description.server.clone(), description.name.clone()));
            }
        }
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (_, tool) in &tools {
            *seen.entry(tool.as_str()).or_default() += 1;
        }
        let always = snapshot.project.settings.gateway.naming == govern::project::Naming::Always;
        let mut names = Self::default();
        for (server, tool) in &tools {
            let collides = seen.get(tool.as_str()).is_some_and(|count| *count > 1);
            let exposed = if always || collides { format!("{server}__{tool}") } else { tool.to_string() };
            names.by_target.insert((server.clone(), tool.clone()), exposed.clone());
            names.by_exposed.insert(exposed, (server.clone(), tool.clone()));
        }
        names
    }

    /// The tool an agent means.
    #[must_use]
    pub fn resolve(&self, exposed: &str) -> Option<&(ServerId, ToolName)> {
        self.by_exposed.get(exposed)
    }

    /// The name under which the agent sees a tool; `None` when it does not.
    #[must_use]
    pub fn exposed(&self, server: &ServerId, tool: &ToolName) -> Option<&str> {
        self.by_target.get(&(server.clone(), tool.clone())).map(String::as_str)
    }
}

/// A tool as a target.
#[must_use]
pub fn target(server: &ServerId, tool: &ToolName) -> Target {
    Target { server: server.clone(), operation: Operation::Tool(tool.clone()) }
}

/// Digest of a tool's definition as listed: the whole object, members nobody here knows included.
#[must_use]
pub fn definition(tool: &Value) -> Digest {
    govern::lock::definition_digest(tool)
}

/// Which arguments Mortise adds to every tool an agent sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// A required `purpose`.
    pub purpose: bool,
    /// An optional `confidence`.
    pub confidence: bool,
}

impl Added {
    /// What the project says.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let gateway = &snapshot.project.settings.gateway;
        Self { purpose: gateway.purpose_argument, confidence: gateway.confidence_argument }
    }

    /// Whether there is anything to add.
    #[must_use]
    pub const fn any(self) -> bool {
        self.purpose || self.confidence
    }

    /// Adds them to a tool's input schema. A tool that has an argument of that name keeps its own.
    pub fn extend(self, tool: &mut Value) {
        let Some(schema) = tool.get_mut("inputSchema").and_then(Value::as_object_mut) else { return };
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        let Some(properties) = properties.as_object_mut() else { return };
        if self.confidence && !properties.contains_key(CONFIDENCE) {
            properties.insert(
                CONFIDENCE.to_owned(),
                json!({
                    "type": "integer", "minimum": 0, "maximum": 100,
                    "description": "How sure you are that this call is what the user wants, in percent."
                }),
            );
        }
        if self.purpose && !properties.contains_key(PURPOSE) {
            properties.insert(
                PURPOSE.to_owned(),
                json!({
                    "type": "string", "minLength": 1, "maxLength": MAX_PURPOSE,
                    "description": "Why you make this call, in one sentence. Recorded and shown to approvers."
                }),
            );
            let required = schema.entry("required").or_insert_with(|| json!([]));
            if let Some(required) = required.as_array_mut() {
                required.push(json!(PURPOSE));
            }
        }
    }

    /// Takes them out of a call's arguments again, unless the tool itself has such an argument.
    #[must_use]
    pub fn strip(self, arguments: &mut Value, schema: Option<&Value>) -> (Option<String>, Option<u8>) {
        let own =
            |name: &str| schema.and_then(|schema| schema.get("properties")).is_some_and(|p| p.get(name).is_some());
        let Some(arguments) = arguments.as_object_mut() else { return (None, None) };
        let purpose = match arguments.get(PURPOSE) {
            Some(Value::String(text)) if self.purpose && !own(PURPOSE) && !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        };
        if purpose.is_some() {
            arguments.shift_remove(PURPOSE);
        }
        let confidence = arguments.get(CONFIDENCE).and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
        let confidence = confidence.filter(|n| *n <= 100 && self.confidence && !own(CONFIDENCE));
        if confidence.is_some() {
            arguments.shift_remove(CONFIDENCE);
        }
        (purpose, confidence)
    }

    /// Whether a stated confidence is none, and was left where it was.
    #[must_use]
    pub fn leaves_confidence(self, arguments: &Value, schema: Option<&Value>) -> bool {
        let own = schema.and_then(|schema| schema.pointer("/properties/confidence")).is_some();
        self.confidence && !own && arguments.get(CONFIDENCE).is_some()
    }

    /// Whether a call lacks a purpose that it must have.
    #[must_use]
    pub fn lacks_purpose(self, purpose: Option<&str>, schema: Option<&Value>) -> bool {
        let own = schema.and_then(|schema| schema.pointer("/properties/purpose")).is_some();
        self.purpose && !own && purpose.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Added = Added { purpose: true, confidence: true };

    #[test]
    fn added_arguments_go_in_and_come_out_again() {
        let mut tool =
            json!({"name": "x", "inputSchema": {"type": "object", "properties": {"a": {}}, "required": ["a"]}});
        BOTH.extend(&mut tool);
        assert_eq!(tool["inputSchema"]["required"], json!(["a", "purpose"]));
        let mut arguments = json!({"purpose": "to see", "a": 1, "confidence": 40});
        let schema = json!({"properties": {"a": {}}});
        assert_eq!(BOTH.strip(&mut arguments, Some(&schema)), (Some("to see".into()), Some(40)));
        assert_eq!(arguments, json!({"a": 1}));
        assert!(BOTH.lacks_purpose(None, Some(&schema)));
        assert!(!BOTH.leaves_confidence(&arguments, Some(&schema)));
        let mut arguments = json!({"confidence": 101});
        assert_eq!(BOTH.strip(&mut arguments, Some(&schema)), (None, None));
        assert!(BOTH.leaves_confidence(&arguments, Some(&schema)));
    }

    #[test]
    fn a_tools_own_argument_of_that_name_is_left_alone() {
        let schema = json!({"properties": {"purpose": {"type": "string"}, "confidence": {}}});
        let mut arguments = json!({"purpose": "its own", "confidence": 101});
        assert_eq!(BOTH.strip(&mut arguments, Some(&schema)), (None, None));
        assert_eq!(arguments, json!({"purpose": "its own", "confidence": 101}));
        assert!(!BOTH.leaves_confidence(&arguments, Some(&schema)));
        assert!(!BOTH.lacks_purpose(None, Some(&schema)));
    }
}
