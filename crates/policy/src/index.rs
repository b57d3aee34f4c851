//! Which rules can speak about a call, found without looking at the others, and settled as far as they can be.
//!
//! Rules are filed under what their scope names. A call looks under its action and the groups of that, crossed with
//! its agent and the groups of that, so the cost does not grow with the rules of other tools and agents. Slicing by
//! scope is proven to keep the response (Cedar's `PolicySlice` theorem); a scope that cannot be filed goes under
//! "any", where every call looks.
//!
//! The first call of one agent, action and way of authenticating settles what is the same for all of them: Cedar
//! evaluates the scope of every rule that was found, and the whole of rules that do not look at the context. What is left
//! for each call are the conditions of the others.

use crate::condition::{Condition, Outcome, scope};
use crate::parts::Parts;
use cedar_policy::{
    ActionConstraint, Context, Entities, EntityTypeName, EntityUid, Policy, PrincipalConstraint, Request,
};
use foldhash::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use vocab::Authn;

/// Most kinds of calls whose rules are kept ready.
pub(crate) const MAX_KINDS: usize = 16_384;
/// Most numbers of rules kept ready in all, counted once per distinct slice: a few megabytes.
pub(crate) const MAX_HELD: usize = 100_000;

/// The rules that can speak about one kind of call.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Slice {
    /// What is the same for every call.
    pub(crate) settled: Settled,
    /// The rules that look at the context, by number.
    pub(crate) open: Vec<usize>,
}

/// Rules with their answer, by number, without those that are unsatisfied.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Settled {
    pub(crate) satisfied: Vec<usize>,
    pub(crate) failed: Vec<usize>,
}

/// What the same rules speak about: an agent, authenticated in one way, that does something on a server. The agent and
/// the action with the groups they are in, themselves first. An action is one of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) action: (usize, &'a [EntityUid]),
    pub(crate) agent: (usize, &'a [EntityUid]),
    pub(crate) server: &'a EntityUid,
    pub(crate) authn: Authn,
    /// As they are for this way of authenticating.
    pub(crate) entities: &'a Entities,
}

/// Rules by scope.
#[derive(Debug)]
pub(crate) struct Index {
    rules: Vec<Filed>,
    filed: HashMap<Key, Vec<usize>>,
    ready: RwLock<Ready>,
}

/// A rule, and what of the context it looks at.
#[derive(Debug)]
pub(crate) struct Filed {
    pub(crate) policy: Policy,
    pub(crate) condition: Condition,
    pub(crate) looks: Parts,
}

/// Action and principal of a scope; `None` is any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key(Option<EntityUid>, Option<EntityUid>);

/// Action, agent, way of authenticating: with the server, which the action has, all that a rule can see beside the
/// context.
type Call = (usize, usize, Authn);

/// INVARIANT: holds at most `MAX_KINDS` kinds of calls and `MAX_HELD` numbers; forgotten as a whole when
/// full, which costs one rebuild per kind and never a different answer.
#[derive(Debug, Default)]
struct Ready {
    kinds: HashMap<Call, Arc<Slice>>,
    distinct: HashSet<Arc<Slice>>,
    held: usize,
}

impl Index {
    /// Files the rules, which come with what they look at.
    pub(crate) fn new(policies: Vec<(Policy, Parts)>, agent: &EntityTypeName) -> Self {
        let mut filed: HashMap<Key, Vec<usize>> = HashMap::default();
        for (number, (policy, _)) in policies.iter().enumerate() {
            let Some(principal) = principal_key(policy, agent) else {
                continue;
            };
            let actions = match policy.action_constraint() {
                ActionConstraint::Any => vec![None],
                ActionConstraint::Eq(uid) => vec![Some(uid)],
                ActionConstraint::In(uids) => uids.into_iter().map(Some).collect(),
            };
            for action in actions {
                filed.entry(Key(action, principal.clone())).or_default().push(number);
            }
        }
        let rules =
            policies.into_iter().map(|(policy, looks)| Filed { condition: Condition::of(&policy), policy, looks });
        Self { rules: rules.collect(), filed, ready: RwLock::default() }
    }

    /// The rules that can speak about a call; `None` when Cedar does not take its names.
    pub(crate) fn slice(&self, standing: &Standing<'_>) -> Option<Arc<Slice>> {
        let call = standing.call();
        if let Some(slice) = self.ready.read().unwrap_or_else(PoisonError::into_inner).kinds.get(&call) {
            return Some(Arc::clone(slice));
        }
        let slice = self.settle(standing)?;
        Some(self.ready.write().unwrap_or_else(PoisonError::into_inner).remember(call, slice))
    }

    /// A rule by its number.
    pub(crate) fn rule(&self, number: usize) -> Option<&Filed> {
        self.rules.get(number)
    }

    /// All rules, in order of their numbers.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Filed> {
        self.rules.iter()
    }

    fn settle(&self, standing: &Standing<'_>) -> Option<Slice> {
        let (agent, action) = (standing.agent.1.first()?, standing.action.1.first()?);
        let call = Request::new(agent.clone(), action.clone(), standing.server.clone(), Context::empty(), None).ok()?;
        let mut slice = Slice::default();
        for number in self.numbers(standing) {
            let Some(rule) = self.rules.get(number) else {
                continue;
            };
            match scope(&rule.policy, &call, standing.entities) {
                Outcome::Satisfied if rule.looks.is_empty() => {
                    slice.settled.add(number, rule.condition.outcome_in_cedar(&call, standing.entities));
                }
                Outcome::Satisfied => slice.open.push(number),
                outcome => slice.settled.add(number, outcome),
            }
        }
        Some(slice)
    }

    /// Every rule whose scope can hold, and some whose scope does not.
    fn numbers(&self, standing: &Standing<'_>) -> Vec<usize> {
        let any_or = |uids: &[EntityUid]| -> Vec<Option<EntityUid>> {
            std::iter::once(None).chain(uids.iter().cloned().map(Some)).collect()
        };
        let principals = any_or(standing.agent.1);
        let mut numbers = Vec::new();
        for action in any_or(standing.action.1) {
            for principal in &principals {
                numbers.extend(self.filed.get(&Key(action.clone(), principal.clone())).into_iter().flatten());
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

impl Standing<'_> {
    const fn call(&self) -> Call {
        (self.action.0, self.agent.0, self.authn)
    }
}

impl Slice {
    const fn weight(&self) -> usize {
        self.settled.satisfied.len() + self.settled.failed.len() + self.open.len()
    }
}

impl Settled {
    fn add(&mut self, number: usize, outcome: Outcome) {
        match outcome {
            Outcome::Satisfied => self.satisfied.push(number),
            Outcome::Failed => self.failed.push(number),
            Outcome::Unsatisfied => {}
        }
    }
}

impl Ready {
    /// Keeps a slice, or finds its equal.
    fn remember(&mut self, call: Call, slice: Slice) -> Arc<Slice> {
        let (known, weight) = (self.distinct.get(&slice).map(Arc::clone), slice.weight());
        let fresh = if known.is_some() { 0 } else { weight };
        let slice = known.unwrap_or_else(|| Arc::new(slice));
        if weight > MAX_HELD {
            return slice;
        }
        if self.kinds.len() >= MAX_KINDS || self.held + fresh > MAX_HELD {
            *self = Self::default();
        }
        if self.distinct.insert(Arc::clone(&slice)) {
            self.held += weight;
        }
        self.kinds.insert(call, Arc::clone(&slice));
        slice
    }
}

/// What the principal of a scope is filed under; `None` when no agent can match it.
#[expect(clippy::option_option, reason = "outer: can it match; inner: any or this one")]
fn principal_key(policy: &Policy, agent: &EntityTypeName) -> Option<Option<EntityUid>> {
    match policy.principal_constraint() {
        PrincipalConstraint::Any => Some(None),
        PrincipalConstraint::Eq(uid) | PrincipalConstraint::In(uid) => Some(Some(uid)),
        PrincipalConstraint::Is(name) => (name == *agent).then_some(None),
        PrincipalConstraint::IsIn(name, uid) => (name == *agent).then_some(Some(uid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(rules: std::ops::Range<usize>) -> Settled {
        Settled { satisfied: rules.collect(), failed: Vec::new() }
    }

    fn slice(rules: std::ops::Range<usize>) -> Slice {
        Slice { settled: settled(rules), ..Slice::default() }
    }

    #[test]
    fn what_is_kept_ready_is_bounded() {
        let mut ready = Ready::default();
        for number in 0..MAX_KINDS {
            ready.remember((number, 0, Authn::Local), slice(0..5));
        }
        assert_eq!((ready.kinds.len(), ready.distinct.len(), ready.held), (MAX_KINDS, 1, 5));
        ready.remember((0, 1, Authn::Local), slice(0..5));
        assert_eq!((ready.kinds.len(), ready.distinct.len(), ready.held), (1, 1, 5));
    }

    #[test]
    fn equal_slices_are_held_once_and_large_ones_push_out_the_others() {
        let mut ready = Ready::default();
        let first = ready.remember((0, 0, Authn::Local), slice(0..MAX_HELD - 1));
        let again = ready.remember((1, 0, Authn::Local), slice(0..MAX_HELD - 1));
        assert!(Arc::ptr_eq(&first, &again));
        ready.remember((2, 0, Authn::Local), slice(5..6));
        assert_eq!((ready.kinds.len(), ready.held), (3, MAX_HELD));
        ready.remember((3, 0, Authn::Local), slice(6..7));
        assert_eq!((ready.kinds.len(), ready.held), (1, 1));
        assert_eq!(ready.remember((4, 0, Authn::Local), slice(0..MAX_HELD + 1)).settled.satisfied.len(), MAX_HELD + 1);
        assert_eq!((ready.kinds.len(), ready.held), (1, 1), "too large to be kept");
    }
}
