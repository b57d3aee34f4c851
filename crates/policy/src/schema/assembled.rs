//! The generated schema as Cedar holds it, put together instead of read.
//!
//! Cedar's parser starts a lexer for every name in a schema, a tenth of a millisecond for two tools, and the types it reads
//! are resolved again for every action. So the schema's parts are made as the validator has them, what is the same for all
//! actions once. A test holds the result against the text, read as a whole.

use super::actions::{ActionShape, groups};
use super::fixed::{self, Is, Member};
use super::json::{RecordShape, Shape};
use crate::vocabulary::{Names, enums};
use cedar_policy::{EntityUid, Schema};
use cedar_policy_core::ast::{Eid, EntityType};
use cedar_policy_core::validator::types::{AttributeType, Attributes, EntityKind, EntityLUB, OpenTag, Type};
use cedar_policy_core::validator::{ValidatorActionId, ValidatorEntityType, ValidatorSchema};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The schema over these actions.
pub(crate) fn assembled<'a>(
    envs: &[String],
    actions: impl Iterator<Item = &'a ActionShape>,
    names: &Names,
) -> Result<Schema, String> {
    validator_schema(envs, actions, names).map(Schema::from)
}

fn validator_schema<'a>(
    envs: &[String],
    actions: impl Iterator<Item = &'a ActionShape>,
    names: &Names,
) -> Result<ValidatorSchema, String> {
    let made = entity_types(envs, names).zip(Common::new(names));
    let (entity_types, common) = made.ok_or("a type of the fixed part has no name")?;
    let mut members: BTreeMap<&str, Vec<EntityUid>> = groups().map(|group| (group, Vec::new())).collect();
    let mut ids: HashSet<&str> = members.keys().copied().collect();
    let mut all = Vec::new();
    for action in actions {
        // Cedar takes the last of two of a name without a word.
        if !ids.insert(&action.id) {
            return Err(format!("`{}` is the name of a group or of another action", action.id));
        }
        for group in &action.groups {
            let members = members.get_mut(group).ok_or_else(|| format!("`{group}` is no group"))?;
            members.push(action.uid.clone());
        }
        all.push(common.action(action));
    }
    for (group, members) in members {
        let uid = names.uid("Action", group).ok_or_else(|| format!("`{group}` has no name"))?;
        let members = members.into_iter().map(Into::into);
        all.push(ValidatorActionId::new_defined(uid.into(), [], [], members, record([]), None));
    }
    Ok(ValidatorSchema::new(entity_types, all))
}

/// The entity types: enums, what stands alone, agents and servers with their attributes.
fn entity_types(envs: &[String], names: &Names) -> Option<Vec<ValidatorEntityType>> {
    let mut types = Vec::new();
    for (name, words) in enums(envs) {
        let mut words = words.iter().map(|word| Eid::new(word.as_str()));
        let words = (words.next()?, words.collect::<Vec<_>>()).into();
        types.push(ValidatorEntityType::new_enum(entity_type(names, name)?, [], words, None));
    }
    for fixed::Entity { name, members, attributes } in fixed::ENTITIES {
        let members: Option<Vec<_>> = members.iter().map(|member| entity_type(names, member)).collect();
        let attributes = fixed_attributes(attributes, names)?;
        let closed = OpenTag::ClosedAttributes;
        let name = entity_type(names, name)?;
        types.push(ValidatorEntityType::new_standard(name, members?, attributes, closed, None, None));
    }
    Some(types)
}

/// What all actions share.
struct Common {
    agent: EntityType,
    server: EntityType,
    bool: Arc<Type>,
    long: Arc<Type>,
    text: Arc<Type>,
    /// What is derived from a text.
    derived: Arc<Type>,
    /// Where an argument comes from.
    origins: AttributeType,
    /// The parts of the context that are the same for all.
    facts: Vec<(&'static str, AttributeType)>,
}

impl Common {
    fn new(names: &Names) -> Option<Self> {
        let record = |members: &[Member]| {
            let attrs = fixed_attributes(members, names)?;
            Some(Arc::new(Type::Record { attrs, open_attributes: OpenTag::ClosedAttributes }))
        };
        let facts = fixed::CONTEXT.iter();
        let facts = facts.map(|(name, members)| Some((*name, AttributeType::required_attribute(record(members)?))));
        Some(Self {
            agent: entity_type(names, "Agent")?,
            server: entity_type(names, "Server")?,
            bool: Arc::new(Type::primitive_boolean()),
            long: Arc::new(Type::primitive_long()),
            text: Arc::new(Type::primitive_string()),
            derived: record(fixed::DERIVED)?,
            origins: AttributeType::required_attribute(fixed_type(&fixed::ORIGINS, names)?),
            facts: facts.collect::<Option<_>>()?,
        })
    }

    fn action(&self, shape: &ActionShape) -> ValidatorActionId {
        let (agent, server) = (self.agent.clone(), self.server.clone());
        ValidatorActionId::new_defined(shape.uid.clone().into(), [agent], [server], [], self.context(shape), None)
    }

    fn context(&self, shape: &ActionShape) -> Type {
        let texts = shape.arguments.fields.iter().filter(|(_, field)| ActionShape::is_text(&field.shape));
        let derived =
            texts.map(|(name, field)| (&**name, AttributeType::new(Arc::clone(&self.derived), field.required)));
        let origins = shape.argument_names.iter().map(|name| (&**name, self.origins.clone()));
        let own =
            [("args", self.record(&shape.arguments)), ("derived", record(derived)), ("arg_origin", record(origins))];
        let own = own.map(|(name, part)| (name, AttributeType::required_attribute(Arc::new(part))));
        record(own.into_iter().chain(self.facts.iter().cloned()))
    }

    fn record(&self, shape: &RecordShape) -> Type {
        let fields = shape.fields.iter();
        record(fields.map(|(name, field)| (&**name, AttributeType::new(self.shape(&field.shape), field.required))))
    }

    fn shape(&self, shape: &Shape) -> Arc<Type> {
        match shape {
            Shape::Bool => Arc::clone(&self.bool),
            Shape::Long => Arc::clone(&self.long),
            Shape::Text => Arc::clone(&self.text),
            Shape::Set(inner) => Arc::new(Type::set(self.shape(inner))),
            Shape::Record(record) => Arc::new(self.record(record)),
        }
    }
}

fn entity_type(names: &Names, kind: &str) -> Option<EntityType> {
    names.kind(kind).map(|name| name.as_ref().clone())
}

fn fixed_attributes(members: &[Member], names: &Names) -> Option<Attributes> {
    let attribute = |member: &Member| {
        Some((member.name.into(), AttributeType::new(fixed_type(&member.is, names)?, member.required)))
    };
    let attributes: Option<Vec<_>> = members.iter().map(attribute).collect();
    Some(Attributes::with_attributes(attributes?))
}

fn fixed_type(is: &Is, names: &Names) -> Option<Arc<Type>> {
    let one = |kind: &str| Some(Type::Entity(EntityKind::Entity(EntityLUB::single_entity(entity_type(names, kind)?))));
    let ty = match is {
        Is::Bool => Type::primitive_boolean(),
        Is::Long => Type::primitive_long(),
        Is::Text => Type::primitive_string(),
        Is::Texts => Type::set(Arc::new(Type::primitive_string())),
        Is::One(kind) => one(kind)?,
        Is::Set(kind) => Type::set(Arc::new(one(kind)?)),
    };
    Some(Arc::new(ty))
}

fn record<'a>(attributes: impl IntoIterator<Item = (&'a str, AttributeType)>) -> Type {
    let attributes = attributes.into_iter().map(|(name, attribute)| (name.into(), attribute));
    Type::record_with_attributes(attributes, OpenTag::ClosedAttributes)
}

#[cfg(test)]
mod tests {
    use super::super::{actions, schema_text};
    use super::*;
    use cedar_policy_core::extensions::Extensions;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use vocab::id::{Digest, ServerId, ToolName};
    use vocab::{Effect, Label, ToolDescription};

    fn tool(name: &str, schema: Value) -> Arc<ToolDescription> {
        Arc::new(ToolDescription {
            server: ServerId::new("desk"),
            name: ToolName::new(name),
            effect: Effect::Money,
            input_schema: Arc::new(schema),
            output_schema: None,
            definition: Digest::new("sha256:00"),
            arguments: std::collections::BTreeMap::new(),
            label: Label::default(),
            dry_run: None,
        })
    }

    fn same(envs: &[String], tools: &[Arc<ToolDescription>]) {
        let names = Names::new(envs).unwrap();
        let (actions, _) = actions([ServerId::new("desk")].iter(), tools, &names);
        let text = schema_text(envs, &actions);
        let (read, _) = ValidatorSchema::from_cedarschema_str(&text, Extensions::all_available()).unwrap();
        assert!(read.is_complete());
        assert_eq!(validator_schema(envs, actions.values(), &names).unwrap(), read, "{text}");
    }

    #[test]
    fn without_tools_it_is_what_the_text_says() {
        same(&[], &[]);
        same(&["staging".to_owned()], &[]);
    }

    #[test]
    fn every_shape_is_what_the_text_says() {
        let nested = json!({
            "type": "object",
            "required": ["list", "deep"],
            "properties": {
                "yes": {"type": "boolean"}, "number": {"type": "integer"}, "word": {"type": "string"},
                "list": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
                "deep": {"type": "object", "required": ["a"], "properties": {
                    "a": {"type": "string"}, "b": {"type": "array", "items": {"type": "string"}},
                    "c": {"type": "object", "properties": {}, "additionalProperties": false}
                }},
                "anything": {}, "Set": {"type": "string"}, "in": {"type": "boolean"},
                "quote \" and \\ and \u{202e}\n": {"type": "string"}
            }
        });
        let tools =
            [tool("close", nested), tool("a \"b\"\\\u{e9}", json!({"type": "object"})), tool("none", json!(true))];
        same(&["production".to_owned(), "x y".to_owned()], &tools);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_arguments_are_what_the_text_says(
            arguments in prop::collection::btree_map("\\PC{0,6}", (0..5usize, any::<bool>()), 0..6),
        ) {
            let kinds = [
                json!({"type": "boolean"}), json!({"type": "integer"}), json!({"type": "string"}),
                json!({"type": "array", "items": {"type": "string"}}), json!({}),
            ];
            let properties = arguments.iter().map(|(name, (kind, _))| (name.clone(), kinds[*kind].clone()));
            let required = arguments.iter().filter(|(_, (_, required))| *required).map(|(name, _)| name.as_str());
            let schema = json!({
                "type": "object", "required": required.collect::<Vec<_>>(),
                "properties": properties.collect::<serde_json::Map<_, _>>(),
            });
            same(&[], &[tool("t", schema)]);
        }
    }
}
