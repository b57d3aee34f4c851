//! Values put in order, for comparing sets and records: Cedar's equality, in which order and repetition do not count in a
//! set, and values of different types are different.
//!
//! Only asked for where values are compared that hold others: it takes as long as sorting them, whoever chose them.

use super::value::{Record, Set, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A value with everything in it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whole<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    /// Type and id.
    Entity(&'a str, &'a str),
    Set(BTreeSet<Whole<'a>>),
    Record(BTreeMap<&'a str, Whole<'a>>),
}

impl<'a> Whole<'a> {
    /// Gathers what is in a value.
    pub(super) fn of(value: &Value<'a>) -> Self {
        match value {
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Long(number) => Self::Long(*number),
            Value::Text(text) => Self::Text(text),
            Value::Entity(entity) => Self::Entity(entity.kind, entity.id),
            Value::Set(set) => Self::Set(items(set)),
            Value::Record(record) => Self::Record(fields(record)),
        }
    }
}

/// What is in a set.
pub(super) fn items<'a>(set: &Set<'a>) -> BTreeSet<Whole<'a>> {
    let mut items = BTreeSet::new();
    set.any(|item| {
        items.insert(Whole::of(item));
        false
    });
    items
}

/// What is in a record.
pub(super) fn fields<'a>(record: &Record<'a>) -> BTreeMap<&'a str, Whole<'a>> {
    let mut fields = BTreeMap::new();
    record.each(|name, value| {
        fields.insert(name, Whole::of(value));
    });
    fields
}
