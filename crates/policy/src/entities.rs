//! The entity stores: agents, servers and actions, with the groups they are in.
//!
//! A group that is missing from the store makes a guard on that group silently not match, so a store proves itself
//! before it is used: each group is asked once whether its members are in it.

use crate::schema::{ActionShape, Actions, groups};
use crate::shapes::{AgentShape, Shapes};
use crate::vocabulary::Names;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, Policy, PolicySet, Request, RestrictedExpression,
    Schema,
};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use vocab::Authn;

/// One store per way of authenticating: that is the only attribute of an agent that differs between calls.
#[derive(Debug)]
pub(crate) struct Stores(Vec<(Authn, Entities)>);

impl Stores {
    /// Builds the stores.
    pub(crate) fn new(shapes: &Shapes, actions: &Actions, names: &Names) -> Result<Self, String> {
        let stores = Authn::ALL.iter().map(|&authn| Ok((authn, store(authn, shapes, actions, names)?)));
        stores.collect::<Result<_, String>>().map(Self)
    }

    /// The store for a way of authenticating.
    pub(crate) fn of(&self, authn: Authn) -> Option<&Entities> {
        self.0.iter().find_map(|(this, entities)| (*this == authn).then_some(entities))
    }

    /// Checks every entity against the schema, and that the schema has no action beside those of the stores.
    pub(crate) fn fit(&self, schema: &Schema) -> Result<(), String> {
        for (authn, entities) in &self.0 {
            let checked = Entities::from_entities(entities.iter().cloned(), Some(schema));
            if !checked.map_err(|error| error.to_string())?.deep_eq(entities) {
                return Err(format!("the schema has other entities than the store ({})", authn.as_str()));
            }
        }
        Ok(())
    }

    /// Asks a canary guard per membership whether it matches.
    pub(crate) fn prove(&self, actions: &Actions, shapes: &Shapes, names: &Names) -> Result<(), String> {
        let mut canaries = Canaries::default();
        for (authn, entities) in &self.0 {
            let proved = prove(&mut canaries, entities, actions, shapes, names);
            proved.map_err(|what| format!("{what} ({})", authn.as_str()))?;
        }
        Ok(())
    }
}

fn store(authn: Authn, shapes: &Shapes, actions: &Actions, names: &Names) -> Result<Entities, String> {
    let mut entities = Vec::new();
    let mut alone: HashSet<EntityUid> = HashSet::new();
    for agent in &shapes.agents {
        let parents = agent_parents(agent, names).ok_or("an agent's group has no name")?;
        alone.extend(parents.iter().cloned());
        entities.push(agent_entity(agent, authn, parents, names)?);
    }
    for server in &shapes.servers {
        let uid = names.uid("Server", server.id.as_str()).ok_or("a server has no name")?;
        let zone = server.zone.as_ref().and_then(|zone| names.uid("Zone", zone));
        alone.extend(zone.clone());
        let attributes = HashMap::from([
            ("trust".to_owned(), RestrictedExpression::new_long(server.trust)),
            ("pinned".to_owned(), RestrictedExpression::new_bool(server.pinned)),
            ("transport".to_owned(), RestrictedExpression::new_string(server.transport.clone())),
            ("confinement".to_owned(), RestrictedExpression::new_string(server.confinement.clone())),
        ]);
        let entity = Entity::new(uid, attributes, zone.into_iter().collect());
        entities.push(entity.map_err(|error| error.to_string())?);
    }
    for ActionShape { uid, groups, .. } in actions.values() {
        let parents: Option<HashSet<_>> = groups.iter().map(|group| names.uid("Action", group)).collect();
        entities.push(Entity::new_no_attrs(uid.clone(), parents.ok_or("a group has no name")?));
    }
    alone.extend(groups().filter_map(|group| names.uid("Action", group)));
    alone.extend(shapes.users.iter().filter_map(|user| names.uid("User", user)));
    entities.extend(alone.into_iter().map(Entity::with_uid));
    Entities::from_entities(entities, None).map_err(|error| error.to_string())
}

fn agent_entity(
    agent: &AgentShape,
    authn: Authn,
    parents: HashSet<EntityUid>,
    names: &Names,
) -> Result<Entity, String> {
    let uid = names.uid("Agent", agent.id.as_str()).ok_or("an agent has no name")?;
    let word = |kind, word: &str| names.word(kind, word).ok_or_else(|| format!("`{word}` is not a word of {kind}"));
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let attributes = HashMap::from([
        ("tier".to_owned(), word("Tier", agent.tier.as_str())?),
        ("env".to_owned(), word("Env", &agent.env)?),
        ("authn".to_owned(), word("Authn", authn.as_str())?),
        ("model".to_owned(), text(&agent.model)),
        ("model_version".to_owned(), text(&agent.model_version)),
        ("owner".to_owned(), text(&agent.owner)),
        ("eval_passed".to_owned(), RestrictedExpression::new_bool(agent.eval_passed)),
    ]);
    Entity::new(uid, attributes, parents).map_err(|error| error.to_string())
}

/// The groups an agent is in.
pub(crate) fn agent_parents(agent: &AgentShape, names: &Names) -> Option<HashSet<EntityUid>> {
    let classes = agent.classes.iter().map(|class| names.uid("AgentClass", class));
    let team = agent.team.iter().map(|team| names.uid("Team", team));
    classes.chain(team).collect()
}

fn prove(
    canaries: &mut Canaries,
    entities: &Entities,
    actions: &Actions,
    shapes: &Shapes,
    names: &Names,
) -> Result<(), String> {
    let nobody = names.uid("Agent", "").ok_or("no name for a canary")?;
    let nowhere = names.uid("Server", "").ok_or("no name for a canary")?;
    let nothing = names.uid("Action", "").ok_or("no name for a canary")?;
    for ActionShape { uid, groups, .. } in actions.values() {
        for group in groups {
            let group = names.uid("Action", group).ok_or("no name for a group")?;
            canaries.ask(entities, format!("principal, action in {group}, resource"), (&nobody, uid, &nowhere))?;
        }
    }
    for agent in &shapes.agents {
        let uid = names.uid("Agent", agent.id.as_str()).ok_or("no name for an agent")?;
        for group in agent_parents(agent, names).ok_or("no name for a group")? {
            canaries.ask(entities, format!("principal in {group}, action, resource"), (&uid, &nothing, &nowhere))?;
        }
    }
    for server in &shapes.servers {
        let uid = names.uid("Server", server.id.as_str()).ok_or("no name for a server")?;
        for zone in server.zone.iter().filter_map(|zone| names.uid("Zone", zone)) {
            canaries.ask(entities, format!("principal, action, resource in {zone}"), (&nobody, &nothing, &uid))?;
        }
    }
    Ok(())
}

/// Canary guards by their scope, parsed once.
#[derive(Default)]
struct Canaries(HashMap<String, PolicySet>);

impl Canaries {
    fn ask(
        &mut self,
        entities: &Entities,
        scope: String,
        (principal, action, resource): (&EntityUid, &EntityUid, &EntityUid),
    ) -> Result<(), String> {
        let canaries = match self.0.entry(scope) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let canary = Policy::parse(None, format!("forbid({});", entry.key()));
                let canary = canary.map_err(|error| error.to_string())?;
                entry.insert(PolicySet::from_policies([canary]).map_err(|error| error.to_string())?)
            }
        };
        let request = Request::new(principal.clone(), action.clone(), resource.clone(), Context::empty(), None);
        let request = request.map_err(|error| error.to_string())?;
        let response = Authorizer::new().is_authorized(&request, canaries, entities);
        let matched = response.decision() == Decision::Deny && response.diagnostics().reason().next().is_some();
        if matched { Ok(()) } else { Err(format!("a guard on a group does not match {principal} {action} {resource}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{actions, schema_text};
    use vocab::id::ServerId;

    fn schema(actions: &Actions) -> Schema {
        Schema::from_cedarschema_str(&schema_text(&[], actions)).unwrap().0
    }

    /// The silent fail-open: a store without action entities answers "not in the group", and no error.
    #[test]
    fn a_store_without_action_groups_neither_proves_itself_nor_fits() {
        let names = Names::new(&[]).unwrap();
        let (actions, _) = actions([ServerId::new("desk")].iter(), &[], &names);
        let shapes = Shapes::default();
        let empty = Stores(vec![(Authn::Local, Entities::empty())]);
        assert!(empty.prove(&actions, &shapes, &names).is_err());
        assert!(empty.fit(&schema(&actions)).is_err());
        let whole = Stores::new(&shapes, &actions, &names).unwrap();
        assert_eq!(whole.prove(&actions, &shapes, &names), Ok(()));
        assert_eq!(whole.fit(&schema(&actions)), Ok(()));
    }

    #[test]
    fn a_store_of_other_actions_than_the_schema_does_not_fit() {
        let names = Names::new(&[]).unwrap();
        let of = |servers: &[&str]| {
            let servers: Vec<ServerId> = servers.iter().map(|server| ServerId::new(*server)).collect();
            actions(servers.iter(), &[], &names).0
        };
        let (one, two) = (of(&["desk"]), of(&["desk", "shop"]));
        let stores = |actions: &Actions| Stores::new(&Shapes::default(), actions, &names).unwrap();
        assert!(stores(&one).fit(&schema(&two)).is_err());
        assert!(stores(&two).fit(&schema(&one)).is_err());
    }
}
