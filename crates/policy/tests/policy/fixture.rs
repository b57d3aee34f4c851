//! A small project: two agents, three servers, and tools of every effect.

use policy::{AgentShape, Bundle, Compilation, Facts, Request, ServerShape, Shapes, Source, compile};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use vocab::id::{AgentId, Digest, ServerId, ToolName};
use vocab::{
    Argument, ArgumentClass, ArgumentKind, Authn, Decision, Diagnostic, Effect, Label, Mode, Tier, ToolDescription,
};

pub fn source(file: &str, text: &str) -> Source {
    Source { file: file.into(), text: text.into() }
}

pub fn agent(id: &str) -> AgentShape {
    AgentShape {
        id: AgentId::new(id),
        owner: "support-platform@example.com".into(),
        tier: Tier::High,
        env: "production".into(),
        model: "anthropic/claude-sonnet".into(),
        model_version: "2026-09-01".into(),
        classes: vec!["support".into()],
        team: Some("support-platform".into()),
        eval_passed: true,
        mode: Mode::Enforce,
    }
}

pub fn server(id: &str) -> ServerShape {
    ServerShape {
        id: ServerId::new(id),
        trust: 50,
        zone: Some("internal".into()),
        pinned: true,
        transport: "stdio".into(),
        confinement: "none".into(),
    }
}

pub fn tool(
    server: &str,
    name: &str,
    effect: Effect,
    schema: Value,
    arguments: &[(&str, ArgumentClass, ArgumentKind)],
) -> ToolDescription {
    ToolDescription {
        server: ServerId::new(server),
        name: ToolName::new(name),
        effect,
        input_schema: Arc::new(schema),
        output_schema: None,
        definition: Digest::new("sha256:00"),
        arguments: arguments
            .iter()
            .map(|(name, class, kind)| ((*name).to_owned(), Argument { class: *class, kind: *kind }))
            .collect::<BTreeMap<_, _>>(),
        label: Label::default(),
        dry_run: None,
    }
}

pub fn shapes() -> Shapes {
    use ArgumentClass::{Content, Critical, Object, Target};
    use ArgumentKind::{Shell, Text};
    let text = json!({"type": "string"});
    let tools = vec![
        tool(
            "desk",
            "search",
            Effect::Read,
            json!({"type": "object", "properties": {"query": text}, "required": ["query"]}),
            &[("query", Content, Text)],
        ),
        tool(
            "desk",
            "close_ticket",
            Effect::ReversibleWrite,
            json!({"type": "object", "properties": {"id": {"type": "integer"}, "note": text}, "required": ["id"]}),
            &[("id", Object, Text), ("note", Content, Text)],
        ),
        tool(
            "desk",
            "run_script",
            Effect::Exec,
            json!({"type": "object", "properties": {"script": text}, "required": ["script"]}),
            &[("script", Object, Shell)],
        ),
        tool(
            "mail",
            "send-mail",
            Effect::IrreversibleWrite,
            json!({"type": "object", "properties": {"to": {"type": "array", "items": text}, "subject": text, "body": text, "dry-run": {"type": "boolean"}}, "required": ["to", "body"]}),
            &[("to", Target, Text), ("subject", Content, Text), ("body", Content, Text)],
        ),
        tool(
            "bank",
            "transfer",
            Effect::Money,
            json!({"type": "object", "properties": {"iban": text, "cents": {"type": "integer"}}, "required": ["iban", "cents"]}),
            &[("iban", Target, Text), ("cents", Critical, Text)],
        ),
    ];
    Shapes {
        agents: vec![
            agent("support-bot"),
            AgentShape { team: None, classes: vec!["billing".into()], ..agent("billing-bot") },
        ],
        servers: vec![server("desk"), server("mail"), ServerShape { zone: None, ..server("bank") }],
        tools: tools.into_iter().map(Arc::new).collect(),
        approver_groups: vec!["secops".into(), "finance".into()],
        users: vec!["ada".into()],
    }
}

pub fn compiled(text: &str) -> Compilation {
    compile(&[source("mortise/policies/a.cedar", text)], &shapes())
}

pub fn bundle(text: &str) -> Bundle {
    let compilation = compiled(text);
    let said: Vec<String> = compilation.diagnostics.iter().map(ToString::to_string).collect();
    compilation.bundle.unwrap_or_else(|| panic!("{}", said.join("\n")))
}

/// The one error a text gives.
pub fn error(text: &str) -> Diagnostic {
    let compilation = compiled(text);
    assert!(compilation.bundle.is_none(), "`{text}` loads");
    let errors: Vec<Diagnostic> = compilation
        .diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.severity == vocab::Severity::Error)
        .collect();
    assert_eq!(errors.len(), 1, "{}", errors.iter().map(ToString::to_string).collect::<String>());
    errors.into_iter().next().unwrap()
}

pub fn decide(bundle: &Bundle, action: &str, arguments: &Value, facts: &Facts) -> Decision {
    decide_as(bundle, "support-bot", action, arguments, facts)
}

pub fn decide_as(bundle: &Bundle, agent: &str, action: &str, arguments: &Value, facts: &Facts) -> Decision {
    let server = action.split(['/', '#']).next().unwrap();
    let (agent, server) = (AgentId::new(agent), ServerId::new(server));
    let request = Request { agent: &agent, authn: Authn::Local, action, server: &server, arguments, facts };
    let decision = bundle.decide(&request);
    assert_eq!(decision, bundle.decide_without_index(&request), "the index changes the answer");
    decision
}

pub fn rules(decision: &Decision) -> Vec<&str> {
    decision.reasons.iter().map(|reason| reason.rule.as_str()).collect()
}

pub const PERMIT_ALL: &str = "@id(\"all\") permit(principal, action, resource);\n";
