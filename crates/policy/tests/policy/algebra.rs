//! What the combiner promises, on random rules and calls.

use crate::fixture::{agent, decide_as, shapes, source};
use policy::{Bundle, Facts, Request, compile};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::{AgentId, ServerId};
use vocab::{Authn, Decision, FaultKind, Integrity, Origin, Verdict};

const PRINCIPALS: [&str; 7] = [
    "principal",
    "principal",
    "principal == Agent::\"support-bot\"",
    "principal == Agent::\"billing-bot\"",
    "principal in Team::\"support-platform\"",
    "principal in AgentClass::\"billing\"",
    "principal is Agent in AgentClass::\"support\"",
];
const ACTIONS: [&str; 8] = [
    "action",
    "action",
    "action == Action::\"desk/search\"",
    "action == Action::\"bank/transfer\"",
    "action in Action::\"risk/money\"",
    "action in Action::\"tools/call\"",
    "action in [Action::\"desk/search\", Action::\"risk/egress_read\"]",
    "action in [Action::\"risk/exec\", Action::\"desk/run_script\"]",
];
const RESOURCES: [&str; 5] = [
    "resource",
    "resource",
    "resource == Server::\"desk\"",
    "resource in Zone::\"internal\"",
    "resource is Server in Zone::\"internal\"",
];
const CONDITIONS: [&str; 16] = [
    "",
    "",
    "when { context.session.calls > 3 }",
    "when { context.origin.target.contains(Origin::\"third_party\") }",
    "unless { [Origin::\"request\", Origin::\"system\"].containsAll(context.origin.target) }",
    "when { context.labels.integrity == Integrity::\"third_party\" }",
    "when { context.call has purpose && context.call.purpose == \"x\" }",
    "when { context.labels.confidentiality.contains(Confidentiality::\"secret\") && context.call has purpose }",
    "when { principal.tier == Tier::\"high\" } unless { resource.trust > 50 }",
    "when { context.session.calls > 1 && context.origin == context.origin }",
    "when { context.origin.content.isEmpty() } unless { context.call.unrepresentable }",
    "when { context.session.calls > 2 && datetime(\"2026-12-01\") > datetime(\"2026-01-01\") }",
    "unless { context.call has purpose && ip(\"10.0.0.1\").isInRange(ip(\"10.0.0.0/8\")) }",
    "when { [context.labels.integrity, Integrity::\"own\"].contains(Integrity::\"third_party\") || action in Action::\"risk/money\" && context.session.calls > 0 }",
    "when { context.labels == {integrity: Integrity::\"own\", confidentiality: context.labels.confidentiality, sources: context.labels.sources} }",
    "when { datetime(\"2026-12-01\").offset(duration(\"9223372036854775807ms\")) > datetime(\"2026-12-01\") }",
];
const GUARDS: [&str; 8] = [
    "",
    "@decision(\"sandbox\") @sandbox(\"read\")",
    "@decision(\"sandbox\") @sandbox(\"read,network\") @fallback(\"ask\")",
    "@decision(\"sanitize\") @redact(\"result.text\")",
    "@decision(\"sanitize\") @redact(\"result.mail:remove\")",
    "@decision(\"ask\") @approvers(\"secops\") @quorum(\"2\") @ttl(\"1h\")",
    "@decision(\"ask\") @approvers(\"finance\")",
    "@decision(\"ask\") @uncertain(\"deny\")",
];

fn scope() -> impl Strategy<Value = String> {
    let pick = |list: &'static [&'static str]| prop::sample::select(list);
    (pick(&PRINCIPALS), pick(&ACTIONS), pick(&RESOURCES), pick(&CONDITIONS)).prop_map(
        |(principal, action, resource, condition)| format!("({principal}, {action}, {resource}) {condition};"),
    )
}

fn guard() -> impl Strategy<Value = String> {
    (prop::sample::select(&GUARDS[..]), scope())
        .prop_map(|(decision, scope)| format!("{decision} @reason(\"r\") forbid{scope}"))
}

fn permit() -> impl Strategy<Value = String> {
    scope().prop_map(|scope| format!("permit{scope}"))
}

fn rules() -> impl Strategy<Value = Vec<String>> {
    let shadow = (guard(), prop::bool::weighted(0.2))
        .prop_map(|(guard, shadow)| if shadow { format!("@mode(\"shadow\") {guard}") } else { guard });
    let any = prop_oneof![3 => shadow, 2 => permit(), 1 => Just("permit(principal, action, resource);".to_owned())];
    prop::collection::vec(any, 1..8).prop_map(|rules| {
        rules.into_iter().enumerate().map(|(number, rule)| format!("@id(\"r{number}\") {rule}")).collect()
    })
}

#[derive(Clone, Debug)]
struct Case {
    agent: &'static str,
    action: &'static str,
    arguments: Value,
    facts: Facts,
}

fn cases() -> impl Strategy<Value = Vec<Case>> {
    let calls = vec![
        ("desk/search", json!({"query": "x"})),
        ("desk/close_ticket", json!({"id": 1, "odd": 1})),
        ("desk/run_script", json!({"script": "x"})),
        ("mail/send-mail", json!({"to": ["a"], "body": "b"})),
        ("bank/transfer", json!({"iban": "i", "cents": 3})),
        ("desk#resources/read", json!({"uri": "file:///x"})),
        ("mail#prompts/get", json!({"name": "n"})),
        ("bank#sampling", json!({})),
    ];
    let origin = prop::collection::btree_set(prop::sample::select(Origin::ALL), 0..3);
    let origins = (origin.clone(), origin)
        .prop_map(|(to, iban)| BTreeMap::from([("to".to_owned(), to), ("iban".to_owned(), iban)]));
    let facts = (0..6_i64, any::<bool>(), origins, prop::sample::select(Integrity::ALL)).prop_map(
        |(calls, purpose, origins, integrity)| Facts {
            calls,
            purpose: purpose.then(|| "x".to_owned()),
            origins,
            integrity,
            ..Facts::default()
        },
    );
    let agents = prop::sample::select(vec!["support-bot", "billing-bot", "third-bot"]);
    let case = (agents, prop::sample::select(calls), facts).prop_map(|(agent, (action, arguments), facts)| Case {
        agent,
        action,
        arguments,
        facts,
    });
    prop::collection::vec(case, 12)
}

fn bundle(rules: &[String]) -> Bundle {
    let mut shapes = shapes();
    shapes.agents.push(policy::AgentShape { classes: Vec::new(), team: None, ..agent("third-bot") });
    let (first, second) = rules.split_at(rules.len() / 2);
    let sources = [source("a.cedar", &first.join("\n")), source("b.cedar", &second.join("\n"))];
    let compilation = compile(&sources, &shapes);
    compilation.bundle.unwrap_or_else(|| panic!("{:?}", compilation.diagnostics))
}

/// Also compares the index with the evaluation of everything: see `fixture::decide_as`.
fn decide(bundle: &Bundle, case: &Case) -> Decision {
    let mut decision = decide_as(bundle, case.agent, case.action, &case.arguments, &case.facts);
    for reason in &mut decision.reasons {
        reason.place = None;
    }
    decision
}

fn guards(decision: &Decision) -> BTreeSet<String> {
    decision.reasons.iter().map(|reason| reason.rule.to_string()).filter(|rule| rule != policy::NO_PERMIT).collect()
}

fn with(rules: &[String], more: &str) -> Vec<String> {
    let mut rules = rules.to_vec();
    rules.push(format!("@id(\"more\") {more}"));
    rules
}

proptest! {
    // Each case compiles twice and decides two dozen calls.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn order_and_files_do_not_matter((rules, shuffled) in rules().prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle())), cases in cases()) {
        let (a, b) = (bundle(&rules), bundle(&shuffled));
        for case in &cases {
            prop_assert_eq!(decide(&a, case), decide(&b, case));
        }
    }

    #[test]
    fn adding_a_guard_never_loosens(rules in rules(), more in guard(), cases in cases()) {
        let (before, after) = (bundle(&rules), bundle(&with(&rules, &more)));
        for case in &cases {
            for uncertain in [false, true] {
                let case = Case { facts: Facts { uncertain, ..case.facts.clone() }, ..case.clone() };
                let (before, after) = (decide(&before, &case), decide(&after, &case));
                prop_assert!(after.verdict >= before.verdict);
                prop_assert!(guards(&after).is_superset(&guards(&before)));
                prop_assert_eq!(before.obligations.clone().join(after.obligations.clone()), after.obligations, "no obligation is lost");
            }
        }
    }

    #[test]
    fn adding_a_permit_rule_never_drops_a_matched_guard(rules in rules(), more in permit(), cases in cases()) {
        let (before, after) = (bundle(&rules), bundle(&with(&rules, &more)));
        for case in &cases {
            let (before, after) = (decide(&before, case), decide(&after, case));
            prop_assert_eq!(guards(&before), guards(&after));
            prop_assert_eq!(before.obligations, after.obligations);
            let strictest = after.reasons.iter().map(|reason| reason.verdict).max().unwrap_or(Verdict::Allow);
            prop_assert_eq!(after.verdict, strictest);
        }
    }

    /// For each level, "at most this" is an ordinary Cedar policy set; at the lowest, a soft guard is a deny.
    #[test]
    fn each_level_is_an_ordinary_cedar_policy_set(rules in rules(), cases in cases()) {
        let bundle = bundle(&rules);
        for case in &cases {
            let decision = decide(&bundle, case);
            // Plain Cedar ignores a guard that fails; here it counts as matched.
            if decision.faults.iter().any(|fault| fault.kind == FaultKind::GuardError) {
                continue;
            }
            let server = case.action.split(['/', '#']).next().unwrap();
            let (agent, server) = (AgentId::new(case.agent), ServerId::new(server));
            let request = Request { agent: &agent, authn: Authn::Local, action: case.action, server: &server, arguments: &case.arguments, facts: &case.facts };
            for level in Verdict::ALL.into_iter().filter(|level| *level < Verdict::Deny) {
                prop_assert_eq!(bundle.allows_in_plain_cedar(&request, level), Some(decision.verdict <= level));
            }
            let soft = decision.reasons.iter().any(|reason| reason.verdict < Verdict::Deny);
            prop_assert!(!soft || bundle.allows_in_plain_cedar(&request, Verdict::Allow) == Some(false));
        }
    }
}
