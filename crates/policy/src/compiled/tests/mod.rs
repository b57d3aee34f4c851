//! The compiled form against Cedar's evaluator: same condition, same call, same outcome.

mod grammar;
mod left;
mod random;
mod shipped;
mod traps;

use super::Compiled;
use crate::condition::{Condition, Outcome};
use crate::evaluate::Call;
use crate::parts::Parts;
use crate::{AgentShape, Bundle, Facts, Request, ServerShape, Shapes, compile};
use cedar_policy::Policy;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use vocab::id::{AgentId, Digest, ServerId, ToolName};
use vocab::{Argument, ArgumentClass, ArgumentKind, Authn, Effect, Label, Mode, Tier, ToolDescription};

/// A project with one tool that has an argument of every shape.
static PROJECT: LazyLock<Bundle> = LazyLock::new(|| compile(&[], &shapes()).bundle.unwrap());

fn shapes() -> Shapes {
    let record = json!({"type": "object", "required": ["from"], "properties": {
        "from": {"type": "string"}, "open": {"type": "boolean"}, "n": {"type": "integer"}}});
    let schema = json!({"type": "object", "required": ["text", "number"], "properties": {
        "text": {"type": "string"}, "number": {"type": "integer"}, "flag": {"type": "boolean"},
        "note": {"type": ["string", "null"]}, "list": {"type": "array", "items": {"type": "string"}},
        "numbers": {"type": "array", "items": {"type": "integer"}},
        "lists": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "rec": record, "recs": {"type": "array", "items": record}, "price": {"type": "number"}}});
    let classes = [
        ("text", ArgumentClass::Target),
        ("number", ArgumentClass::Critical),
        ("note", ArgumentClass::Content),
        ("list", ArgumentClass::Object),
        ("flag", ArgumentClass::Free),
    ];
    let declared = classes.map(|(name, class)| (name.to_owned(), Argument { class, kind: ArgumentKind::Text }));
    let tool = ToolDescription {
        server: ServerId::new("desk"),
        name: ToolName::new("tool"),
        effect: Effect::ReversibleWrite,
        input_schema: Arc::new(schema),
        output_schema: None,
        definition: Digest::new("sha256:00"),
        arguments: BTreeMap::from(declared),
        label: Label::default(),
        dry_run: None,
    };
    let agent = AgentShape {
        id: AgentId::new("bot"),
        owner: "a".into(),
        tier: Tier::High,
        env: "production".into(),
        model: "m".into(),
        model_version: "1".into(),
        classes: vec!["c".into()],
        team: Some("t".into()),
        eval_passed: true,
        mode: Mode::Enforce,
    };
    let server = ServerShape {
        id: ServerId::new("desk"),
        trust: 50,
        zone: Some("z".into()),
        pinned: false,
        transport: "stdio".into(),
        confinement: "none".into(),
    };
    Shapes {
        agents: vec![AgentShape { id: AgentId::new("other"), owner: "b".into(), team: None, ..agent.clone() }, agent],
        servers: vec![server],
        tools: vec![Arc::new(tool)],
        users: vec!["ada".into()],
        ..Shapes::default()
    }
}

/// Arguments and facts.
#[derive(Clone, Debug)]
struct Case {
    arguments: Value,
    facts: Facts,
}

impl Case {
    fn new(arguments: Value) -> Self {
        Self { arguments, facts: Facts::default() }
    }
}

fn policy(condition: &str) -> Policy {
    let text = format!("permit(principal, action, resource) when {{ {condition} }};");
    Policy::parse(None, &text).unwrap_or_else(|error| panic!("{condition}: {error:?}"))
}

/// What the compiled form and what Cedar make of a condition. Cedar is given the whole context. `None` for a call that
/// is refused before any rule is looked at.
fn outcomes(policy: &Policy, case: &Case) -> Option<(Option<Outcome>, Outcome)> {
    let (agent, server) = (AgentId::new("bot"), ServerId::new("desk"));
    let Case { arguments, facts } = case;
    let action = "desk/tool";
    let request = Request { agent: &agent, authn: Authn::Local, action, server: &server, arguments, facts };
    let compiled = Compiled::of(policy);
    let call = Call::of(PROJECT.live().unwrap(), &request).unwrap();
    let known = call.known().ok()?;
    let scene = call.scene(&known).unwrap();
    let compiled = compiled.as_ref().and_then(|compiled| compiled.outcome(&scene));
    let request = call.in_cedars_terms(&known, &Parts::all(), None).unwrap();
    Some((compiled, Condition::of(policy).outcome_in_cedar(&request, scene.entities)))
}
