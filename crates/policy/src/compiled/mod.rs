//! Conditions of rules in a form of our own: read once from Cedar's tree, evaluated on facts and arguments as they are.
//!
//! Contains no rule of its own: what a condition means is what Cedar's evaluator makes of it, and whatever is not covered
//! here is left to that. There are two ways of leaving: a condition with an operator that is not covered is not compiled
//! at all, and an evaluation that meets a value which is not covered has no outcome. Nothing is approximated.
//!
//! `read` turns a tree into `node`; `member` is what a path into the context stands for; `value` is what an expression
//! comes to, `whole` compares sets and records of them, `entity` asks the store about groups and attributes; `pattern` is
//! the right side of `like`; `evaluate` puts these together. A failure has no text here: a rule that fails is recorded as
//! such and no more is ever said of it.

mod entity;
mod evaluate;
mod member;
mod node;
mod pattern;
mod read;
mod value;
mod whole;

#[cfg(test)]
mod tests;

use crate::condition::Outcome;
use crate::context::Known;
use crate::vocabulary::Names;
use cedar_policy::{Entities, EntityUid, Policy};
use cedar_policy_core::ast::Entity;
use evaluate::Stop;
use node::Node;
use std::cell::OnceCell;
use value::Value;

/// The compiled conditions of a rule.
#[derive(Debug)]
pub(crate) struct Compiled(Node);

/// What conditions are evaluated on.
pub(crate) struct Scene<'a> {
    known: &'a Known<'a>,
    principal: &'a EntityUid,
    action: &'a EntityUid,
    resource: &'a EntityUid,
    entities: &'a Entities,
    names: &'a Names,
    /// The principal in the store, once it was asked for: several rules ask.
    found: OnceCell<Option<&'a Entity>>,
}

impl<'a> Scene<'a> {
    /// A call, by who does what where.
    pub(crate) const fn new(
        known: &'a Known<'a>,
        [principal, action, resource]: [&'a EntityUid; 3],
        entities: &'a Entities,
        names: &'a Names,
    ) -> Self {
        Self { known, principal, action, resource, entities, names, found: OnceCell::new() }
    }
}

impl Compiled {
    /// Compiles the `when` and `unless` of a policy; `None` when something in them is left to Cedar.
    pub(crate) fn of(policy: &Policy) -> Option<Self> {
        match policy.as_ref().non_scope_constraints() {
            Some(conditions) => read::read(conditions).map(Self),
            None => Some(Self(Node::always())),
        }
    }

    /// Evaluates them; `None` when Cedar has to.
    pub(crate) fn outcome<'a>(&'a self, scene: &Scene<'a>) -> Option<Outcome> {
        match self.0.evaluate(scene) {
            Ok(Value::Bool(true)) => Some(Outcome::Satisfied),
            Ok(Value::Bool(false)) => Some(Outcome::Unsatisfied),
            Ok(_) | Err(Stop::Failed) => Some(Outcome::Failed),
            Err(Stop::Beyond) => None,
        }
    }
}
