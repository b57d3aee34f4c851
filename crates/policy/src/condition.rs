//! What a rule says beside its scope: compiled, and as Cedar evaluates it.
//!
//! Cedar's authorizer evaluates `principal scope && action scope && resource scope && conditions` of a policy, put
//! together anew for every call, and then compiles lists of policies into an answer of its own. Here the scope is
//! evaluated once for every kind of call, by the same engine, and the conditions alone for every call: `true && x` is `x`
//! for a boolean, and an error for anything else, in Cedar and here.

use crate::compiled::{Compiled, Scene};
use cedar_policy::{Entities, EvalResult, Expression, Policy, Request, eval_expression};

/// What evaluating a rule came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Satisfied,
    Unsatisfied,
    /// It could not be evaluated, or is not a boolean.
    Failed,
}

/// The `when` and `unless` of a rule.
#[derive(Debug)]
pub(crate) struct Condition {
    compiled: Option<Compiled>,
    /// For Cedar; `None` when the rule has no conditions.
    expression: Option<Expression>,
}

impl Condition {
    /// The conditions of a policy, as the authorizer would evaluate them.
    pub(crate) fn of(policy: &Policy) -> Self {
        let expression = policy.as_ref().non_scope_constraints().cloned().map(Expression::from);
        Self { compiled: Compiled::of(policy), expression }
    }

    /// Whether every evaluation of them is Cedar's.
    pub(crate) const fn is_left_to_cedar(&self) -> bool {
        self.compiled.is_none()
    }

    /// Evaluates the compiled conditions; `None` when Cedar has to.
    pub(crate) fn outcome<'a>(&'a self, scene: &Scene<'a>) -> Option<Outcome> {
        self.compiled.as_ref()?.outcome(scene)
    }

    /// Has Cedar evaluate them.
    pub(crate) fn outcome_in_cedar(&self, request: &Request, entities: &Entities) -> Outcome {
        self.expression.as_ref().map_or(Outcome::Satisfied, |expression| outcome(expression, request, entities))
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
