//! Canary guards: one on each group, asked for each member of the group whether it matches.
//!
//! They are evaluated as the scopes of rules are when a call is decided. A membership that the store lacks would make a
//! guard silently not match; here it is found before the store is used.

use crate::condition::{Outcome, scope};
use crate::entities::agent_parents;
use crate::schema::Actions;
use crate::shapes::{AgentShape, ServerShape};
use crate::vocabulary::Names;
use cedar_policy::{Context, Entities, EntityUid, Policy, Request};
use cedar_policy_core::ast::{
    ActionConstraint, Annotations, Effect, EntityUID, PolicyID, PrincipalConstraint, ResourceConstraint, StaticPolicy,
};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Asks for every action, agent and server whether the guards on its groups match.
pub(crate) fn ask(
    entities: &Entities,
    actions: &Actions,
    (agents, servers): (&[AgentShape], &[ServerShape]),
    names: &Names,
) -> Result<(), String> {
    let nobody = names.uid("Agent", "").ok_or("no name for a canary")?;
    let nowhere = names.uid("Server", "").ok_or("no name for a canary")?;
    let nothing = names.uid("Action", "").ok_or("no name for a canary")?;
    let mut canaries = Canaries { entities, guards: HashMap::new() };
    for action in actions.values() {
        canaries.ask(Place::Action, &action.parents, (&nobody, &action.uid, &nowhere))?;
    }
    for agent in agents {
        let uid = names.uid("Agent", agent.id.as_str()).ok_or("no name for an agent")?;
        let groups = agent_parents(agent, names).ok_or("no name for an agent's groups")?;
        canaries.ask(Place::Principal, &groups, (&uid, &nothing, &nowhere))?;
    }
    for server in servers {
        let uid = names.uid("Server", server.id.as_str()).ok_or("no name for a server")?;
        let zone = server.zone.as_ref().map(|zone| names.uid("Zone", zone).ok_or("no name for a zone")).transpose()?;
        canaries.ask(Place::Resource, &zone, (&nobody, &nothing, &uid))?;
    }
    Ok(())
}

/// Who does what where.
type Call<'a> = (&'a EntityUid, &'a EntityUid, &'a EntityUid);

/// The part of a scope that names a group.
#[derive(Clone, Copy)]
enum Place {
    Principal,
    Action,
    Resource,
}

/// The guards that were needed so far, by group: one of a type stands in one place only.
struct Canaries<'a> {
    entities: &'a Entities,
    guards: HashMap<EntityUid, Policy>,
}

impl Canaries<'_> {
    /// Asks whether the guards on all these groups match a call.
    fn ask<'a>(
        &mut self,
        place: Place,
        groups: impl IntoIterator<Item = &'a EntityUid>,
        (principal, action, resource): Call<'_>,
    ) -> Result<(), String> {
        let request = Request::new(principal.clone(), action.clone(), resource.clone(), Context::empty(), None);
        let request = request.map_err(|error| error.to_string())?;
        for group in groups {
            let guard = match self.guards.entry(group.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(guard(place, group)?),
            };
            if scope(guard, &request, self.entities) != Outcome::Satisfied {
                return Err(format!("a guard on {group} does not match {principal} {action} {resource}"));
            }
        }
        Ok(())
    }
}

/// `forbid(principal, action in <group>, resource);`, and the like for the other places. Put together, because the parser
/// takes longer to start than all of them to be asked.
fn guard(place: Place, group: &EntityUid) -> Result<Policy, String> {
    let group = EntityUID::from(group.clone());
    let (anyone, anything, anywhere) = (PrincipalConstraint::any(), ActionConstraint::any(), ResourceConstraint::any());
    let (principal, action, resource) = match place {
        Place::Principal => (PrincipalConstraint::is_in(Arc::new(group)), anything, anywhere),
        Place::Action => (anyone, ActionConstraint::is_in([group]), anywhere),
        Place::Resource => (anyone, anything, ResourceConstraint::is_in(Arc::new(group))),
    };
    let (id, forbid) = (PolicyID::from_string("canary"), Effect::Forbid);
    let guard = StaticPolicy::new(id, None, Annotations::new(), forbid, principal, action, resource, None);
    guard.map(Policy::from).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_what_its_text_says() {
        for (place, kind, text) in [
            (Place::Principal, "Team", "principal in Team::\"x\", action, resource"),
            (Place::Action, "Action", "principal, action in Action::\"x\", resource"),
            (Place::Resource, "Zone", "principal, action, resource in Zone::\"x\""),
        ] {
            let group = Names::new(&[]).unwrap().uid(kind, "x").unwrap();
            let (made, read) =
                (guard(place, &group).unwrap(), Policy::parse(None, format!("forbid({text});")).unwrap());
            let (made, read) = (made.as_ref(), read.as_ref());
            assert_eq!(made.principal_constraint(), read.principal_constraint());
            assert_eq!(made.action_constraint(), read.action_constraint());
            assert_eq!(made.resource_constraint(), read.resource_constraint());
            assert_eq!((made.effect(), made.non_scope_constraints()), (read.effect(), None));
        }
    }
}
