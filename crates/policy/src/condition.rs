//! What a rule says beside its scope, evaluated by Cedar.
//!
//! Cedar's authorizer evaluates `principal scope && action scope && resource scope && conditions` of a policy, put
//! together anew for every call, and then compiles lists of policies into an answer of its own. Here the same engine
//! evaluates the same expressions, but the scope once for every kind of call and the conditions alone for every call:
//! `true && x` is `x` for a boolean, and an error for anything else, in Cedar and here.

use cedar_policy::{Entities, EvalResult, Expression, Policy, Request, eval_expression};

/// What evaluating a rule came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Satisfied,
    Unsatisfied,
    /// It could not be evaluated, or is not a boolean.
    Failed,
}

/// The `when` and `unless` of a rule; `None` when it has none.
#[derive(Debug)]
pub(crate) struct Condition(Option<Expression>);

impl Condition {
    /// The conditions of a policy, as the authorizer would evaluate them.
    pub(crate) fn of(policy: &Policy) -> Self {
        Self(policy.as_ref().non_scope_constraints().cloned().map(Expression::from))
    }

    /// Evaluates them.
    pub(crate) fn outcome(&self, request: &Request, entities: &Entities) -> Outcome {
        self.0.as_ref().map_or(Outcome::Satisfied, |expression| outcome(expression, request, entities))
    }
}

/// Evaluates the scope of a policy.
pub(crate) fn scope(policy: &Policy, request: &Request, entities: &Entities) -> Outcome {
    let policy = policy.as_ref();
    let scope = [
        policy.principal_constraint().as_expr(),
        policy.action_constraint().as_expr(),
        policy.resource_constraint().as_expr(),
    ];
    let outcomes = scope.map(|expression| outcome(&expression.into(), request, entities));
    outcomes.into_iter().find(|outcome| *outcome != Outcome::Satisfied).unwrap_or(Outcome::Satisfied)
}

fn outcome(expression: &Expression, request: &Request, entities: &Entities) -> Outcome {
    match eval_expression(request, entities, expression) {
        Ok(EvalResult::Bool(true)) => Outcome::Satisfied,
        Ok(EvalResult::Bool(false)) => Outcome::Unsatisfied,
        Ok(_) | Err(_) => Outcome::Failed,
    }
}
