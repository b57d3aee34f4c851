//! From files and shapes to a bundle, or to everything that is wrong with them.

use crate::bundle::{Bundle, Kind, Live, Placed, bundle_digest};
use crate::decide::uncertain_text;
use crate::entities::{Stores, agent_parents};
use crate::index::Index;
use crate::load::{
    Inventory, Parsed, check_arithmetic, check_entities, check_redactions, parse, read_rule, soundness, validate,
};
use crate::parts::Parts;
use crate::rule::Rule;
use crate::schema::{Actions, LazySchema, actions, assembled, schema_text};
use crate::shapes::{Compilation, Shapes, Source};
use crate::vocabulary::Names;
use cedar_policy::{Authorizer, EntityTypeName, PolicyId, Schema};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;
use vocab::id::{Digest, RuleId};
use vocab::{Diagnostic, Severity};

/// The guards that come with Mortise.
const SHIPPED: &str = include_str!("shipped.cedar");
/// What diagnostics call their file.
const SHIPPED_FILE: &str = "mortise:shipped.cedar";

/// Compiles policy files against the project's shapes. The bundle is `None` exactly when a diagnostic is an error.
#[must_use]
pub fn compile(sources: &[Source], shapes: &Shapes) -> Compilation {
    compile_known(sources, shapes, &|_| false)
}

/// As [`compile`], for a caller that remembers sets which this build of Mortise has found sound: of one whose
/// [`Bundle::soundness`] `is_sound` says so, neither the strict validation nor the proof of the entity stores is done
/// again, and the warnings of that validation are not repeated. Everything else is.
#[must_use]
pub fn compile_known(sources: &[Source], shapes: &Shapes, is_sound: &dyn Fn(&Digest) -> bool) -> Compilation {
    let mut diagnostics = Vec::new();
    let bundle = bundle(sources, shapes, is_sound, &mut diagnostics);
    diagnostics.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    diagnostics.dedup();
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    if bundle.is_none() && !failed {
        diagnostics.push(Diagnostic::error("policy/internal", "", "the rules did not load, and nothing says why"));
    }
    Compilation { bundle: bundle.filter(|_| !failed), diagnostics }
}

fn bundle(
    sources: &[Source],
    shapes: &Shapes,
    is_sound: &dyn Fn(&Digest) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Bundle> {
    let envs: Vec<String> = shapes.agents.iter().map(|agent| agent.env.clone()).collect();
    let names = Names::new(&envs)?;
    check_shapes(shapes, diagnostics);
    let (actions, twice) = actions(shapes.servers.iter().map(|server| &server.id), &shapes.tools, &names);
    for id in twice {
        diagnostics.push(Diagnostic::error("schema/duplicate", "", format!("`{id}` is declared twice")));
    }
    let schema = LazySchema::new(schema_text(&envs, &actions).into());
    let shipped = Source { file: SHIPPED_FILE.into(), text: SHIPPED.into() };
    let sources: Vec<&Source> = std::iter::once(&shipped).chain(sources).collect();
    let loaded = load(&sources, shapes, &actions, diagnostics);
    let soundness = soundness(schema.text(), &sources, shapes, &actions);
    let is_known = is_sound(&soundness);
    if !is_known {
        check(schema.get_or(|| assembled(&envs, &actions, &names)), &loaded, diagnostics);
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return None;
    }
    let stores = Stores::new(shapes, &actions, &names).and_then(|stores| {
        if !is_known {
            stores.fit(schema.get()?)?;
            stores.prove(&actions, shapes, &names)?;
        }
        Ok(stores)
    });
    let stores = stores.map_err(|why| diagnostics.push(Diagnostic::error("policy/canary", "", why))).ok()?;
    let (policies, rules): (Vec<_>, Vec<_>) =
        loaded.into_iter().map(|(parsed, rule)| ((parsed.policy, Parts::looked_at(&parsed.json)), rule)).unzip();
    let digest = bundle_digest(schema.text(), &rules, &shapes.agents, &shapes.servers, &actions);
    let agent_type = EntityTypeName::from_str("Agent").ok()?;
    let live = Live {
        by_id: policies.iter().enumerate().map(|(number, (policy, _))| (policy.id().clone(), number)).collect(),
        rules,
        index: Index::new(policies, &agent_type),
        schema,
        soundness,
        actions: placed_actions(&actions, &names)?,
        agents: placed_agents(shapes, &names)?,
        servers: placed_servers(shapes, &names)?,
        shapes: actions,
        stores,
        names,
        authorizer: Authorizer::new(),
        uncertain_text: uncertain_text(),
    };
    Some(Bundle { digest, kind: Kind::Live(Box::new(live)) })
}

/// Validates the rules against the schema.
fn check(schema: Result<&Schema, &str>, loaded: &[(Parsed, Rule)], diagnostics: &mut Vec<Diagnostic>) {
    match schema {
        Ok(schema) => validate(schema, loaded, diagnostics),
        Err(error) => {
            let text = format!("the generated schema is not sound: {error}");
            diagnostics.push(Diagnostic::error("schema/internal", "", text));
        }
    }
}

fn check_shapes(shapes: &Shapes, diagnostics: &mut Vec<Diagnostic>) {
    let servers: HashSet<&str> = shapes.servers.iter().map(|server| server.id.as_str()).collect();
    for tool in shapes.tools.iter().filter(|tool| !servers.contains(tool.server.as_str())) {
        diagnostics.push(Diagnostic::error(
            "schema/unknown-server",
            "",
            format!("`{}` is a tool of no server", tool.action()),
        ));
    }
    let mut agents = HashSet::new();
    for agent in shapes.agents.iter().filter(|agent| !agents.insert(&agent.id)) {
        diagnostics.push(Diagnostic::error("schema/duplicate", "", format!("agent `{}` is declared twice", agent.id)));
    }
    let mut seen = HashSet::new();
    for server in shapes.servers.iter().filter(|server| !seen.insert(&server.id)) {
        diagnostics.push(Diagnostic::error(
            "schema/duplicate",
            "",
            format!("server `{}` is declared twice", server.id),
        ));
    }
}

/// Reads the rules; the first source is the shipped one.
fn load(
    sources: &[&Source],
    shapes: &Shapes,
    actions: &Actions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(Parsed, Rule)> {
    let approvers: Vec<&str> = shapes.approver_groups.iter().chain(&shapes.users).map(String::as_str).collect();
    let inventory = Inventory::new(shapes, actions);
    let mut first: BTreeMap<RuleId, (Arc<str>, u32)> = BTreeMap::new();
    let mut loaded = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let shipped = number == 0;
        for parsed in parse(source, diagnostics) {
            check_arithmetic(&parsed, diagnostics);
            check_entities(&parsed, &inventory, diagnostics);
            let Some(rule) = read_rule(&parsed, shipped, &approvers, diagnostics) else {
                continue;
            };
            check_redactions(&parsed, &rule, actions, diagnostics);
            let line = rule.place.as_ref().map_or(0, |place| place.line);
            if let Some((file, line)) = first.get(&rule.id) {
                let error =
                    parsed.error_at("policy/duplicate-id", "id", format!("`{}` is the id of another rule", rule.id));
                diagnostics.push(error.with_help(format!("the other is at {file}:{line}; give this one another id")));
                continue;
            }
            first.insert(rule.id.clone(), (parsed.file.clone(), line));
            let policy = parsed.policy.new_id(PolicyId::new(rule.id.as_str()));
            loaded.push((Parsed { policy, ..parsed }, rule));
        }
    }
    loaded
}

fn placed_actions(actions: &Actions, names: &Names) -> Option<HashMap<Arc<str>, Placed<Arc<str>>>> {
    let of = |(number, (id, shape)): (usize, (&Arc<str>, &crate::schema::ActionShape))| {
        let groups: Option<Vec<_>> = shape.groups.iter().map(|group| names.uid("Action", group)).collect();
        let uids = std::iter::once(shape.uid.clone()).chain(groups?).collect();
        Some((id.clone(), Placed { number, uids, about: id.clone() }))
    };
    actions.iter().enumerate().map(of).collect()
}

fn placed_agents(shapes: &Shapes, names: &Names) -> Option<HashMap<vocab::id::AgentId, Placed<vocab::Mode>>> {
    let agents = shapes.agents.iter().enumerate().map(|(number, agent)| {
        let uid = names.uid("Agent", agent.id.as_str())?;
        let uids = std::iter::once(uid).chain(agent_parents(agent, names)?).collect();
        Some((agent.id.clone(), Placed { number, uids, about: agent.mode }))
    });
    agents.collect()
}

fn placed_servers(
    shapes: &Shapes,
    names: &Names,
) -> Option<HashMap<vocab::id::ServerId, Vec<cedar_policy::EntityUid>>> {
    let servers = shapes.servers.iter().map(|server| {
        let uid = names.uid("Server", server.id.as_str())?;
        let zone = server.zone.iter().filter_map(|zone| names.uid("Zone", zone));
        Some((server.id.clone(), std::iter::once(uid).chain(zone).collect()))
    });
    servers.collect()
}
