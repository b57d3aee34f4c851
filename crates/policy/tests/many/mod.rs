//! A project with many tools, agents and rules, as in a large organisation: most rules are about other tools.

use policy::{AgentShape, Bundle, Facts, Request, ServerShape, Shapes, Source, compile};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vocab::id::{AgentId, Digest, ServerId, ToolName, UserId};
use vocab::{
    Argument, ArgumentClass, ArgumentKind, Authn, Confidentiality, Effect, Integrity, Label, Mode, Origin, Tier,
    ToolDescription,
};

const TOOLS: usize = 50;
const AGENTS: usize = 200;
/// Rules that can speak about the call that is decided; the same at every size.
const OWN: usize = 10;

/// Compiles a project with this many rules: ten about `s/tool0` or about everything, the rest about other tools.
#[expect(clippy::panic, reason = "a project that does not load is a failed test")]
pub fn project(rules: usize) -> Bundle {
    let text = Source { file: "many.cedar".into(), text: text(rules).into() };
    let compilation = compile(&[text], &shapes());
    compilation.bundle.unwrap_or_else(|| panic!("{:?}", compilation.diagnostics.first()))
}

/// Compiles a project with the four rules a small one starts with: one permit rule, a rate, a label, an argument.
#[expect(clippy::panic, reason = "a project that does not load is a failed test")]
pub fn everyday() -> Bundle {
    let text = r#"
        @id("tool") permit(principal in AgentClass::"support", action == Action::"s/tool0", resource == Server::"s");
        @id("pace") forbid(principal, action in Action::"tools/call", resource) when {
            context.session.calls_1m > context.session.agent_limit_1m || context.session.tool_calls_1m > context.session.tool_limit_1m };
        @id("secrets") forbid(principal, action == Action::"s/tool0", resource == Server::"s") when {
            context.labels.confidentiality.contains(Confidentiality::"secret") };
        @id("passwords") @decision("ask") @reason("r") forbid(principal, action == Action::"s/tool0", resource == Server::"s") when {
            context.args.to like "*password*" };"#;
    let compilation = compile(&[Source { file: "everyday.cedar".into(), text: text.into() }], &shapes());
    compilation.bundle.unwrap_or_else(|| panic!("{:?}", compilation.diagnostics.first()))
}

fn text(rules: usize) -> String {
    let own = [
        "permit(principal in AgentClass::\"support\", action == Action::\"s/tool0\", resource);",
        "permit(principal == Agent::\"a0\", action == Action::\"s/tool0\", resource) when { context.args.limit < 1000 };",
        "forbid(principal, action, resource) when { context.session.calls > 500 };",
        "forbid(principal, action, resource) when { context.labels.confidentiality.contains(Confidentiality::\"secret\") && context.call has destination };",
        "@decision(\"ask\") @reason(\"r\") forbid(principal, action in Action::\"tools/call\", resource) unless { [Origin::\"request\", Origin::\"system\", Origin::\"own\"].containsAll(context.origin.target) };",
        "@decision(\"ask\") @reason(\"r\") forbid(principal, action in Action::\"risk/reversible_write\", resource) when { principal.tier == Tier::\"critical\" };",
        "@decision(\"sanitize\") @redact(\"result.text\") @reason(\"r\") forbid(principal, action == Action::\"s/tool0\", resource) when { context.args has note && context.args.note like \"*password*\" };",
        "@decision(\"sandbox\") @reason(\"r\") forbid(principal, action, resource) when { resource.trust < 10 };",
        "forbid(principal in Team::\"t\", action == Action::\"s/tool0\", resource) when { context.call.chain_depth > 3 };",
        "forbid(principal, action, resource in Zone::\"z\") when { context.session.denials > 20 };",
    ];
    assert_eq!(own.len(), OWN);
    let mut text: String =
        own.iter().enumerate().map(|(number, rule)| format!("@id(\"own{number}\") {rule}\n")).collect();
    for number in OWN..rules {
        let tool = 1 + number % (TOOLS - 1);
        let agent = number % AGENTS;
        text += &match number % 3 {
            0 => format!(
                "@id(\"r{number}\") permit(principal, action == Action::\"s/tool{tool}\", resource) when {{ context.args.to == \"x{number}\" }};\n"
            ),
            1 => format!(
                "@id(\"r{number}\") permit(principal == Agent::\"a{agent}\", action == Action::\"s/tool{tool}\", resource) when {{ context.args.limit < {number} }};\n"
            ),
            _ => format!(
                "@id(\"r{number}\") forbid(principal, action == Action::\"s/tool{tool}\", resource) when {{ context.args.to like \"*.bad{number}\" }};\n"
            ),
        };
    }
    text
}

fn shapes() -> Shapes {
    let schema: Arc<Value> = Arc::new(json!({"type": "object", "required": ["to", "limit"], "properties": {
        "to": {"type": "string"}, "limit": {"type": "integer"}, "note": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}},
        "filter": {"type": "object", "properties": {"from": {"type": "string"}, "open": {"type": "boolean"}}}}}));
    let arguments: BTreeMap<String, Argument> =
        [("to", ArgumentClass::Target), ("limit", ArgumentClass::Free), ("note", ArgumentClass::Content)]
            .map(|(name, class)| (name.to_owned(), Argument { class, kind: ArgumentKind::Text }))
            .into();
    let tool = |number: usize| ToolDescription {
        server: ServerId::new("s"),
        name: ToolName::new(format!("tool{number}")),
        effect: Effect::ReversibleWrite,
        input_schema: Arc::clone(&schema),
        output_schema: None,
        definition: Digest::new("sha256:00"),
        arguments: arguments.clone(),
        label: Label::default(),
        dry_run: None,
    };
    let agent = |number: usize| AgentShape {
        id: AgentId::new(format!("a{number}")),
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
    Shapes {
        agents: (0..AGENTS).map(agent).collect(),
        servers: vec![ServerShape {
            id: ServerId::new("s"),
            trust: 50,
            zone: Some("z".into()),
            pinned: true,
            transport: "stdio".into(),
            confinement: "none".into(),
        }],
        tools: (0..TOOLS).map(tool).map(Arc::new).collect(),
        ..Shapes::default()
    }
}

/// A call that the ten rules speak about, and that they allow.
pub struct Case {
    agent: AgentId,
    server: ServerId,
    arguments: Value,
    facts: Facts,
}

impl Case {
    /// As most calls of a running session are: three of the tool's five arguments.
    pub fn new() -> Self {
        let facts = Facts {
            now_s: 1_790_000_000,
            purpose: Some("answer ticket 5".into()),
            on_behalf_of: Some(UserId::new("ada")),
            chain_depth: 1,
            calls: 12,
            calls_1m: 3,
            agent_limit_1m: 120,
            integrity: Integrity::ThirdParty,
            confidentiality: BTreeSet::from([Confidentiality::Private]),
            sources: BTreeSet::from(["s/tool1".to_owned(), "s/tool2".to_owned()]),
            origins: BTreeMap::from([
                ("to".to_owned(), BTreeSet::from([Origin::Request])),
                ("note".to_owned(), BTreeSet::from([Origin::Own])),
            ]),
            ..Facts::default()
        };
        let arguments = json!({"to": "ada@example.com", "limit": 20, "note": "thank you"});
        Self { agent: AgentId::new("a0"), server: ServerId::new("s"), arguments, facts }
    }

    /// Decides it, and checks that it is allowed.
    pub fn decide(&self, bundle: &Bundle) {
        let Self { agent, server, arguments, facts } = self;
        let decision =
            bundle.decide(&Request { agent, authn: Authn::Local, action: "s/tool0", server, arguments, facts });
        assert_eq!(decision.verdict, vocab::Verdict::Allow, "{decision:?}");
    }
}
