//! The generated schema as Cedar holds it, put together instead of read.
//!
//! Cedar's parser starts a lexer for every name in a schema, a tenth of a millisecond for two tools. So only the fixed part
//! is read, with one prototype of an action that has an argument of every type; each action is a copy of the prototype
//! with its own arguments and groups. A test holds the result against the text that is read as a whole.

use super::actions::ActionShape;
use super::json::{Field, RecordShape, Shape};
use super::text::text_of;
use crate::vocabulary::Names;
use cedar_policy::Schema;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::json_schema::{ActionType, Fragment, RecordType, Type, TypeOfAttribute, TypeVariant};
use cedar_policy_core::validator::{RawName, ValidatorSchema, ValidatorSchemaFragment};

/// The prototype's id; no tool is on a server without a name.
const PROTOTYPE: &str = "/";

/// The schema over these actions.
pub(crate) fn assembled<'a>(
    envs: &[String],
    actions: impl Iterator<Item = &'a ActionShape>,
    names: &Names,
) -> Result<Schema, String> {
    let fragment = fragment(envs, actions, names)?;
    let fragment = ValidatorSchemaFragment::from_schema_fragment(fragment).map_err(|error| error.to_string())?;
    let schema = ValidatorSchema::from_schema_fragments([fragment], Extensions::all_available());
    schema.map(Schema::from).map_err(|error| error.to_string())
}

fn fragment<'a>(
    envs: &[String],
    actions: impl Iterator<Item = &'a ActionShape>,
    names: &Names,
) -> Result<Fragment<RawName>, String> {
    let prototype = prototype(names).ok_or("no name for a prototype")?;
    let text = text_of(envs, [&prototype].into_iter());
    let read = Fragment::from_cedarschema_str(&text, Extensions::all_available());
    let mut fragment = read.map_err(|error| error.to_string())?.0;
    let namespace = fragment.0.values_mut().next().ok_or("the fixed part is empty")?;
    let prototype = namespace.actions.remove(PROTOTYPE).and_then(Prototype::of);
    let prototype = prototype.ok_or("the prototype has another form")?;
    for action in actions {
        let made = prototype.action(action).ok_or_else(|| format!("`{}` cannot be put together", action.id))?;
        namespace.actions.insert((&*action.id).into(), made);
    }
    Ok(fragment)
}

/// An action with a required argument of each type.
fn prototype(names: &Names) -> Option<ActionShape> {
    let types = [("bool", Shape::Bool), ("long", Shape::Long), ("text", Shape::Text)];
    let fields = types.map(|(name, shape)| (name.into(), Field { shape, required: true }));
    let arguments = RecordShape { fields: fields.into_iter().collect(), ..RecordShape::default() };
    ActionShape::bare(PROTOTYPE, arguments, names)
}

/// What the prototype became: the whole, and the parts that every action has its own of.
struct Prototype {
    action: ActionType<RawName>,
    bool: TypeOfAttribute<RawName>,
    long: TypeOfAttribute<RawName>,
    text: TypeOfAttribute<RawName>,
    derived: TypeOfAttribute<RawName>,
    origins: TypeOfAttribute<RawName>,
}

impl Prototype {
    fn of(mut action: ActionType<RawName>) -> Option<Self> {
        let context = context(&mut action)?;
        let part = |of: &str, name: &str| match &context.attributes.get(of)?.ty {
            Type::Type { ty: TypeVariant::Record(record), .. } => record.attributes.get(name).cloned(),
            _ => None,
        };
        let [bool, long, text] = ["bool", "long", "text"].map(|name| part("args", name));
        let (derived, origins) = (part("derived", "text")?, part("arg_origin", "text")?);
        Some(Self { bool: bool?, long: long?, text: text?, derived, origins, action })
    }

    fn action(&self, shape: &ActionShape) -> Option<ActionType<RawName>> {
        let mut action = self.action.clone();
        let group = action.member_of.as_ref()?.first()?.clone();
        let groups = shape.groups.iter().map(|name| {
            let mut group = group.clone();
            group.id = (*name).into();
            group
        });
        action.member_of = Some(groups.collect());
        let context = context(&mut action)?;
        *part(context, "args")? = self.record(&shape.arguments);
        let texts = shape.arguments.fields.iter().filter(|(_, field)| ActionShape::is_text(&field.shape));
        part(context, "derived")?.attributes =
            texts.map(|(name, field)| ((&**name).into(), needed(&self.derived, field.required))).collect();
        part(context, "arg_origin")?.attributes =
            shape.argument_names.iter().map(|name| ((&**name).into(), self.origins.clone())).collect();
        Some(action)
    }

    fn record(&self, shape: &RecordShape) -> RecordType<RawName> {
        let field =
            |field: &Field| TypeOfAttribute { ty: self.shape(&field.shape), ..needed(&self.text, field.required) };
        let attributes = shape.fields.iter().map(|(name, shape)| ((&**name).into(), field(shape))).collect();
        RecordType { attributes, ..RecordType::default() }
    }

    fn shape(&self, shape: &Shape) -> Type<RawName> {
        let ty = match shape {
            Shape::Bool => return self.bool.ty.clone(),
            Shape::Long => return self.long.ty.clone(),
            Shape::Text => return self.text.ty.clone(),
            Shape::Set(inner) => TypeVariant::Set { element: Box::new(self.shape(inner)) },
            Shape::Record(record) => TypeVariant::Record(self.record(record)),
        };
        Type::Type { ty, loc: None }
    }
}

fn needed(attribute: &TypeOfAttribute<RawName>, required: bool) -> TypeOfAttribute<RawName> {
    TypeOfAttribute { required, ..attribute.clone() }
}

fn context(action: &mut ActionType<RawName>) -> Option<&mut RecordType<RawName>> {
    record(&mut action.applies_to.as_mut()?.context.0)
}

fn part<'a>(context: &'a mut RecordType<RawName>, name: &str) -> Option<&'a mut RecordType<RawName>> {
    record(&mut context.attributes.get_mut(name)?.ty)
}

fn record(ty: &mut Type<RawName>) -> Option<&mut RecordType<RawName>> {
    match ty {
        Type::Type { ty: TypeVariant::Record(record), .. } => Some(record),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{actions, schema_text};
    use super::*;
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
        let read = Fragment::from_cedarschema_str(&text, Extensions::all_available()).unwrap().0;
        assert_eq!(fragment(envs, actions.values(), &names).unwrap(), read, "{text}");
        assert!(assembled(envs, actions.values(), &names).is_ok());
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
