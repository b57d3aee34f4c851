//! The entity stores: agents, servers and actions, with the groups they are in.
//!
//! A group that is missing from the store makes a guard on that group silently not match, so a store proves itself
//! before it is used: each group is asked once whether its members are in it.

use crate::schema::{ActionShape, Actions, groups};
use crate::shapes::{AgentShape, ServerShape, Shapes};
use crate::vocabulary::Names;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, Policy, PolicySet, Request, RestrictedExpression,
    Schema,
};
use cedar_policy_core::entities::{self as core, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::CoreSchema;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;
use std::sync::OnceLock;
use vocab::Authn;

/// One store per way of authenticating: that is the only attribute of an agent that differs between calls. Each is built
/// when it is first asked for, once: most projects know one way.
#[derive(Debug)]
pub(crate) struct Stores {
    agents: Vec<AgentShape>,
    servers: Vec<ServerShape>,
    users: Vec<String>,
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
        let left_out: HashSet<&EntityUid> =
            actions.values().map(|action| &action.uid).filter(|uid| !kinds.contains(uid)).collect();
        for (authn, entities) in self.all(actions, names)? {
            let of_schema = || entities.iter().filter(|entity| !left_out.contains(&entity.uid())).cloned();
            if !closed(of_schema(), Some(schema))?.deep_eq(&closed(of_schema(), None)?) {
                return Err(format!("the schema has other entities than the store ({})", authn.as_str()));
            }
            for action in actions.values() {
                let declared: Option<HashSet<_>> =
                    action.groups.iter().map(|group| names.uid("Action", group)).collect();
                if declared.is_none() || declared != ancestors(entities, &action.uid) {
                    return Err(format!("`{}` is in other groups than declared ({})", action.id, authn.as_str()));
                }
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
        prove(first, actions, (&self.agents, &self.servers), names).map_err(|what| failed(*authn, &what))?;
        for (authn, entities) in others {
            if hierarchy(first) != hierarchy(entities) {
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
        store(authn, (&self.agents, &self.servers, &self.users), actions, names)
    }
}

/// Entities of which each lists every group it is in, however far up. Groups are in no group here, so there is nothing
/// to add: that is checked, which costs a fraction of adding.
fn closed(entities: impl Iterator<Item = Entity>, schema: Option<&Schema>) -> Result<Entities, String> {
    let schema = schema.map(|schema| CoreSchema::new(schema.as_ref()));
    let entities = entities.map(|entity| entity.as_ref().clone());
    let (how, extensions) = (TCComputation::EnforceAlreadyComputed, Extensions::all_available());
    let entities = core::Entities::from_entities(entities, schema.as_ref(), how, extensions);
    entities.map(Entities::from).map_err(|error| error.to_string())
}

fn ancestors(entities: &Entities, uid: &EntityUid) -> Option<HashSet<EntityUid>> {
    entities.ancestors(uid).map(|ancestors| ancestors.cloned().collect())
}

fn hierarchy(entities: &Entities) -> HashMap<EntityUid, Option<HashSet<EntityUid>>> {
    entities.iter().map(|entity| (entity.uid(), ancestors(entities, &entity.uid()))).collect()
}

/// Agents, servers and people.
type Parties<'a> = (&'a [AgentShape], &'a [ServerShape], &'a [String]);

fn store(authn: Authn, parties: Parties<'_>, actions: &Actions, names: &Names) -> Result<Entities, String> {
    let (agents, servers, users) = parties;
    let mut entities = Vec::new();
    let mut alone: HashSet<EntityUid> = HashSet::new();
    for agent in agents {
        let parents = agent_parents(agent, names).ok_or("an agent's group has no name")?;
        alone.extend(parents.iter().cloned());
        entities.push(agent_entity(agent, authn, parents, names)?);
    }
    for server in servers {
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
    alone.extend(users.iter().filter_map(|user| names.uid("User", user)));
    entities.extend(alone.into_iter().map(Entity::with_uid));
    closed(entities.into_iter(), None)
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
    entities: &Entities,
    actions: &Actions,
    (agents, servers): (&[AgentShape], &[ServerShape]),
    names: &Names,
) -> Result<(), String> {
    let nobody = names.uid("Agent", "").ok_or("no name for a canary")?;
    let nowhere = names.uid("Server", "").ok_or("no name for a canary")?;
    let nothing = names.uid("Action", "").ok_or("no name for a canary")?;
    let mut asked: Vec<(Call<'_>, Vec<String>)> = Vec::new();
    for ActionShape { uid, groups, .. } in actions.values() {
        let groups: Option<Vec<_>> = groups.iter().map(|group| names.uid("Action", group)).collect();
        let groups = groups.ok_or("no name for a group")?;
        let scopes = groups.iter().map(|group| format!("principal, action in {group}, resource"));
        asked.push(((&nobody, uid, &nowhere), scopes.collect()));
    }
    let agents =
        agents.iter().map(|agent| Some((names.uid("Agent", agent.id.as_str())?, agent_parents(agent, names)?)));
    let agents: Vec<_> = agents.collect::<Option<_>>().ok_or("no name for an agent or its groups")?;
    for (uid, groups) in &agents {
        let scopes = groups.iter().map(|group| format!("principal in {group}, action, resource"));
        asked.push(((uid, &nothing, &nowhere), scopes.collect()));
    }
    let servers = servers.iter().map(|server| Some((names.uid("Server", server.id.as_str())?, server.zone.as_ref())));
    let servers: Vec<_> = servers.collect::<Option<_>>().ok_or("no name for a server")?;
    for (uid, zone) in &servers {
        let zone = zone.map(|zone| names.uid("Zone", zone).ok_or("no name for a zone")).transpose()?;
        let scopes = zone.iter().map(|zone| format!("principal, action, resource in {zone}"));
        asked.push(((&nobody, &nothing, uid), scopes.collect()));
    }
    let mut canaries = Canaries::parse(asked.iter().flat_map(|(_, scopes)| scopes))?;
    asked.into_iter().try_for_each(|(call, scopes)| canaries.ask(entities, scopes, call))
}

/// Who does what where.
type Call<'a> = (&'a EntityUid, &'a EntityUid, &'a EntityUid);

/// Canary guards by their scope, and sets of them by their scopes.
struct Canaries {
    guards: HashMap<String, Policy>,
    sets: HashMap<Vec<String>, PolicySet>,
    authorizer: Authorizer,
}

impl Canaries {
    /// Parses a guard per scope, all at once: the parser takes longer to start than to read one.
    fn parse<'a>(scopes: impl Iterator<Item = &'a String>) -> Result<Self, String> {
        let scopes: BTreeSet<&String> = scopes.collect();
        let text: String =
            scopes.iter().enumerate().map(|(number, scope)| format!("@id(\"{number}\") forbid({scope});\n")).collect();
        let parsed = PolicySet::from_str(&text).map_err(|error| error.to_string())?;
        let by_number = parsed.policies().filter_map(|guard| Some((guard.annotation("id")?.to_owned(), guard)));
        let by_number: HashMap<String, &Policy> = by_number.collect();
        let guard =
            |(number, scope): (usize, &String)| Some((scope.clone(), (*by_number.get(&number.to_string())?).clone()));
        let guards: Option<_> = scopes.iter().copied().enumerate().map(guard).collect();
        let guards = guards.ok_or("a canary guard was not parsed")?;
        Ok(Self { guards, sets: HashMap::new(), authorizer: Authorizer::new() })
    }

    /// Asks whether the guards of all these scopes match a call.
    fn ask(&mut self, entities: &Entities, scopes: Vec<String>, call: Call<'_>) -> Result<(), String> {
        if scopes.is_empty() {
            return Ok(());
        }
        let (principal, action, resource) = call;
        let number = scopes.iter().collect::<HashSet<_>>().len();
        let guards = match self.sets.entry(scopes) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let scopes: HashSet<&String> = entry.key().iter().collect();
                let guards: Option<Vec<_>> = scopes.into_iter().map(|scope| self.guards.get(scope).cloned()).collect();
                let guards = PolicySet::from_policies(guards.ok_or("a canary guard is missing")?);
                entry.insert(guards.map_err(|error| error.to_string())?)
            }
        };
        let request = Request::new(principal.clone(), action.clone(), resource.clone(), Context::empty(), None);
        let request = request.map_err(|error| error.to_string())?;
        let response = self.authorizer.is_authorized(&request, guards, entities);
        let matched = response.decision() == Decision::Deny && response.diagnostics().reason().count() == number;
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
                        let changed = closed(others.iter().cloned().chain([entity.clone()]), None).unwrap();
                        let same = whole.of(*this, &actions, &names).unwrap().clone();
                        built.set(Some(if this == authn { changed } else { same })).unwrap();
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
    }
}
