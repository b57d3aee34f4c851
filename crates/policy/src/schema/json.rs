//! One JSON Schema, read as a Cedar record.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Deepest nesting of objects and arrays that policies can look into.
pub(crate) const MAX_DEPTH: usize = 8;
/// Most attributes of one tool that policies can see: bounds what `$ref` can unfold to.
pub(crate) const MAX_ATTRIBUTES: usize = 500;

/// A part of a tool's arguments that policies cannot see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invisible {
    /// Path below the arguments: `filter.price`, `items[].size`; empty for the whole.
    pub path: String,
    /// Whether a call must have it.
    pub required: bool,
    /// Why it cannot be expressed.
    pub why: String,
}

/// The Cedar type of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// `Bool`
    Bool,
    /// `Long`
    Long,
    /// `String`
    Text,
    /// `Set<_>`: order and repetition are lost.
    Set(Box<Shape>),
    /// A record.
    Record(RecordShape),
}

/// The Cedar type of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RecordShape {
    /// What policies see.
    pub(crate) fields: BTreeMap<Arc<str>, Field>,
    /// What is declared but cannot be seen.
    pub(crate) hidden: BTreeSet<Arc<str>>,
}

/// One attribute of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) shape: Shape,
    pub(crate) required: bool,
}

/// Reads the input schema of a tool. Anything but an object of named arguments gives an empty record.
pub(crate) fn read_arguments(schema: &Value) -> (RecordShape, Vec<Invisible>) {
    let mut reader = Reader { root: schema, left: MAX_ATTRIBUTES, invisible: Vec::new() };
    let shape = match reader.read(schema, "", &mut Vec::new(), 0) {
        Ok(Reading { shape: Shape::Record(record), .. }) => record,
        Ok(_) => {
            reader.hide("", true, "not an object".to_owned());
            RecordShape::default()
        }
        Err(why) => {
            // `{"type": "object"}` is how a tool without arguments is often written: nothing is hidden there.
            if schema.as_object().is_none_or(|schema| schema.keys().any(|key| !is_plain_object_key(key))) {
                reader.hide("", true, why);
            }
            RecordShape::default()
        }
    };
    reader.invisible.sort_by(|a, b| a.path.cmp(&b.path));
    (shape, reader.invisible)
}

fn is_plain_object_key(key: &str) -> bool {
    matches!(key, "type" | "$schema" | "title" | "description")
}

/// A shape, and whether `null` is a value of it too.
struct Reading {
    shape: Shape,
    nullable: bool,
}

struct Reader<'a> {
    root: &'a Value,
    left: usize,
    invisible: Vec<Invisible>,
}

impl<'a> Reader<'a> {
    fn hide(&mut self, path: &str, required: bool, why: String) {
        self.invisible.push(Invisible { path: path.to_owned(), required, why });
    }

    fn read(
        &mut self,
        schema: &'a Value,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
    ) -> Result<Reading, String> {
        let Some(map) = schema.as_object() else {
            return Err("any value is accepted".to_owned());
        };
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        if let Some(reference) = map.get("$ref") {
            return self.follow(map, reference, path, refs, depth);
        }
        match map.get("type") {
            Some(Value::String(name)) => self.typed(name, map, path, refs, depth, false),
            Some(Value::Array(names)) => self.one_of_types(names, map, path, refs, depth),
            Some(_) => Err("its type is not a name".to_owned()),
            None => self.untyped(map, path, refs, depth),
        }
    }

    fn follow(
        &mut self,
        map: &'a Map<String, Value>,
        reference: &'a Value,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
    ) -> Result<Reading, String> {
        let name = reference.as_str().ok_or("a reference that is not text")?;
        if map.keys().any(|key| key != "$ref" && bears_type(key)) {
            return Err("a reference with a type beside it".to_owned());
        }
        if refs.contains(&name) {
            return Err("refers to itself".to_owned());
        }
        let target = name.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let target = target.ok_or("a reference out of the document")?;
        refs.push(name);
        let reading = self.read(target, path, refs, depth);
        refs.pop();
        reading
    }

    fn one_of_types(
        &mut self,
        names: &'a [Value],
        map: &'a Map<String, Value>,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
    ) -> Result<Reading, String> {
        let nullable = names.iter().any(|name| name == "null");
        let mut rest = names.iter().filter(|name| *name != "null");
        match (rest.next().and_then(Value::as_str), rest.next()) {
            (Some(name), None) => self.typed(name, map, path, refs, depth, nullable),
            _ => Err("one of several types".to_owned()),
        }
    }

    fn typed(
        &mut self,
        name: &str,
        map: &'a Map<String, Value>,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
        nullable: bool,
    ) -> Result<Reading, String> {
        let shape = match name {
            "boolean" => Shape::Bool,
            "integer" => Shape::Long,
            "string" => Shape::Text,
            "number" if map.get("multipleOf").and_then(Value::as_i64).is_some_and(|step| step > 0) => Shape::Long,
            "number" => return Err("a number that may have a fraction".to_owned()),
            "array" => {
                return self.array(map, path, refs, depth).map(|shape| Reading { shape, nullable });
            }
            "object" => {
                return self.object(map, path, refs, depth).map(|shape| Reading { shape, nullable });
            }
            "null" => return Err("always null".to_owned()),
            _ => return Err("its type is not a name of JSON Schema".to_owned()),
        };
        Ok(Reading { shape, nullable })
    }

    fn untyped(
        &mut self,
        map: &'a Map<String, Value>,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
    ) -> Result<Reading, String> {
        if let Some(Value::Array(values)) = map.get("enum") {
            return words(values);
        }
        if let Some(value) = map.get("const") {
            return words(std::slice::from_ref(value));
        }
        if let Some(Value::Array(branches)) = map.get("anyOf").or_else(|| map.get("oneOf")) {
            return self.alternatives(branches, path, refs, depth);
        }
        if map.contains_key("properties") || map.contains_key("allOf") {
            return self.object(map, path, refs, depth).map(|shape| Reading { shape, nullable: false });
        }
        if map.contains_key("items") {
            return self.array(map, path, refs, depth).map(|shape| Reading { shape, nullable: false });
        }
        Err("any value is accepted".to_owned())
    }

    /// `[T, null]` is an optional `T`; alternatives that look alike to Cedar are that one type.
    fn alternatives(
        &mut self,
        branches: &'a [Value],
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
    ) -> Result<Reading, String> {
        let is_null = |branch: &&Value| {
            let map = branch.as_object();
            map.and_then(|map| map.get("type")).is_some_and(|name| name == "null")
                || map.and_then(|map| map.get("const")).is_some_and(Value::is_null)
        };
        let mut nullable = branches.iter().any(|branch| is_null(&branch));
        let mut found: Option<Shape> = None;
        for branch in branches.iter().filter(|branch| !is_null(branch)) {
            let seen = self.invisible.len();
            let reading = self.read(branch, path, refs, depth)?;
            nullable |= reading.nullable;
            match &found {
                None => found = Some(reading.shape),
                Some(shape) if *shape == reading.shape => self.invisible.truncate(seen),
                Some(_) => {
                    self.invisible.truncate(seen);
                    return Err("one of several types".to_owned());
                }
            }
        }
        let shape = found.ok_or("always null")?;
        Ok(Reading { shape, nullable })
    }

    fn array(
        &mut self,
        map: &'a Map<String, Value>,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
    ) -> Result<Shape, String> {
        if map.contains_key("prefixItems") {
            return Err("a tuple".to_owned());
        }
        let items = map.get("items").ok_or("a list of anything")?;
        let reading =
            self.read(items, &format!("{path}[]"), refs, depth + 1).map_err(|why| format!("a list: {why}"))?;
        if reading.nullable {
            return Err("a list that may hold null".to_owned());
        }
        Ok(Shape::Set(Box::new(reading.shape)))
    }

    fn object(
        &mut self,
        map: &'a Map<String, Value>,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
    ) -> Result<Shape, String> {
        let closed = map.get("additionalProperties") == Some(&Value::Bool(false));
        if !map.contains_key("properties") && !map.contains_key("allOf") && !closed {
            return Err("an object with free keys".to_owned());
        }
        let mut record = RecordShape::default();
        self.properties(map, path, refs, depth, &mut record)?;
        let parts = map.get("allOf").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let only = !map.contains_key("properties") && !map.contains_key("type");
        let mut typed =
            parts.iter().filter(|part| part.as_object().is_some_and(|part| part.keys().any(|k| bears_type(k))));
        if let (true, Some(one), None) = (only, typed.next(), typed.next()) {
            // A wrapped reference with a description beside it, as several generators write it.
            let reading = self.read(one, path, refs, depth)?;
            return if reading.nullable { Err("parts that may be null".to_owned()) } else { Ok(reading.shape) };
        }
        for part in parts {
            self.merge(part, path, refs, depth, &mut record)?;
        }
        self.branches_only(map, path, &mut record);
        Ok(Shape::Record(record))
    }

    fn merge(
        &mut self,
        part: &'a Value,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
        record: &mut RecordShape,
    ) -> Result<(), String> {
        if part.as_object().is_some_and(|part| !part.keys().any(|key| bears_type(key))) {
            for name in part.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                if let Some(field) = record.fields.get_mut(name) {
                    field.required = true;
                }
            }
            return Ok(());
        }
        let Reading { shape: Shape::Record(other), nullable: false } = self.read(part, path, refs, depth)? else {
            return Err("parts that are not all objects".to_owned());
        };
        for (name, field) in other.fields {
            match record.fields.get_mut(&name) {
                Some(known) if known.shape != field.shape => return Err("parts that contradict each other".to_owned()),
                Some(known) => known.required |= field.required,
                None => drop(record.fields.insert(name, field)),
            }
        }
        record.hidden.extend(other.hidden);
        Ok(())
    }

    fn properties(
        &mut self,
        map: &'a Map<String, Value>,
        path: &str,
        refs: &mut Vec<&'a str>,
        depth: usize,
        record: &mut RecordShape,
    ) -> Result<(), String> {
        let Some(properties) = map.get("properties") else {
            return Ok(());
        };
        let properties = properties.as_object().ok_or("properties that are not an object")?;
        let required: BTreeSet<&str> =
            map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, schema) in properties {
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let needed = required.contains(name.as_str());
            let reading = match self.left.checked_sub(1) {
                None => Err(format!("one of more than {MAX_ATTRIBUTES} arguments")),
                Some(left) => {
                    self.left = left;
                    self.read(schema, &below, refs, depth + 1)
                }
            };
            let name: Arc<str> = name.as_str().into();
            match reading {
                Ok(Reading { shape, nullable }) => {
                    record.fields.insert(name, Field { shape, required: needed && !nullable });
                }
                Err(why) => {
                    self.hide(&below, needed, why);
                    record.hidden.insert(name);
                }
            }
        }
        Ok(())
    }

    /// Properties that only an `anyOf`, `oneOf`, `if` or the like beside the object names.
    fn branches_only(&mut self, map: &'a Map<String, Value>, path: &str, record: &mut RecordShape) {
        let lists = ["anyOf", "oneOf"].into_iter().filter_map(|key| map.get(key)?.as_array()).flatten();
        let single = ["if", "then", "else"].into_iter().filter_map(|key| map.get(key));
        let branches = lists.chain(single).filter_map(|branch| branch.get("properties")?.as_object());
        for name in branches.flat_map(Map::keys) {
            if !record.fields.contains_key(name.as_str()) && record.hidden.insert(name.as_str().into()) {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                self.hide(&below, false, "present in one alternative only".to_owned());
            }
        }
    }
}

fn bears_type(key: &str) -> bool {
    matches!(key, "type" | "properties" | "items" | "enum" | "const" | "anyOf" | "oneOf" | "allOf" | "$ref" | "not")
}

/// `enum` without a type: of one scalar type, `null` aside, or not expressible.
fn words(values: &[Value]) -> Result<Reading, String> {
    let nullable = values.iter().any(Value::is_null);
    let mut shape = None;
    for value in values.iter().filter(|value| !value.is_null()) {
        let this = match value {
            Value::String(_) => Shape::Text,
            Value::Bool(_) => Shape::Bool,
            Value::Number(number) if number.is_i64() => Shape::Long,
            _ => return Err("one of several values that are not all scalars".to_owned()),
        };
        if shape.get_or_insert_with(|| this.clone()) != &this {
            return Err("one of several types".to_owned());
        }
    }
    shape.map(|shape| Reading { shape, nullable }).ok_or_else(|| "always null".to_owned())
}
