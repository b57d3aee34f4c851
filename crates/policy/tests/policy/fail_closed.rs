//! The rows of the design's fail-closed table that this crate answers for.

use crate::fixture::{PERMIT_ALL, bundle, compiled, decide, decide_as, error, rules};
use policy::{Facts, Request};
use serde_json::json;
use vocab::id::{AgentId, ServerId};
use vocab::{Authn, FaultKind, Origin, Verdict};

/// Three rules that plain Cedar skips on error, letting the call through.
#[test]
fn three_fail_opens_reproduced_elsewhere_do_not_load_or_deny() {
    let wrong_type =
        compiled("@id(\"g\") forbid(principal, action, resource) when { context.session.mode in [\"observe\"] };");
    assert!(wrong_type.bundle.is_none());
    assert_eq!(wrong_type.diagnostics[0].code, "policy/invalid");

    for expression in [
        "context.session.calls * 9223372036854775807 > 1",
        "context.session.calls + 1 > 1",
        "context.session.calls - 1 > 1",
        "-context.session.calls > 1",
    ] {
        let text = format!(
            "@id(\"g\")\n// a * in a comment\nforbid(principal, action, resource) when {{ \"a+b\" != \"\" && {expression} }};"
        );
        let overflow = error(&text);
        assert_eq!((overflow.code, overflow.line), ("policy/arithmetic", 3));
        let (from, to) = overflow.span.unwrap();
        assert!(text[..from].contains("&&") && to == from + 1, "underlines the operator: {}", &text[from..to]);
    }
    bundle("@id(\"g\") forbid(principal, action, resource) when { context.session.calls > -1 };");

    let bundle = bundle(&format!(
        "{PERMIT_ALL}@id(\"g\") forbid(principal, action, resource) when {{ principal.tier == Tier::\"critical\" }};"
    ));
    let unknown = decide_as(&bundle, "nobody", "desk/search", &json!({"query": "x"}), &Facts::default());
    assert_eq!((unknown.verdict, unknown.faults[0].kind), (Verdict::Deny, FaultKind::Request));
}

/// An overflow in a date is an error that no check finds: it comes out when the rule is evaluated.
#[test]
fn a_guard_that_fails_matches_at_its_own_level_and_a_permit_rule_that_fails_does_not() {
    let fails = "datetime(\"2026-12-01\").offset(duration(\"9223372036854775807ms\")) > datetime(\"2026-12-01\")";
    let soft = bundle(&format!(
        "{PERMIT_ALL}@id(\"g\") @decision(\"ask\") @reason(\"r\") forbid(principal, action, resource) when {{ {fails} }};"
    ));
    let search = json!({"query": "x"});
    let ask = decide(&soft, "desk/search", &search, &Facts::default());
    assert_eq!((ask.verdict, rules(&ask)), (Verdict::Ask, vec!["g"]));
    assert_eq!((ask.faults[0].kind, ask.faults[0].rule.as_ref().unwrap().as_str()), (FaultKind::GuardError, "g"));

    let hard = bundle(&format!("{PERMIT_ALL}@id(\"g\") forbid(principal, action, resource) when {{ {fails} }};"));
    assert_eq!(decide(&hard, "desk/search", &search, &Facts::default()).verdict, Verdict::Deny);

    let permit = bundle(&format!("@id(\"p\") permit(principal, action, resource) when {{ {fails} }};"));
    let denied = decide(&permit, "desk/search", &search, &Facts::default());
    assert_eq!((denied.verdict, rules(&denied)), (Verdict::Deny, vec!["default/no-permit"]));
    assert_eq!(denied.faults[0].kind, FaultKind::PermitError);

    let shadow = bundle(&format!(
        "{PERMIT_ALL}@id(\"g\") @mode(\"shadow\") forbid(principal, action, resource) when {{ {fails} }};"
    ));
    let allowed = decide(&shadow, "desk/search", &search, &Facts::default());
    assert_eq!((allowed.verdict, allowed.would.len()), (Verdict::Allow, 1), "shadow rules never bind");
}

#[test]
fn unknown_actions_servers_and_unusable_requests_are_denied_with_a_fault() {
    let bundle = bundle(PERMIT_ALL);
    let facts = Facts::default();
    let (agent, desk, mail) = (AgentId::new("support-bot"), ServerId::new("desk"), ServerId::new("mail"));
    let good = json!({"query": "x"});
    let base = Request {
        agent: &agent,
        authn: Authn::Local,
        action: "desk/search",
        server: &desk,
        arguments: &good,
        facts: &facts,
    };
    assert_eq!(bundle.decide(&base).verdict, Verdict::Allow);
    let bad_word =
        Facts { findings: policy::Findings { worst: "terrible".into(), ..Default::default() }, ..Facts::default() };
    for bad in [
        Request { action: "desk/nothing", ..base },
        Request { action: "mortise/none", ..base },
        Request { action: "tools/call", ..base },
        Request { server: &mail, ..base },
        Request { server: &ServerId::new("none"), ..base },
        Request { arguments: &json!({}), ..base },
        Request { arguments: &json!({"query": 5}), ..base },
        Request { arguments: &json!(["x"]), ..base },
        Request { facts: &bad_word, ..base },
    ] {
        let decision = bundle.decide(&bad);
        assert_eq!((decision.verdict, decision.faults[0].kind), (Verdict::Deny, FaultKind::Request), "{bad:?}");
        assert_eq!(rules(&decision), ["default/undecidable"]);
    }
}

#[test]
fn faults_and_reasons_carry_no_argument_text() {
    let bundle = bundle(PERMIT_ALL);
    let decision =
        decide(&bundle, "desk/close_ticket", &json!({"id": "hunter2", "note": "hunter2"}), &Facts::default());
    assert_eq!(decision.verdict, Verdict::Deny);
    assert!(!format!("{decision:?}").contains("hunter2"));
}

#[test]
fn values_that_cannot_be_represented_ask_or_deny_by_effect() {
    let bundle = bundle(PERMIT_ALL);
    let answer = |action: &str, arguments| {
        let decision = decide(&bundle, action, &arguments, &Facts::default());
        (decision.verdict, decision.reasons.first().map(|reason| reason.rule.to_string()))
    };
    let ask = (Verdict::Ask, Some("shipped/unrepresentable-ask".to_owned()));
    let deny = (Verdict::Deny, Some("shipped/unrepresentable".to_owned()));
    assert_eq!(answer("desk/search", json!({"query": "x", "undeclared": 1})), ask);
    assert_eq!(answer("desk/close_ticket", json!({"id": 1e30})), ask);
    assert_eq!(answer("bank/transfer", json!({"iban": "x", "cents": u64::MAX})), deny);
    assert_eq!(
        answer("bank/transfer", json!({"iban": "x", "cents": 5.0})),
        (Verdict::Allow, None),
        "5.0 is a whole number"
    );
    assert_eq!(answer("bank/transfer", json!({"iban": "x", "cents": i64::MIN})), (Verdict::Allow, None));
}

#[test]
fn a_number_beyond_the_range_still_compares_the_right_way() {
    let bundle = bundle(&format!(
        "{PERMIT_ALL}@id(\"big\") forbid(principal, action == Action::\"bank/transfer\", resource) when {{ context.args.cents > 1000 }};"
    ));
    let deny = decide(&bundle, "bank/transfer", &json!({"iban": "x", "cents": 1e300}), &Facts::default());
    assert_eq!(rules(&deny), ["big", "shipped/unrepresentable"]);
    let low = decide(&bundle, "bank/transfer", &json!({"iban": "x", "cents": -1e300}), &Facts::default());
    assert_eq!(rules(&low), ["shipped/unrepresentable"]);
}

#[test]
fn rates_are_held_at_their_limit() {
    let bundle = bundle(PERMIT_ALL);
    let at = |calls_1m, tool_calls_1m| {
        let facts = Facts { calls_1m, tool_calls_1m, agent_limit_1m: 120, tool_limit_1m: 5, ..Facts::default() };
        decide(&bundle, "desk/search", &json!({"query": "x"}), &facts).verdict
    };
    assert_eq!(at(119, 4), Verdict::Allow);
    assert_eq!(at(120, 4), Verdict::Deny);
    assert_eq!(at(119, 5), Verdict::Deny);
}

/// The allow-list form of a flow guard must fire on a value nobody can place, and must not on an absent one.
#[test]
fn a_present_argument_comes_from_somewhere_and_an_absent_one_from_nowhere_at_all() {
    let bundle = bundle(&format!(
        r#"{PERMIT_ALL}@id("flow") forbid(principal, action in Action::"tools/call", resource)
unless {{ [Origin::"request", Origin::"system"].containsAll(context.origin.target) }};"#
    ));
    let send = |origins: Option<&[Origin]>| {
        let origins = origins.map(|origins| ("to".to_owned(), origins.iter().copied().collect()));
        let facts = Facts { origins: origins.into_iter().collect(), ..Facts::default() };
        decide(&bundle, "mail/send-mail", &json!({"to": ["a"], "body": "b"}), &facts).verdict
    };
    assert_eq!(send(None), Verdict::Deny, "no entry is nowhere");
    assert_eq!(send(Some(&[])), Verdict::Deny, "an empty entry is nowhere");
    assert_eq!(send(Some(&[Origin::Request])), Verdict::Allow);
    assert_eq!(send(Some(&[Origin::Request, Origin::ThirdParty])), Verdict::Deny);
    let without_target = decide(&bundle, "desk/search", &json!({"query": "x"}), &Facts::default());
    assert_eq!(without_target.verdict, Verdict::Allow);
}

/// What a rule looks at is found by the names of operations; a field of a record can have the name of one.
#[test]
fn a_guard_sees_what_stands_in_a_record_whatever_the_field_is_called() {
    for name in ["Value", "Var", "Record", "has", "."] {
        let guard = format!(
            "{PERMIT_ALL}@id(\"g\") forbid(principal, action == Action::\"mail/send-mail\", resource) \
             when {{ context.args has subject && {{\"{name}\": context.args has \"dry-run\"}}[\"{name}\"] }};"
        );
        let call = json!({"to": ["a"], "body": "b", "subject": "s", "dry-run": true});
        let decision = decide(&bundle(&guard), "mail/send-mail", &call, &Facts::default());
        assert!(decision.faults.is_empty() && rules(&decision) == ["g"], "{name}: {decision:?}");
    }
}
