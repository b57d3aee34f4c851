//! What an expression comes to. Borrowed from the rule, the facts and the arguments: only a set or record that is put
//! together in an expression is built.

use super::member::{each, look_up};
use super::node::Constant;
use super::whole::{Whole, fields, items};
use crate::arguments::{Fit, fit_record, long, present};
use crate::context::Known;
use crate::parts::Part;
use crate::schema::{RecordShape, Shape};
use cedar_policy_core::ast::EntityUID;
use serde_json::Map;
use std::collections::BTreeSet;
use std::rc::Rc;
use vocab::{Confidentiality, Origin};

/// Most pairs of elements that are compared one by one, rather than by sorting both sets.
const FEW: usize = 256;

/// A value.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    Entity(EntityRef<'a>),
    Set(Set<'a>),
    Record(Record<'a>),
}

/// An entity, by the whole name of its type and its id.
#[derive(Clone, Copy)]
pub(super) struct EntityRef<'a> {
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
    /// As the store knows it, when it comes from there or from a rule.
    pub(super) uid: Option<&'a EntityUID>,
}

/// A set, with or without repetition.
#[derive(Clone)]
pub(super) struct Set<'a>(pub(super) Values<'a>);

/// Where the elements of a set are.
#[derive(Clone)]
pub(super) enum Values<'a> {
    Constants(&'a [Constant]),
    Texts(&'a BTreeSet<String>),
    /// Entities of one type.
    Words(&'static str, &'a BTreeSet<String>),
    Confidentialities(&'a BTreeSet<Confidentiality>),
    /// By bits, in the order of `Origin::ALL`.
    Origins(usize),
    /// An argument, with the shape of its elements. Those of another shape are not there.
    Argument(&'a Shape, &'a [serde_json::Value]),
    Made(Rc<[Value<'a>]>),
}

/// A record.
#[derive(Clone)]
pub(super) enum Record<'a> {
    Context(&'a Known<'a>),
    Part(&'a Known<'a>, Part),
    /// What is derived from an argument.
    Derived {
        bytes: i64,
    },
    Argument(&'a RecordShape, &'a Map<String, serde_json::Value>),
    Made(Rc<[(&'a str, Value<'a>)]>),
}

impl<'a> Value<'a> {
    /// A word of a closed vocabulary.
    pub(super) const fn word(kind: &'static str, word: &'a str) -> Self {
        Self::Entity(EntityRef { kind, id: word, uid: None })
    }

    /// An argument as policies see it; `None` when it is not of its shape at all.
    pub(super) fn of_argument(shape: &'a Shape, value: &'a serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        Some(match (shape, value) {
            (Shape::Bool, Json::Bool(yes)) => Self::Bool(*yes),
            (Shape::Text, Json::String(text)) => Self::Text(text),
            (Shape::Long, Json::Number(number)) => Self::Long(long(number).0),
            (Shape::Set(inner), Json::Array(items)) => Self::Set(Set(Values::Argument(inner, items))),
            (Shape::Record(shape), Json::Object(map)) if fit_record(shape, map) != Fit::No => {
                Self::Record(Record::Argument(shape, map))
            }
            _ => return None,
        })
    }

    const fn holds_others(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Record(_))
    }
}

/// Cedar's `==`: values of different types are different.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Long(one), Self::Long(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Entity(one), Self::Entity(other)) => one == other,
            (Self::Set(one), Self::Set(other)) => items(one) == items(other),
            (Self::Record(one), Self::Record(other)) => fields(one) == fields(other),
            _ => false,
        }
    }
}

impl PartialEq for EntityRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.kind == other.kind
    }
}

impl<'a> Set<'a> {
    /// Whether something holds for one of its elements.
    pub(super) fn any(&self, mut is: impl FnMut(&Value<'a>) -> bool) -> bool {
        match &self.0 {
            Values::Constants(items) => items.iter().any(|item| is(&item.value())),
            Values::Texts(texts) => texts.iter().any(|text| is(&Value::Text(text))),
            Values::Words(kind, words) => words.iter().any(|word| is(&Value::word(kind, word))),
            Values::Confidentialities(labels) => {
                labels.iter().any(|label| is(&Value::word("Confidentiality", label.as_str())))
            }
            Values::Origins(bits) => {
                let chosen = Origin::ALL.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
                chosen.into_iter().any(|(_, origin)| is(&Value::word("Origin", origin.as_str())))
            }
            Values::Argument(shape, items) => {
                items.iter().any(|item| Value::of_argument(shape, item).is_some_and(|item| is(&item)))
            }
            Values::Made(items) => items.iter().any(is),
        }
    }

    /// `contains`
    pub(super) fn contains(&self, value: &Value<'a>) -> bool {
        if !value.holds_others() {
            return self.any(|item| item == value);
        }
        let whole = Whole::of(value);
        self.any(|item| item.holds_others() && Whole::of(item) == whole)
    }

    /// `containsAll`
    pub(super) fn contains_all(&self, others: &Self) -> bool {
        if self.is_few_beside(others) {
            return !others.any(|other| !self.contains(other));
        }
        items(others).is_subset(&items(self))
    }

    /// `containsAny`
    pub(super) fn contains_any(&self, others: &Self) -> bool {
        if self.is_few_beside(others) {
            return others.any(|other| self.contains(other));
        }
        !items(self).is_disjoint(&items(others))
    }

    /// Whether comparing each with each takes no longer than sorting. An agent chooses how many elements an argument has,
    /// and how many an element has.
    fn is_few_beside(&self, other: &Self) -> bool {
        let holds_others = |set: &Self| set.any(|item| matches!(item, Value::Set(_) | Value::Record(_)));
        self.most().saturating_mul(other.most()) <= FEW && !holds_others(self) && !holds_others(other)
    }

    /// No fewer than there are elements.
    fn most(&self) -> usize {
        match &self.0 {
            Values::Constants(items) => items.len(),
            Values::Texts(texts) | Values::Words(_, texts) => texts.len(),
            Values::Confidentialities(labels) => labels.len(),
            Values::Origins(_) => Origin::ALL.len(),
            Values::Argument(_, items) => items.len(),
            Values::Made(items) => items.len(),
        }
    }
}

impl<'a> Record<'a> {
    /// A field; `None` when it is not there.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        match self {
            Self::Context(known) => Part::named(name).map(|part| Value::Record(Record::Part(known, part))),
            Self::Part(known, part) => look_up(*part, name, known),
            Self::Derived { bytes } => (name == "bytes").then_some(Value::Long(*bytes)),
            Self::Argument(shape, map) => {
                let field = shape.fields.get(name)?;
                Value::of_argument(&field.shape, present(name, field.required, map)?)
            }
            Self::Made(fields) => fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone()),
        }
    }

    /// Every field that is there.
    pub(super) fn each(&self, mut take: impl FnMut(&'a str, &Value<'a>)) {
        match self {
            Self::Context(known) => Part::ALL.iter().for_each(|part| {
                take(part.as_str(), &Value::Record(Record::Part(known, *part)));
            }),
            Self::Part(known, part) => each(*part, known, take),
            Self::Derived { bytes } => take("bytes", &Value::Long(*bytes)),
            Self::Argument(shape, map) => shape.fields.iter().for_each(|(name, field)| {
                let value = present(name, field.required, map);
                if let Some(value) = value.and_then(|value| Value::of_argument(&field.shape, value)) {
                    take(name, &value);
                }
            }),
            Self::Made(fields) => fields.iter().for_each(|(name, value)| take(name, value)),
        }
    }
}
