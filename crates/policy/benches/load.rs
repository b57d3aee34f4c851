//! What loading the rules of a small project costs: for the first time, with everything validated and proved, and again,
//! when that was remembered.
//!
//! `cargo bench -p mortise-policy --bench load`. For a profiler it only loads: `-- first 1`, `-- again 1`; a load by a
//! process that has not loaded before also makes Cedar's lexers and tables, as the first start does.
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use policy::{AgentShape, ServerShape, Shapes, Source, compile_known};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vocab::id::{AgentId, Digest, ServerId, ToolName};
use vocab::{Effect, Label, Mode, Tier, ToolDescription};

const TOOLS: usize = 50;
const ROUNDS: usize = 200;

const RULES: &str = r#"
@id("roles/support") permit(principal in AgentClass::"support", action == Action::"s/tool0", resource == Server::"s");
@id("guards/pace") @reason("too many in a minute") forbid(principal, action in Action::"tools/call", resource) when {
    context.session.calls_1m > context.session.agent_limit_1m || context.session.tool_calls_1m > context.session.tool_limit_1m };
@id("guards/secrets") @reason("nothing after a secret") forbid(principal, action == Action::"s/tool0", resource == Server::"s") when {
    context.labels.confidentiality.contains(Confidentiality::"secret") };
@id("guards/passwords") @decision("ask") @reason("a person looks") forbid(principal, action == Action::"s/tool0", resource == Server::"s") when {
    context.args.to like "*password*" };
"#;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let (rules, shapes) = ([Source { file: "everyday.cedar".into(), text: RULES.into() }], shapes());
    let load = |is_sound: bool| {
        let compilation = compile_known(&rules, &shapes, &|_| is_sound);
        assert!(compilation.bundle.is_some(), "{:?}", compilation.diagnostics);
    };
    if let [what, times, ..] = &*asked
        && let Ok(times) = times.parse()
    {
        return (0..times).for_each(|_: usize| load(what == "again"));
    }
    println!("| {TOOLS} tools, 4 rules and those that come with Mortise | p50, us |\n|---|---:|");
    for (name, is_sound) in [("first", false), ("again", true)] {
        let mut took: Vec<Duration> = (0..ROUNDS).map(|_| timed(|| load(is_sound))).collect();
        took.sort_unstable();
        println!("| {name} | {} |", took.get(ROUNDS / 2).copied().unwrap_or_default().as_micros());
    }
}

fn timed(load: impl FnOnce()) -> Duration {
    let start = Instant::now();
    load();
    start.elapsed()
}

fn shapes() -> Shapes {
    let schema = Arc::new(json!({"type": "object", "required": ["to", "limit"], "properties": {
        "to": {"type": "string"}, "limit": {"type": "integer"}, "note": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "filter": {"type": "object", "properties": {"from": {"type": "string"}, "open": {"type": "boolean"}}}}}));
    let tool = |number: usize| ToolDescription {
        server: ServerId::new("s"),
        name: ToolName::new(format!("tool{number}")),
        effect: Effect::ALL.get(number % Effect::ALL.len()).copied().unwrap_or_default(),
        input_schema: Arc::clone(&schema),
        output_schema: None,
        definition: Digest::new("sha256:00"),
        arguments: BTreeMap::new(),
        label: Label::default(),
        dry_run: None,
    };
    let agent = AgentShape {
        id: AgentId::new("a"),
        owner: "o".into(),
        tier: Tier::High,
        env: "production".into(),
        model: "m".into(),
        model_version: "1".into(),
        classes: vec!["support".into()],
        team: Some("t".into()),
        eval_passed: true,
        mode: Mode::Enforce,
    };
    let server = ServerShape {
        id: ServerId::new("s"),
        trust: 50,
        zone: Some("z".into()),
        pinned: true,
        transport: "stdio".into(),
        confinement: "none".into(),
    };
    Shapes {
        agents: vec![agent],
        servers: vec![server],
        tools: (0..TOOLS).map(tool).map(Arc::new).collect(),
        ..Shapes::default()
    }
}
