//! The compiled form of an expression: a tree whose paths into the context are resolved.

use super::member::Member;
use super::pattern::Pattern;
use super::value::{EntityRef, Set, Value, Values};
use cedar_policy_core::ast::EntityUID;

/// An expression.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Constant),
    Principal,
    Action,
    Resource,
    Context,
    /// `context.part.member`
    Member(Member),
    /// `context.part has member`
    HasMember(Member),
    /// Test, then, else.
    If(Box<[Node; 3]>),
    /// `&&` of two or more.
    All(Box<[Node]>),
    /// `||` of two or more.
    Any(Box<[Node]>),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    Attribute(Box<Node>, Box<str>),
    /// `has a.b.c`
    Has(Box<Node>, Box<[Box<str>]>),
    Like(Box<Node>, Pattern),
    /// The type by its whole name.
    Is(Box<Node>, Box<str>),
    Set(Box<[Node]>),
    Record(Box<[(Box<str>, Node)]>),
}

/// An operator on one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Negate,
    IsEmpty,
}

/// An operator on two values, both of which are evaluated in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    Less,
    LessOrEqual,
    Add,
    Subtract,
    Multiply,
    In,
    Contains,
    ContainsAll,
    ContainsAny,
}

/// A value that stands in the text.
#[derive(Debug)]
pub(super) enum Constant {
    Bool(bool),
    Long(i64),
    Text(Box<str>),
    Entity(Box<NamedEntity>),
    Set(Box<[Constant]>),
}

/// An entity with the name of its type as text.
#[derive(Debug)]
pub(super) struct NamedEntity {
    pub(super) kind: Box<str>,
    pub(super) uid: EntityUID,
}

impl Node {
    /// What a rule without conditions says.
    pub(super) const fn always() -> Self {
        Self::Constant(Constant::Bool(true))
    }
}

impl Constant {
    /// As a value.
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(yes) => Value::Bool(*yes),
            Self::Long(number) => Value::Long(*number),
            Self::Text(text) => Value::Text(text),
            Self::Entity(entity) => {
                let (kind, uid) = (&*entity.kind, &entity.uid);
                Value::Entity(EntityRef { kind, id: uid.eid().as_ref(), uid: Some(uid) })
            }
            Self::Set(items) => Value::Set(Set(Values::Constants(items))),
        }
    }
}
