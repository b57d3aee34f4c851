//! Which rules can speak about a call, found without looking at the others.
//!
//! Rules are filed under what their scope names. A call looks under its action and the groups of that, crossed with
//! its agent and the groups of that, so the cost does not grow with the rules of other tools and agents. Slicing by
//! scope is proven to keep the response (Cedar's `PolicySlice` theorem); a scope that cannot be filed goes under
//! "any", where every call looks.

use crate::parts::Parts;
use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PolicySet, PrincipalConstraint, ResourceConstraint,
};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Most (action, agent) pairs whose rules are kept ready.
pub(crate) const MAX_PAIRS: usize = 16_384;
/// Most rules kept ready in all, counted once per distinct set; about half a kilobyte each.
pub(crate) const MAX_HELD: usize = 100_000;

/// The rules that can speak about one kind of call.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    pub(crate) permits: PolicySet,
    pub(crate) guards: PolicySet,
    /// What of the context they look at.
    pub(crate) parts: Parts,
}

/// Where a call stands: its action, agent and server, each with the groups it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) action: (usize, &'a [EntityUid]),
    pub(crate) agent: (usize, &'a [EntityUid]),
    pub(crate) server: &'a [EntityUid],
}

/// Rules by scope.
#[derive(Debug)]
pub(crate) struct Index {
    policies: Vec<(Policy, Parts)>,
    filed: HashMap<Key, Vec<u32>>,
    server_type: Option<EntityTypeName>,
    ready: RwLock<Ready>,
}

/// Action and principal of a scope; `None` is any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key(Option<EntityUid>, Option<EntityUid>);

/// INVARIANT: holds at most `MAX_PAIRS` pairs and `MAX_HELD` rules; forgotten as a whole when full, which costs
/// one rebuild per pair and never a different answer.
#[derive(Debug, Default)]
struct Ready {
    pairs: HashMap<(usize, usize), Arc<Slice>>,
    distinct: HashMap<Vec<u32>, Arc<Slice>>,
    held: usize,
}

impl Index {
    /// Files the rules.
    pub(crate) fn new(policies: Vec<(Policy, Parts)>, agent: &EntityTypeName, server: Option<EntityTypeName>) -> Self {
        let mut filed: HashMap<Key, Vec<u32>> = HashMap::new();
        for (number, (policy, _)) in (0_u32..).zip(&policies) {
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
        Self { policies, filed, server_type: server, ready: RwLock::default() }
    }

    /// The rules that can speak about a call.
    pub(crate) fn slice(&self, standing: &Standing<'_>) -> Arc<Slice> {
        let pair = (standing.action.0, standing.agent.0);
        if let Some(slice) = self.ready.read().unwrap_or_else(PoisonError::into_inner).pairs.get(&pair) {
            return Arc::clone(slice);
        }
        let numbers = self.numbers(standing);
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slice) = ready.distinct.get(&numbers).map(Arc::clone) {
            ready.remember(pair, &slice);
            return slice;
        }
        drop(ready);
        let slice = Arc::new(slice(numbers.iter().filter_map(|&number| self.policies.get(number as usize))));
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if ready.held.saturating_add(numbers.len()) > MAX_HELD {
            *ready = Ready::default();
        }
        if numbers.len() <= MAX_HELD {
            ready.held += numbers.len();
            ready.distinct.insert(numbers, Arc::clone(&slice));
            ready.remember(pair, &slice);
        }
        slice
    }

    /// All rules, for comparing.
    pub(crate) fn whole(&self) -> Slice {
        Slice { parts: Parts::ALL, ..slice(self.policies.iter()) }
    }

    fn numbers(&self, standing: &Standing<'_>) -> Vec<u32> {
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
        numbers.retain(|&number| {
            self.policies.get(number as usize).is_some_and(|(policy, _)| self.reaches(policy, standing.server))
        });
        numbers
    }

    fn reaches(&self, policy: &Policy, server: &[EntityUid]) -> bool {
        match policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Eq(uid) => server.first() == Some(&uid),
            ResourceConstraint::In(uid) => server.contains(&uid),
            ResourceConstraint::Is(name) => self.is_server(&name),
            ResourceConstraint::IsIn(name, uid) => self.is_server(&name) && server.contains(&uid),
        }
    }

    fn is_server(&self, name: &EntityTypeName) -> bool {
        self.server_type.as_ref().is_none_or(|server| server == name)
    }
}

impl Ready {
    fn remember(&mut self, pair: (usize, usize), slice: &Arc<Slice>) {
        if self.pairs.len() >= MAX_PAIRS {
            *self = Self::default();
        }
        self.pairs.insert(pair, Arc::clone(slice));
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

fn slice<'a>(policies: impl Iterator<Item = &'a (Policy, Parts)>) -> Slice {
    let mut slice = Slice::default();
    for (policy, parts) in policies {
        slice.parts = slice.parts.union(*parts);
        let set = match policy.effect() {
            cedar_policy::Effect::Permit => &mut slice.permits,
            cedar_policy::Effect::Forbid => &mut slice.guards,
        };
        // Ids are unique in a bundle, so that adding cannot fail.
        let _unique = set.add(policy.clone());
    }
    slice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_ready_is_bounded() {
        let mut ready = Ready::default();
        let slice = Arc::new(Slice::default());
        for number in 0..MAX_PAIRS {
            ready.remember((number, 0), &slice);
        }
        assert_eq!(ready.pairs.len(), MAX_PAIRS);
        ready.remember((0, 1), &slice);
        assert_eq!(ready.pairs.len(), 1);
    }
}
