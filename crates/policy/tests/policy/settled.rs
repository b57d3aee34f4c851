//! What is remembered between calls, and what of the context is left out, never changes an answer. Every decision here
//! is compared with the evaluation of everything, on one bundle that has decided other calls before.

use crate::fixture::{PERMIT_ALL, bundle, rules, shapes, source};
use policy::{Bundle, Facts, Findings, Request, Targets, compile};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::{AgentId, ServerId, UserId};
use vocab::{Authn, Confidentiality, Integrity, Mode, Origin};

/// Decides a call, and checks the answer against the evaluation of everything.
fn decide(bundle: &Bundle, (agent, authn): (&str, Authn), arguments: &Value, facts: &Facts) -> Vec<String> {
    let (agent, server) = (AgentId::new(agent), ServerId::new("mail"));
    let request = Request { agent: &agent, authn, action: "mail/send-mail", server: &server, arguments, facts };
    let decision = bundle.decide(&request);
    assert_eq!(decision, bundle.decide_without_index(&request));
    let would = decision.would.iter().map(|would| would.rule.to_string());
    rules(&decision).into_iter().map(str::to_owned).chain(would).collect()
}

/// A guard per condition; the answers to each of these calls, twice, so that the second round finds everything known.
fn answers(conditions: &[&str], calls: &[(Value, Facts)]) -> Vec<Vec<String>> {
    let guard = |(number, condition): (usize, &&str)| {
        format!(
            "@id(\"g{number}\") @decision(\"ask\") @reason(\"r\") forbid(principal, action == Action::\"mail/send-mail\", resource) when {{ {condition} }};\n"
        )
    };
    let guards: String = conditions.iter().enumerate().map(guard).collect();
    let bundle = tried_out(&format!("{PERMIT_ALL}{guards}"));
    let round = || -> Vec<Vec<String>> {
        calls.iter().map(|(arguments, facts)| decide(&bundle, LOCAL, arguments, facts)).collect()
    };
    let first = round();
    assert_eq!(first, round());
    first
}

/// Agents that are being tried out: the mode of a call is then the one of its facts.
fn tried_out(text: &str) -> Bundle {
    let mut shapes = shapes();
    for agent in &mut shapes.agents {
        agent.mode = Mode::Observe;
    }
    let compilation = compile(&[source("a.cedar", text)], &shapes);
    compilation.bundle.unwrap_or_else(|| panic!("{:?}", compilation.diagnostics))
}

const LOCAL: (&str, Authn) = ("support-bot", Authn::Local);

fn mail() -> Value {
    json!({"to": ["a"], "body": "b"})
}

fn from(argument: &str, origins: &[Origin]) -> Facts {
    let origins = BTreeMap::from([(argument.to_owned(), origins.iter().copied().collect())]);
    Facts { origins, ..Facts::default() }
}

/// Each pair of calls differs in one fact, which looks the same for most calls: an answer that was remembered without it
/// would be given to the second call too.
#[test]
fn every_fact_tells_calls_apart() {
    let plain = || (mail(), Facts::default());
    let with = |facts| (mail(), facts);
    let cases = [
        ("context.call.request_attested", with(Facts { request_attested: true, ..Facts::default() })),
        ("context.call.unrepresentable", (json!({"to": ["a"], "body": "b", "odd": 1}), Facts::default())),
        ("context.session.mode == \"enforce\"", with(Facts { mode: Mode::Shadow, ..Facts::default() })),
        (
            "context.labels.integrity == Integrity::\"own\"",
            with(Facts { integrity: Integrity::Own, ..Facts::default() }),
        ),
        (
            "context.labels.confidentiality.contains(Confidentiality::\"secret\")",
            with(Facts { confidentiality: BTreeSet::from([Confidentiality::Secret]), ..Facts::default() }),
        ),
        ("context.origin.target.contains(Origin::\"own\")", with(from("to", &[Origin::Own]))),
        ("context.origin.content.contains(Origin::\"own\")", with(from("body", &[Origin::Own]))),
        (
            "context.origin == context.origin && context.origin.content.contains(Origin::\"system\")",
            with(from("body", &[Origin::System])),
        ),
        (
            "context has call && context.origin.critical.contains(Origin::\"nowhere\")",
            (json!({"to": ["a"], "body": "b", "dry-run": true}), Facts::default()),
        ),
    ];
    for (condition, other) in cases {
        for calls in [[plain(), other.clone()], [other.clone(), plain()]] {
            let answers = answers(&[condition], &calls);
            assert_ne!(answers[0], answers[1], "{condition}");
        }
    }
}

#[test]
fn agents_and_ways_of_authenticating_tell_calls_apart() {
    let bundle = bundle(&format!(
        r#"{PERMIT_ALL}
@id("authn") @decision("ask") @reason("r") forbid(principal, action, resource) when {{ principal.authn == Authn::"local" }};
@id("both") @decision("ask") @reason("r") forbid(principal, action, resource)
when {{ principal.authn == Authn::"run_token" && context.labels.integrity == Integrity::"system" }};
@id("fails") @decision("ask") @reason("r") forbid(principal, action, resource)
when {{ datetime("2026-12-01").offset(duration("9223372036854775807ms")) > datetime("2026-12-01") }};
@id("team") @decision("ask") @reason("r") forbid(principal in Team::"support-platform", action, resource);"#
    ));
    let of = |agent, authn| decide(&bundle, (agent, authn), &mail(), &Facts::default());
    for _ in 0..2 {
        assert_eq!(of("support-bot", Authn::Local), ["authn", "fails", "team"]);
        assert_eq!(of("support-bot", Authn::RunToken), ["both", "fails", "team"]);
        assert_eq!(of("support-bot", Authn::AgentKey), ["fails", "team"]);
        assert_eq!(of("billing-bot", Authn::Local), ["authn", "fails"]);
        assert_eq!(of("billing-bot", Authn::AgentKey), ["fails"]);
    }
}

/// Many calls that differ in everything, under guards that look at a part as a whole, at single members, and at whether
/// something is there.
#[test]
fn what_is_left_out_of_the_context_was_not_looked_at() {
    let conditions = [
        "context.session.calls_1m >= context.session.agent_limit_1m",
        "context.session == context.session && context.session.denials == 1",
        "context.call has purpose",
        "context.call has on_behalf_of && context.call.on_behalf_of == User::\"ada\"",
        "context.args has subject && context.args.subject like \"x*\"",
        "context.args has \"dry-run\" && context.args[\"dry-run\"]",
        "context.args.to.contains(\"b\")",
        "context.derived.body.bytes > 3 && !(context.derived has subject)",
        "context.arg_origin.to.containsAny([Origin::\"nowhere\"])",
        "[context.findings].contains(context.findings) && context.findings.worst == Severity::\"high\"",
        "context.findings.kinds.contains(FindingKind::\"secret\")",
        "context.targets.hosts.contains(\"h\") || context.targets.paths.isEmpty()",
        "(if context.call.now > 5 then context.labels else context.labels).sources.contains(\"s\")",
        "context has labels && context.call.effect == Effect::\"irreversible_write\"",
    ];
    let loud = Facts {
        now_s: 9,
        purpose: Some("p".into()),
        on_behalf_of: Some(UserId::new("ada")),
        denials: 1,
        calls_1m: 3,
        agent_limit_1m: 3,
        sources: BTreeSet::from(["s".to_owned()]),
        targets: Targets { hosts: BTreeSet::from(["h".to_owned()]), ..Targets::default() },
        findings: Findings { worst: "high".into(), kinds: BTreeSet::from(["secret".to_owned()]) },
        ..from("to", &[Origin::Request])
    };
    let quiet = Facts {
        targets: Targets { paths: BTreeSet::from(["/p".to_owned()]), ..Targets::default() },
        ..from("to", &[Origin::Request])
    };
    let large = json!({"to": ["a", "b"], "body": "long", "subject": "xy", "dry-run": true});
    let small = json!({"to": [], "body": "b", "subject": "no"});
    let calls = [(large, loud.clone()), (mail(), quiet), (small, loud), (mail(), Facts::default())];
    let answers = answers(&conditions, &calls);
    let silent = ["g7", "g8"];
    let all = (0..conditions.len()).map(|number| format!("g{number}")).filter(|id| !silent.contains(&&**id));
    let expected: BTreeSet<String> = all.chain(["shipped/agent-rate".to_owned()]).collect();
    assert_eq!(answers[0].iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(answers[1], ["g13"]);
    assert_eq!(answers[3], ["g11", "g13", "g8"]);
}
