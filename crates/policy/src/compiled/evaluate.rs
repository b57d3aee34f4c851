//! The evaluation of compiled conditions, in Cedar's order: an operand that Cedar does not look at is not looked at here.

use super::Scene;
use super::node::{Binary, Node, Unary};
use super::value::{EntityRef, Record, Set, Value, Values};
use std::rc::Rc;

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It fails in Cedar too: an operand of another type, an attribute that is not there, a number beyond 64 bits.
    Failed,
    /// It met something that is not covered: Cedar has to evaluate the rule.
    Beyond,
}

type Answer<'a> = Result<Value<'a>, Stop>;

impl Node {
    /// Its value.
    pub(super) fn evaluate<'a>(&'a self, scene: &Scene<'a>) -> Answer<'a> {
        Ok(match self {
            Self::Constant(constant) => constant.value(),
            Self::Principal => Value::Entity(EntityRef::of("Agent", scene.principal)),
            Self::Action => Value::Entity(EntityRef::of("Action", scene.action)),
            Self::Resource => Value::Entity(EntityRef::of("Server", scene.resource)),
            Self::Context => Value::Record(Record::Context(scene.known)),
            Self::Member(member) => return member.of(scene.known).ok_or(Stop::Failed),
            Self::HasMember(member) => Value::Bool(member.of(scene.known).is_some()),
            Self::If(parts) => {
                let [test, yes, no] = &**parts;
                return if test.truth(scene)? { yes.evaluate(scene) } else { no.evaluate(scene) };
            }
            Self::All(nodes) => Value::Bool(first(nodes, false, scene)?),
            Self::Any(nodes) => Value::Bool(first(nodes, true, scene)?),
            Self::Unary(operator, node) => return unary(*operator, node.evaluate(scene)?),
            Self::Binary(operator, nodes) => {
                let [left, right] = &**nodes;
                let (left, right) = (left.evaluate(scene)?, right.evaluate(scene)?);
                return binary(*operator, &left, &right, scene);
            }
            Self::Attribute(node, name) => return attribute(&node.evaluate(scene)?, name, scene),
            Self::Has(node, path) => Value::Bool(has(node.evaluate(scene)?, path, scene)?),
            Self::Like(node, pattern) => match node.evaluate(scene)? {
                Value::Text(text) => Value::Bool(pattern.matches(text)),
                _ => return Err(Stop::Failed),
            },
            Self::Is(node, kind) => match node.evaluate(scene)? {
                Value::Entity(entity) => Value::Bool(*entity.kind == **kind),
                _ => return Err(Stop::Failed),
            },
            Self::Set(nodes) => {
                let items: Result<Rc<[_]>, _> = nodes.iter().map(|node| node.evaluate(scene)).collect();
                Value::Set(Set(Values::Made(items?)))
            }
            Self::Record(fields) => {
                let field = |(name, node): &'a (Box<str>, Self)| Ok((&**name, node.evaluate(scene)?));
                Value::Record(Record::Made(fields.iter().map(field).collect::<Result<Rc<[_]>, _>>()?))
            }
        })
    }

    fn truth<'a>(&'a self, scene: &Scene<'a>) -> Result<bool, Stop> {
        match self.evaluate(scene)? {
            Value::Bool(yes) => Ok(yes),
            _ => Err(Stop::Failed),
        }
    }
}

/// Looks at one after the other until one is this; whether one was, as the truth of the whole.
fn first<'a>(nodes: &'a [Node], this: bool, scene: &Scene<'a>) -> Result<bool, Stop> {
    for node in nodes {
        if node.truth(scene)? == this {
            return Ok(this);
        }
    }
    Ok(!this)
}

fn unary<'a>(operator: Unary, value: Value<'a>) -> Answer<'a> {
    Ok(match (operator, value) {
        (Unary::Not, Value::Bool(yes)) => Value::Bool(!yes),
        (Unary::Negate, Value::Long(number)) => Value::Long(number.checked_neg().ok_or(Stop::Failed)?),
        (Unary::IsEmpty, Value::Set(set)) => Value::Bool(!set.any(|_| true)),
        _ => return Err(Stop::Failed),
    })
}

fn binary<'a>(operator: Binary, left: &Value<'a>, right: &Value<'a>, scene: &Scene<'a>) -> Answer<'a> {
    use Value::Long;
    Ok(match (operator, left, right) {
        (Binary::Equal, ..) => Value::Bool(left == right),
        (Binary::Less, Long(left), Long(right)) => Value::Bool(left < right),
        (Binary::LessOrEqual, Long(left), Long(right)) => Value::Bool(left <= right),
        (Binary::Add, Long(left), Long(right)) => Long(left.checked_add(*right).ok_or(Stop::Failed)?),
        (Binary::Subtract, Long(left), Long(right)) => Long(left.checked_sub(*right).ok_or(Stop::Failed)?),
        (Binary::Multiply, Long(left), Long(right)) => Long(left.checked_mul(*right).ok_or(Stop::Failed)?),
        (Binary::In, Value::Entity(entity), Value::Entity(other)) => {
            Value::Bool(entity.is_in(std::slice::from_ref(other), scene)?)
        }
        (Binary::In, Value::Entity(entity), Value::Set(others)) => {
            Value::Bool(entity.is_in(&entities(others)?, scene)?)
        }
        (Binary::Contains, Value::Set(set), _) => Value::Bool(set.contains(right)),
        (Binary::ContainsAll, Value::Set(set), Value::Set(others)) => Value::Bool(set.contains_all(others)),
        (Binary::ContainsAny, Value::Set(set), Value::Set(others)) => Value::Bool(set.contains_any(others)),
        _ => return Err(Stop::Failed),
    })
}

/// A set of entities; fails when it holds anything else.
fn entities<'a>(set: &Set<'a>) -> Result<Vec<EntityRef<'a>>, Stop> {
    let mut entities = Vec::new();
    let has_other = set.any(|item| match item {
        Value::Entity(entity) => {
            entities.push(*entity);
            false
        }
        _ => true,
    });
    if has_other { Err(Stop::Failed) } else { Ok(entities) }
}

fn attribute<'a>(value: &Value<'a>, name: &str, scene: &Scene<'a>) -> Answer<'a> {
    match value {
        Value::Record(record) => record.get(name).ok_or(Stop::Failed),
        Value::Entity(entity) => entity.attribute(name, scene),
        _ => Err(Stop::Failed),
    }
}

/// `value has a.b.c`: false as soon as one is not there. The last is not looked into.
fn has<'a>(mut value: Value<'a>, path: &[Box<str>], scene: &Scene<'a>) -> Result<bool, Stop> {
    let Some((last, before)) = path.split_last() else {
        return Err(Stop::Beyond);
    };
    for name in before {
        if !has_one(&value, name, scene)? {
            return Ok(false);
        }
        value = attribute(&value, name, scene)?;
    }
    has_one(&value, last, scene)
}

fn has_one<'a>(value: &Value<'a>, name: &str, scene: &Scene<'a>) -> Result<bool, Stop> {
    match value {
        Value::Record(record) => Ok(record.get(name).is_some()),
        Value::Entity(entity) => entity.has(name, scene),
        _ => Err(Stop::Failed),
    }
}
