//! Which rules are satisfied by a call, and which fail on it: permit rules and guards apart, without combining them.

use crate::bundle::Live;
use crate::compiled::Scene;
use crate::condition::Outcome;
use crate::context::Known;
use crate::index::{Slice, Standing};
use crate::parts::Parts;
use crate::request::Request;
use crate::rule::{Rule, RuleKind, RuleMode};
use crate::schema::ActionShape;
use cedar_policy::{Authorizer, Decision, EntityUid, Policy, PolicyId, PolicySet, Schema};
use serde_json::{Map, Value};
use std::sync::Arc;
use vocab::{Effect, Mode, Verdict};

/// What evaluating the rules gave, in no order.
#[derive(Default)]
pub(crate) struct Evaluated<'a> {
    pub(crate) satisfied: Vec<&'a Rule>,
    pub(crate) failed: Vec<&'a Rule>,
}

/// A call of known parties, with what was declared of them.
pub(crate) struct Call<'a> {
    live: &'a Live,
    request: &'a Request<'a>,
    shape: &'a ActionShape,
    standing: Standing<'a>,
    pub(crate) mode: Mode,
}

impl<'a> Call<'a> {
    /// Looks up who does what where; the error says what is not known.
    pub(crate) fn of(live: &'a Live, request: &'a Request<'a>) -> Result<Self, &'static str> {
        let action = live.actions.get(request.action).ok_or("the action is not known")?;
        let shape = live.shapes.get(&action.about).ok_or("the action is not known")?;
        let agent = live.agents.get(request.agent).ok_or("the agent is not known")?;
        let server = live.servers.get(request.server).ok_or("the server is not known")?;
        if shape.server.as_ref() != Some(request.server) {
            return Err("the action is not one of this server");
        }
        let standing = Standing {
            action: (action.number, &action.uids),
            agent: (agent.number, &agent.uids),
            server: server.first().ok_or("an entity has no name")?,
            authn: request.authn,
            entities: live.entities(request.authn).ok_or("no entities for this way of authenticating")?,
        };
        Ok(Self { live, request, shape, standing, mode: request.facts.mode.max(agent.about) })
    }

    /// What the action does.
    pub(crate) const fn effect(&self) -> Effect {
        self.shape.effect
    }

    /// Evaluates the rules that can speak about the call, as far as that is not settled.
    pub(crate) fn evaluate(&self) -> Result<Evaluated<'a>, String> {
        let slice = self.slice()?;
        self.evaluate_on(&slice, &self.known()?)
    }

    /// The rules that can speak about the call.
    pub(crate) fn slice(&self) -> Result<Arc<Slice>, String> {
        self.live.index.slice(&self.standing).ok_or_else(|| "an entity has no name".to_owned())
    }

    /// A rule that is not settled, and what it looks at.
    pub(crate) fn open(&self, number: usize) -> Option<(&'a Rule, &'a Parts)> {
        Some((self.live.rules.get(number)?, &self.live.index.rule(number)?.looks))
    }

    pub(crate) fn evaluate_on(&self, slice: &Slice, known: &Known<'_>) -> Result<Evaluated<'a>, String> {
        let index = &self.live.index;
        let scene = self.scene(known)?;
        let satisfied = Vec::with_capacity(slice.settled.satisfied.len() + slice.open.len());
        let mut evaluated = Evaluated { satisfied, failed: Vec::new() };
        let rule = |number: usize| self.live.rules.get(number);
        evaluated.satisfied.extend(slice.settled.satisfied.iter().filter_map(|&number| rule(number)));
        evaluated.failed.extend(slice.settled.failed.iter().filter_map(|&number| rule(number)));
        for &number in &slice.open {
            let (Some(rule), Some(filed)) = (rule(number), index.rule(number)) else {
                continue;
            };
            let outcome = match filed.condition.outcome(&scene) {
                Some(outcome) => outcome,
                // INVARIANT: `Known` builds by the shapes that the schema was generated from, so that every part it gives
                // fits the schema. Checking that again would double the cost; the evaluation of everything does, and every
                // test compares the two.
                None => {
                    let request = self.in_cedars_terms(known, &filed.looks, None)?;
                    filed.condition.outcome_in_cedar(&request, self.standing.entities)
                }
            };
            match outcome {
                Outcome::Satisfied => evaluated.satisfied.push(rule),
                Outcome::Failed => evaluated.failed.push(rule),
                Outcome::Unsatisfied => {}
            }
        }
        Ok(evaluated)
    }

    /// Evaluates all rules with Cedar's own authorizer, on the whole context, checked against the schema: the answer of
    /// [`Call::evaluate`], which shares none of its short cuts.
    pub(crate) fn evaluate_everything(&self) -> Result<Evaluated<'a>, String> {
        let request = self.in_cedars_terms(&self.known()?, &Parts::all(), Some(self.live.schema()?))?;
        let mut evaluated = Evaluated::default();
        for effect in [cedar_policy::Effect::Permit, cedar_policy::Effect::Forbid] {
            // Of one effect only, so that the "determining" policies are exactly the satisfied ones.
            let policies = self.policies().filter(|policy| policy.effect() == effect).cloned();
            let policies = PolicySet::from_policies(policies).map_err(|error| error.to_string())?;
            let response = self.live.authorizer.is_authorized(&request, &policies, self.standing.entities);
            let failed = response.diagnostics().errors().filter_map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(error) => self.rule(error.policy_id()),
            });
            evaluated.failed.extend(failed);
            evaluated.satisfied.extend(response.diagnostics().reason().filter_map(|id| self.rule(id)));
        }
        Ok(evaluated)
    }

    /// Whether an ordinary Cedar engine allows the call under the permit rules and the guards stricter than `level`.
    pub(crate) fn is_allowed_in_plain_cedar(&self, level: Verdict) -> Result<bool, String> {
        let request = self.in_cedars_terms(&self.known()?, &Parts::all(), Some(self.live.schema()?))?;
        let stays = |policy: &&Policy| {
            self.rule(policy.id()).is_some_and(|rule| {
                rule.mode == RuleMode::Enforce && (rule.kind == RuleKind::Permit || rule.verdict() > level)
            })
        };
        let policies = PolicySet::from_policies(self.policies().filter(stays).cloned());
        let policies = policies.map_err(|error| error.to_string())?;
        let response = Authorizer::new().is_authorized(&request, &policies, self.standing.entities);
        Ok(response.decision() == Decision::Allow)
    }

    /// What conditions are evaluated on.
    pub(crate) fn scene<'s>(&'s self, known: &'s Known<'s>) -> Result<Scene<'s>, String> {
        let Standing { agent, action, server, entities, .. } = self.standing;
        let (principal, action) = agent.1.first().zip(action.1.first()).ok_or("an entity has no name")?;
        Ok(Scene::new(known, [principal, action, server], entities, &self.live.names))
    }

    /// Facts of a call whose arguments are gone, and were checked when they were there.
    pub(crate) fn known_without_arguments(
        &self,
        arguments: &'a Map<String, Value>,
        unrepresentable: bool,
    ) -> Known<'a> {
        Known::without_arguments(
            self.shape,
            self.request.facts,
            arguments,
            self.mode,
            &self.live.names,
            unrepresentable,
        )
    }

    /// Facts and arguments, checked.
    pub(crate) fn known(&self) -> Result<Known<'a>, String> {
        Known::of(self.shape, self.request, self.mode, &self.live.names).map_err(|error| error.to_string())
    }

    /// The request as Cedar takes it, with the context as far as it is looked at.
    pub(crate) fn in_cedars_terms(
        &self,
        known: &Known<'_>,
        parts: &Parts,
        schema: Option<&Schema>,
    ) -> Result<cedar_policy::Request, String> {
        let first = |uids: &[EntityUid]| uids.first().cloned().ok_or("an entity has no name");
        let (principal, action) = (first(self.standing.agent.1)?, self.shape.uid.clone());
        let context = known.context(parts).map_err(|error| error.to_string())?;
        // Cedar's error text quotes values; ours must not.
        cedar_policy::Request::new(principal, action, self.standing.server.clone(), context, schema)
            .map_err(|_| "the request does not fit the schema".to_owned())
    }

    fn policies(&self) -> impl Iterator<Item = &'a Policy> {
        self.live.index.rules().map(|rule| &rule.policy)
    }

    fn rule(&self, id: &PolicyId) -> Option<&'a Rule> {
        self.live.rules.get(*self.live.by_id.get(id)?)
    }
}
