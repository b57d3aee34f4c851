//! From files and shapes to a bundle, or to everything that is wrong with them.

use crate::bundle::{Bundle, Kind, Live, Placed, bundle_digest, digest};
use crate::decide::uncertain_text;
use crate::entities::{Stores, agent_parents};
use crate::index::Index;
use crate::load::{
    Inventory, Parsed, check_arithmetic, check_entities, check_redactions, parse, read_rule, soundness, validate,
};
use crate::parts::Parts;
use crate::rule::Rule;
use crate::schema::{Actions, LazySchema, actions, assembled, kinds, schema_text};
use crate::shapes::{Compilation, Shapes, Source};
use crate::vocabulary::Names;
use cedar_policy::{Authorizer, EntityTypeName, PolicyId, Schema};
use foldhash::HashMap;
use std::collections::{BTreeMap, HashSet};
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
    let failed = has_error(&diagnostics);
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
    let schema_digest = digest(&[schema.text().as_bytes()]);
    let soundness = soundness(&schema_digest, &sources, shapes, &actions);
    let is_known = is_sound(&soundness);
    let looks: Vec<Parts> = loaded.iter().map(|(parsed, _)| Parts::looked_at(&parsed.json)).collect();
    let stores = Stores::new(shapes);
    if !is_known {
        let named = loaded.iter().flat_map(|(parsed, _)| parsed.policy.entity_literals()).collect();
        let kinds = kinds(&actions, &named, &looks.iter().fold(Parts::default(), Parts::union));
        let of_kinds = assembled(&envs, kinds.iter().copied(), &names);
        if !of_kinds.as_ref().is_ok_and(|of_kinds| check_kinds(of_kinds, &loaded)) {
            check(schema.get_or(|| assembled(&envs, actions.values(), &names)), &loaded, diagnostics);
        }
        let proved = of_kinds.and_then(|of_kinds| {
            stores.fit(&of_kinds, &kinds, &actions, &names)?;
            stores.prove(&actions, &names)
        });
        if !has_error(diagnostics)
            && let Err(why) = proved
        {
            diagnostics.push(Diagnostic::error("policy/canary", "", why));
        }
    }
    if has_error(diagnostics) {
        return None;
    }
    let (policies, rules): (Vec<_>, Vec<_>) =
        loaded.into_iter().zip(looks).map(|((parsed, rule), looks)| ((parsed.policy, looks), rule)).unzip();
    let bundle_digest = bundle_digest(&schema_digest, &rules, &shapes.agents, &shapes.servers, &actions);
    let agent_type = EntityTypeName::from_str("Agent").ok()?;
    let live = Live {
        by_id: policies.iter().enumerate().map(|(number, (policy, _))| (policy.id().clone(), number)).collect(),
        rules,
        index: Index::new(policies, &agent_type),
        schema,
        soundness,
        actions: placed_actions(&actions),
        agents: placed_agents(shapes, &names)?,
        servers: placed_servers(shapes, &names)?,
        shapes: actions,
        stores,
        names,
        authorizer: Authorizer::new(),
        uncertain_text: uncertain_text(),
        envs,
    };
    Some(Bundle { digest: bundle_digest, kind: Kind::Live(Box::new(live)) })
}

fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// Whether validating the rules against one action of each kind has nothing to say; what it says otherwise is better
/// said of all actions.
fn check_kinds(schema: &Schema, loaded: &[(Parsed, Rule)]) -> bool {
    let mut said = Vec::new();
    validate(schema, loaded, &mut said);
    said.is_empty()
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

fn placed_actions(actions: &Actions) -> HashMap<Arc<str>, Placed<Arc<str>>> {
    let of = |(number, (id, shape)): (usize, (&Arc<str>, &crate::schema::ActionShape))| {
        let uids = std::iter::once(&shape.uid).chain(&shape.parents).cloned().collect();
        (id.clone(), Placed { number, uids, about: id.clone() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use vocab::id::{ServerId, ToolName};
    use vocab::{Effect, Label, ToolDescription};

    const SCOPES: [&str; 6] = [
        "principal, action, resource",
        "principal, action == Action::\"desk/t0\", resource",
        "principal, action in [Action::\"desk/t1\", Action::\"risk/money\"], resource",
        "principal, action in Action::\"tools/call\", resource",
        "principal, action == Action::\"desk#roots\", resource",
        "principal, action == Action::\"desk/t9\", resource",
    ];
    const CONDITIONS: [&str; 16] = [
        "true",
        "false",
        "context.session.calls > 1",
        "context.session.nothing > 1",
        "context.args.a == \"x\"",
        "context.args has a && context.args.a == \"x\"",
        "context.args has a && context.args.a > 1",
        "context.args has b && context.args.b > 1",
        "context.args has c.d && context.args.c.d",
        "context.derived has a && context.derived.a.bytes > 1",
        "context.derived.a.bytes > 1",
        "context.arg_origin.b.isEmpty()",
        "context.arg_origin has b && context.arg_origin.b.isEmpty()",
        "action in Action::\"risk/read\" && context.args.a == \"x\"",
        "[context.args].isEmpty()",
        "(if action == Action::\"desk/t2\" then context.call else context.call).effect == Effect::\"read\"",
    ];

    fn tool(number: usize, effect: usize, arguments: &[(&str, usize, bool)]) -> Arc<ToolDescription> {
        let types = [
            json!({"type": "string"}),
            json!({"type": "integer"}),
            json!({}),
            json!({"type": "object", "properties": {"d": {"type": "boolean"}}}),
        ];
        let properties: serde_json::Map<_, _> =
            arguments.iter().map(|(name, kind, _)| ((*name).to_owned(), types[*kind].clone())).collect();
        let required: Vec<_> = arguments.iter().filter(|(.., required)| *required).map(|(name, ..)| name).collect();
        Arc::new(ToolDescription {
            server: ServerId::new("desk"),
            name: ToolName::new(format!("t{number}")),
            effect: Effect::ALL[effect % Effect::ALL.len()],
            input_schema: Arc::new(json!({"type": "object", "properties": properties, "required": required})),
            output_schema: None,
            definition: Digest::new("sha256:00"),
            arguments: BTreeMap::new(),
            label: Label::default(),
            dry_run: None,
        })
    }

    fn arguments() -> impl Strategy<Value = Vec<(&'static str, usize, bool)>> {
        prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), (0..4usize, any::<bool>()), 0..4)
            .prop_map(|map| map.into_iter().map(|(name, (kind, required))| (name, kind, required)).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// One action of each kind has something wrong exactly if one of all actions has.
        #[test]
        fn kinds_find_fault_with_a_set_exactly_if_all_actions_do(
            tools in prop::collection::vec((0..3usize, arguments()), 0..6),
            rules in prop::collection::vec((any::<bool>(), 0..SCOPES.len(), 0..CONDITIONS.len()), 1..4),
        ) {
            let tools: Vec<_> =
                tools.iter().enumerate().map(|(number, (effect, of))| tool(number, *effect, of)).collect();
            let names = Names::new(&[]).unwrap();
            let (actions, _) = actions([ServerId::new("desk")].iter(), &tools, &names);
            let text = rules.iter().enumerate().map(|(number, (permit, scope, condition))| {
                let effect = if *permit { "permit" } else { "forbid" };
                format!("@id(\"r{number}\") {effect}({}) when {{ {} }};\n", SCOPES[*scope], CONDITIONS[*condition])
            });
            let source = Source { file: "a.cedar".into(), text: text.collect::<String>().into() };
            let shapes = Shapes::default();
            let loaded = load(&[&source], &shapes, &actions, &mut Vec::new());
            prop_assert_eq!(loaded.len(), rules.len());
            let named = loaded.iter().flat_map(|(parsed, _)| parsed.policy.entity_literals()).collect();
            let looks = loaded.iter().map(|(parsed, _)| Parts::looked_at(&parsed.json));
            let looks = looks.fold(Parts::default(), |all, looks| all.union(&looks));
            let kinds = kinds(&actions, &named, &looks);
            let of_kinds = assembled(&[], kinds.into_iter(), &names).unwrap();
            let of_all = assembled(&[], actions.values(), &names).unwrap();
            prop_assert_eq!(check_kinds(&of_kinds, &loaded), check_kinds(&of_all, &loaded));
        }
    }
}
