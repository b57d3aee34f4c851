//! The entity stores: agents, servers and actions, with the groups they are in.
//!
//! A group that is missing from the store makes a guard on that group silently not match, so a store proves itself
//! before it is used: each group is asked once whether its members are in it.

use crate::canaries;
use crate::schema::{ActionShape, Actions, groups};
use crate::shapes::{AgentShape, ServerShape, Shapes};
use crate::vocabulary::Names;
use cedar_policy::{Entities, Entity, EntityUid, RestrictedExpression, Schema};
use cedar_policy_core::ast;
use cedar_policy_core::entities::conformance::EntitySchemaConformanceChecker;
use cedar_policy_core::entities::{self as core, Dereference, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::CoreSchema;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use vocab::Authn;

/// One store per way of authenticating: that is the only attribute of an agent that differs between calls. Each is built
/// when it is first asked for, once: most projects know one way.
#[derive(Debug)]
pub(crate) struct Stores {
    agents: Vec<AgentShape>,
    servers: Vec<ServerShape>,
    users: Vec<String>,
    /// What is the same in all of them.
    shared: OnceLock<Result<core::Entities, String>>,
    /// A store that cannot be built stays `None`, and every call that needs it is refused.
    built: Vec<(Authn, OnceLock<Option<Entities>>)>,
}

impl Stores {
    /// Stores of these agents, servers and people.
    pub(crate) fn new(shapes: &Shapes) -> Self {
        Self {
            agents: shapes.agents.clone(),
            servers: shapes.servers.clone(),
            users: shapes.users.clone(),
            shared: OnceLock::new(),
            built: Authn::ALL.iter().map(|&authn| (authn, OnceLock::new())).collect(),
        }
    }

    /// The store for a way of authenticating, with these actions: the same ones every time.
    pub(crate) fn of(&self, authn: Authn, actions: &Actions, names: &Names) -> Option<&Entities> {
        let (_, built) = self.built.iter().find(|(this, _)| *this == authn)?;
        built.get_or_init(|| self.build(authn, actions, names).ok()).as_ref()
    }

    /// Checks every entity against the schema, and that the schema has no action beside those of the stores.
    ///
    /// Of the actions only those in `kinds` are in the schema, and stand for all. So each of the others is checked to be
    /// in exactly the groups it was declared in: with these and its arguments it is of the kind of one that was checked.
    pub(crate) fn fit(
        &self,
        schema: &Schema,
        kinds: &[&ActionShape],
        actions: &Actions,
        names: &Names,
    ) -> Result<(), String> {
        let kinds: HashSet<&EntityUid> = kinds.iter().map(|action| &action.uid).collect();
        let left_out = actions.values().map(|action| &action.uid).filter(|uid| !kinds.contains(uid));
        let left_out: HashSet<&ast::EntityUID> = left_out.map(AsRef::as_ref).collect();
        let of_schema = CoreSchema::new(schema.as_ref());
        let checker = EntitySchemaConformanceChecker::new(&of_schema, Extensions::all_available());
        for (authn, entities) in self.all(actions, names)? {
            let entities: &core::Entities = entities.as_ref();
            for entity in entities.iter().filter(|entity| !left_out.contains(entity.uid())) {
                checker.validate_entity(entity).map_err(|error| format!("{error} ({})", authn.as_str()))?;
            }
            // Those that are in the store were found above to be the same.
            if schema.as_ref().actions().any(|uid| stored(entities, uid).is_none()) {
                return Err(format!("the schema has other actions than the store ({})", authn.as_str()));
            }
            if let Some(action) = actions.values().find(|action| !is_as_declared(action, entities)) {
                return Err(format!("`{}` is in other groups than declared ({})", action.id, authn.as_str()));
            }
        }
        Ok(())
    }

    /// Asks canary guards, for every member of a group, whether they match.
    ///
    /// A guard's scope looks at who is in what, and at nothing else of an entity. So the canaries are asked of one store,
    /// and the others have to have the same entities in the same groups.
    pub(crate) fn prove(&self, actions: &Actions, names: &Names) -> Result<(), String> {
        let stores = self.all(actions, names)?;
        let ((authn, first), others) = stores.split_first().ok_or("no store")?;
        let failed = |authn: Authn, what: &str| format!("{what} ({})", authn.as_str());
        canaries::ask(first, actions, (&self.agents, &self.servers), names).map_err(|what| failed(*authn, &what))?;
        for (authn, entities) in others {
            if !are_grouped_alike(first.as_ref(), entities.as_ref()) {
                return Err(failed(*authn, "the groups differ from those of another store"));
            }
        }
        Ok(())
    }

    fn all(&self, actions: &Actions, names: &Names) -> Result<Vec<(Authn, &Entities)>, String> {
        let stores = self.built.iter().map(|(authn, _)| match self.of(*authn, actions, names) {
            Some(entities) => Ok((*authn, entities)),
            // Built once more, for what is wrong with it.
            None => Err(self.build(*authn, actions, names).err().unwrap_or_default()),
        });
        stores.collect()
    }

    fn build(&self, authn: Authn, actions: &Actions, names: &Names) -> Result<Entities, String> {
        let shared = self.shared.get_or_init(|| self.without_agents(actions, names)).clone()?;
        let agents = self.agents.iter().map(|agent| agent_entity(agent, authn, names));
        let agents = agents.map(|agent| agent.map(|agent| Arc::new(agent.as_ref().clone())));
        closed(shared, agents.collect::<Result<_, _>>()?).map(Entities::from)
    }

    /// The servers, actions, people, and all groups.
    fn without_agents(&self, actions: &Actions, names: &Names) -> Result<core::Entities, String> {
        let mut entities = Vec::new();
        let mut alone: HashSet<EntityUid> = HashSet::new();
        for agent in &self.agents {
            alone.extend(agent_parents(agent, names).ok_or("an agent's group has no name")?);
        }
        for server in &self.servers {
            let zone = server.zone.as_ref().and_then(|zone| names.uid("Zone", zone));
            alone.extend(zone.clone());
            entities.push(server_entity(server, zone, names)?);
        }
        for ActionShape { uid, parents, .. } in actions.values() {
            entities.push(Entity::new_no_attrs(uid.clone(), parents.iter().cloned().collect()));
        }
        alone.extend(groups().filter_map(|group| names.uid("Action", group)));
        alone.extend(self.users.iter().filter_map(|user| names.uid("User", user)));
        entities.extend(alone.into_iter().map(Entity::with_uid));
        let entities = entities.into_iter().map(|entity| entity.as_ref().clone());
        // Whether each lists every group it is in is looked at when the agents are there too.
        let (how, extensions) = (TCComputation::AssumeAlreadyComputed, Extensions::all_available());
        core::Entities::from_entities(entities, NO_SCHEMA, how, extensions).map_err(|error| error.to_string())
    }
}

const NO_SCHEMA: Option<&CoreSchema<'static>> = None;

/// Entities of which each lists every group it is in, however far up. Groups are in no group here, so there is nothing
/// to add: that is checked, which costs a fraction of adding.
fn closed(entities: core::Entities, more: Vec<Arc<ast::Entity>>) -> Result<core::Entities, String> {
    let (how, extensions) = (TCComputation::EnforceAlreadyComputed, Extensions::all_available());
    entities.add_entities(more, NO_SCHEMA, how, extensions).map_err(|error| error.to_string())
}

fn stored<'a>(entities: &'a core::Entities, uid: &ast::EntityUID) -> Option<&'a ast::Entity> {
    match entities.entity(uid) {
        Dereference::Data(entity) => Some(entity),
        Dereference::NoSuchEntity | Dereference::Residual(_) => None,
    }
}

fn is_as_declared(action: &ActionShape, entities: &core::Entities) -> bool {
    stored(entities, action.uid.as_ref()).is_some_and(|entity| {
        action.parents.iter().all(|group| entity.is_descendant_of(group.as_ref()))
            && entity.ancestors().all(|group| action.parents.iter().any(|declared| declared.as_ref() == group))
    })
}

/// Whether both have the same entities, in the same groups.
fn are_grouped_alike(one: &core::Entities, other: &core::Entities) -> bool {
    let is_alike = |entity: &ast::Entity| {
        stored(other, entity.uid()).is_some_and(|twin| {
            entity.ancestors().all(|group| twin.is_descendant_of(group))
                && twin.ancestors().all(|group| entity.is_descendant_of(group))
        })
    };
    one.len() == other.len() && one.iter().all(is_alike)
}

fn server_entity(server: &ServerShape, zone: Option<EntityUid>, names: &Names) -> Result<Entity, String> {
    let uid = names.uid("Server", server.id.as_str()).ok_or("a server has no name")?;
    let attributes = HashMap::from([
        ("trust".to_owned(), RestrictedExpression::new_long(server.trust)),
        ("pinned".to_owned(), RestrictedExpression::new_bool(server.pinned)),
        ("transport".to_owned(), RestrictedExpression::new_string(server.transport.clone())),
        ("confinement".to_owned(), RestrictedExpression::new_string(server.confinement.clone())),
    ]);
    Entity::new(uid, attributes, zone.into_iter().collect()).map_err(|error| error.to_string())
}

fn agent_entity(agent: &AgentShape, authn: Authn, names: &Names) -> Result<Entity, String> {
    let uid = names.uid("Agent", agent.id.as_str()).ok_or("an agent has no name")?;
    let parents = agent_parents(agent, names).ok_or("an agent's group has no name")?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{actions, schema_text};
    use vocab::id::ServerId;

    fn schema(actions: &Actions) -> Schema {
        Schema::from_cedarschema_str(&schema_text(&[], actions)).unwrap().0
    }

    fn holding(entities: &Entities) -> Stores {
        let stores = Stores::new(&Shapes::default());
        stores.built.iter().for_each(|(_, built)| built.set(Some(entities.clone())).unwrap());
        stores
    }

    /// Of the schema of all actions.
    fn fit(stores: &Stores, of: &Actions, names: &Names) -> Result<(), String> {
        stores.fit(&schema(of), &of.values().collect::<Vec<_>>(), of, names)
    }

    /// The silent fail-open: a store without action entities answers "not in the group", and no error.
    #[test]
    fn a_store_without_action_groups_neither_proves_itself_nor_fits() {
        let names = Names::new(&[]).unwrap();
        let (actions, _) = actions([ServerId::new("desk")].iter(), &[], &names);
        let empty = holding(&Entities::empty());
        assert!(empty.prove(&actions, &names).is_err());
        assert!(fit(&empty, &actions, &names).is_err());
        let whole = Stores::new(&Shapes::default());
        assert_eq!(whole.prove(&actions, &names), Ok(()));
        assert_eq!(fit(&whole, &actions, &names), Ok(()));
    }

    /// Every action in turn, and each store in turn, loses one of its groups.
    #[test]
    fn one_membership_that_is_missing_in_one_store_is_found() {
        let names = Names::new(&[]).unwrap();
        let (actions, _) = actions([ServerId::new("desk")].iter(), &[], &names);
        let whole = Stores::new(&Shapes::default());
        let uid = |action: &ActionShape, from: usize| {
            let groups = action.groups.iter().skip(from).map(|group| names.uid("Action", group).unwrap());
            Entity::new_no_attrs(action.uid.clone(), groups.collect())
        };
        for action in actions.values() {
            let kinds: Vec<_> = actions.values().filter(|other| other.uid != action.uid).collect();
            let of_kinds = crate::schema::assembled(&[], kinds.iter().copied(), &names).unwrap();
            for (authn, _) in &whole.built {
                let with = |entity: Entity| {
                    let others = whole.of(*authn, &actions, &names).unwrap().iter();
                    let others: Vec<Entity> = others.filter(|other| other.uid() != action.uid).cloned().collect();
                    let stores = Stores::new(&Shapes::default());
                    for (this, built) in &stores.built {
                        let entities = others.iter().chain([&entity]).map(|entity| Arc::new(entity.as_ref().clone()));
                        let changed = closed(core::Entities::new(), entities.collect()).unwrap();
                        let same = whole.of(*this, &actions, &names).unwrap().clone();
                        built.set(Some(if this == authn { changed.into() } else { same })).unwrap();
                    }
                    (stores.prove(&actions, &names), stores.fit(&of_kinds, &kinds, &actions, &names))
                };
                assert_eq!(with(uid(action, 0)), (Ok(()), Ok(())));
                let (proved, fits) = with(uid(action, 1));
                assert!(proved.is_err() && fits.is_err(), "{} {}", action.id, authn.as_str());
            }
        }
    }

    #[test]
    fn a_store_that_cannot_be_built_is_an_error_of_the_load_and_none_afterwards() {
        let names = Names::new(&[]).unwrap();
        let (actions, _) = actions([].iter(), &[], &names);
        let agent = AgentShape {
            id: vocab::id::AgentId::new("bot"),
            owner: String::new(),
            tier: vocab::Tier::High,
            env: "nowhere".to_owned(),
            model: String::new(),
            model_version: String::new(),
            classes: Vec::new(),
            team: None,
            eval_passed: false,
            mode: vocab::Mode::Enforce,
        };
        let stores = Stores::new(&Shapes { agents: vec![agent], ..Shapes::default() });
        assert!(stores.prove(&actions, &names).unwrap_err().contains("`nowhere` is not a word of Env"));
        assert!(stores.of(Authn::Local, &actions, &names).is_none());
    }

    #[test]
    fn a_store_of_other_actions_than_the_schema_does_not_fit() {
        let names = Names::new(&[]).unwrap();
        let of = |servers: &[&str]| {
            let servers: Vec<ServerId> = servers.iter().map(|server| ServerId::new(*server)).collect();
            actions(servers.iter(), &[], &names).0
        };
        let (one, two) = (of(&["desk"]), of(&["desk", "shop"]));
        let stored =
            |actions: &Actions| holding(Stores::new(&Shapes::default()).of(Authn::Local, actions, &names).unwrap());
        assert!(fit(&stored(&one), &two, &names).is_err());
        assert!(fit(&stored(&two), &one, &names).is_err());
        let more = stored(&one).fit(&schema(&two), &one.values().collect::<Vec<_>>(), &one, &names);
        assert!(more.unwrap_err().contains("other actions"));
    }
}
