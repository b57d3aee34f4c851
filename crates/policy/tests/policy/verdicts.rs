//! The five answers, what they carry, and the modes.

use crate::fixture::{PERMIT_ALL, bundle, decide, rules};
use policy::Facts;
use serde_json::json;
use std::collections::BTreeSet;
use vocab::id::{ApprovalId, Digest, RuleId};
use vocab::{Discharge, FaultKind, Mode, Verdict};

const GUARDS: &str = r#"
@id("all") permit(principal, action, resource);
@id("box") @decision("sandbox") @sandbox("network,read") @reason("confined") @fallback("ask")
forbid(principal, action == Action::"desk/run_script", resource);
@id("clean") @decision("sanitize") @redact("args.body:mask,result.text") @reason("clean")
forbid(principal, action == Action::"mail/send-mail", resource);
@id("person") @decision("ask") @approvers("finance") @quorum("2") @ttl("15m") @reason("money moves")
forbid(principal, action in Action::"risk/money", resource);
@id("never") @reason("not from here")
forbid(principal, action == Action::"bank/transfer", resource) when { context.args.cents > 1000 };
"#;

#[test]
fn the_five_answers() {
    let bundle = bundle(GUARDS);
    let facts = Facts::default();
    let answer = |action: &str, arguments| decide(&bundle, action, &arguments, &facts);

    let allow = answer("desk/search", json!({"query": "x"}));
    assert_eq!((allow.verdict, allow.reasons.len()), (Verdict::Allow, 0));
    assert_eq!(allow.permits, [RuleId::new("all")]);
    assert_eq!(&allow.bundle, bundle.digest());

    let sandbox = answer("desk/run_script", json!({"script": "ls"}));
    assert_eq!(sandbox.verdict, Verdict::Sandbox);
    assert_eq!(sandbox.obligations.sandbox, Some(BTreeSet::from(["network".to_owned(), "read".to_owned()])));
    assert_eq!(sandbox.obligations.fallback, Some(Verdict::Ask));

    let sanitize = answer("mail/send-mail", json!({"to": ["a@b.c"], "body": "x"}));
    assert_eq!(sanitize.verdict, Verdict::Sanitize);
    assert_eq!(
        sanitize.obligations.redact,
        BTreeSet::from(["args.body:mask".to_owned(), "result.text:mask".to_owned()])
    );

    let ask = answer("bank/transfer", json!({"iban": "x", "cents": 5}));
    assert_eq!(ask.verdict, Verdict::Ask);
    assert_eq!((ask.obligations.quorum, ask.obligations.ttl_s), (Some(2), Some(900)));
    assert_eq!(ask.obligations.approvers, BTreeSet::from(["finance".to_owned()]));
    let place = ask.reasons[0].place.as_ref().unwrap();
    assert_eq!((&*place.file, place.line), ("mortise/policies/a.cedar", 7));
    assert_eq!(ask.reasons[0].text.as_deref(), Some("money moves"));

    let deny = answer("bank/transfer", json!({"iban": "x", "cents": 5000}));
    assert_eq!(deny.verdict, Verdict::Deny);
    assert_eq!(rules(&deny), ["never", "person"], "strictest first, all listed");
}

#[test]
fn without_a_permit_rule_the_answer_is_deny_and_guards_are_still_named() {
    let bundle = bundle(r#"@id("g") @decision("ask") @reason("r") forbid(principal, action, resource);"#);
    let deny = decide(&bundle, "desk/search", &json!({"query": "x"}), &Facts::default());
    assert_eq!(deny.verdict, Verdict::Deny);
    assert_eq!(rules(&deny), ["default/no-permit", "g"]);
    assert_eq!(deny.reasons[0].text.as_deref(), Some("no permit rule allows this"));
}

#[test]
fn a_discharge_removes_exactly_the_ask_guard_it_names() {
    let bundle = bundle(&format!(
        r#"{PERMIT_ALL}
@id("a") @decision("ask") @ttl("1h") @reason("r") forbid(principal, action, resource);
@id("b") @decision("ask") @quorum("3") @reason("r") forbid(principal, action, resource);
@id("hard") forbid(principal, action == Action::"desk/run_script", resource);"#
    ));
    let discharge = |rule: &str| Discharge {
        rule: RuleId::new(rule),
        text: bundle.guard_text_digest(&RuleId::new(rule)).unwrap().clone(),
        by: ApprovalId::new(format!("by-{rule}")),
    };
    let with = |discharges, action: &str, arguments| {
        decide(&bundle, action, &arguments, &Facts { discharges, ..Facts::default() })
    };
    let search = || json!({"query": "x"});
    let one = with(vec![discharge("a")], "desk/search", search());
    assert_eq!(one.verdict, Verdict::Ask, "the other still asks");
    assert_eq!(one.obligations.quorum, Some(3));
    assert_eq!(one.reasons[0].discharged_by, Some(ApprovalId::new("by-a")));
    assert_eq!(one.reasons[1].discharged_by, None);
    assert_eq!(with(vec![discharge("a"), discharge("b")], "desk/search", search()).verdict, Verdict::Allow);

    let other_text = Discharge { text: Digest::new("sha256:11"), ..discharge("a") };
    assert_eq!(with(vec![other_text, discharge("b")], "desk/search", search()).verdict, Verdict::Ask);
    let all = vec![discharge("a"), discharge("b"), discharge("hard")];
    assert_eq!(with(all, "desk/run_script", json!({"script": "x"})).verdict, Verdict::Deny, "hard guards stay");
}

#[test]
fn fulfilled_redactions_count_as_met_and_result_terms_stay_obligations() {
    let bundle = bundle(GUARDS);
    let facts =
        |terms: &[&str]| Facts { fulfilled: terms.iter().map(|term| (*term).to_owned()).collect(), ..Facts::default() };
    let send = |terms: &[&str]| decide(&bundle, "mail/send-mail", &json!({"to": ["a"], "body": "x"}), &facts(terms));
    let done = send(&["args.body:mask"]);
    assert_eq!(done.verdict, Verdict::Allow);
    assert_eq!(done.obligations.redact, BTreeSet::from(["result.text:mask".to_owned()]));
    assert_eq!(rules(&done), ["clean"]);
    assert_eq!(send(&["args.body:remove"]).verdict, Verdict::Sanitize, "another method is another term");
    assert_eq!(send(&["result.text:mask"]).verdict, Verdict::Sanitize);
}

#[test]
fn a_guard_on_results_only_sanitizes_until_the_caller_undertakes_it() {
    let bundle = bundle(&format!(
        r#"{PERMIT_ALL}@id("r") @decision("sanitize") @redact("result.text") @reason("r") forbid(principal, action, resource);"#
    ));
    let search =
        |fulfilled| decide(&bundle, "desk/search", &json!({"query": "x"}), &Facts { fulfilled, ..Facts::default() });
    assert_eq!(search(BTreeSet::new()).verdict, Verdict::Sanitize);
    let undertaken = search(BTreeSet::from(["result.text:mask".to_owned()]));
    assert_eq!(undertaken.verdict, Verdict::Allow);
    assert!(undertaken.obligations.redact.contains("result.text:mask"));
}

#[test]
fn modes_bind_user_rules_step_by_step_and_shipped_guards_always() {
    let bundle = bundle(
        r#"@id("soft") @decision("ask") @reason("r") forbid(principal, action, resource);
@id("hard") forbid(principal, action == Action::"desk/run_script", resource);
@id("trial") @mode("shadow") forbid(principal, action, resource);
@id("all") permit(principal, action, resource) when { context.session.calls < 5 };"#,
    );
    // The fixture's agents enforce; a mode can only be loosened in the agent file.
    let loose = |mode| {
        let mut shapes = crate::fixture::shapes();
        shapes.agents[0].mode = mode;
        let text: String = bundle_text();
        policy::compile(&[crate::fixture::source("a.cedar", &text)], &shapes).bundle.unwrap()
    };
    fn bundle_text() -> String {
        r#"@id("soft") @decision("ask") @reason("r") forbid(principal, action, resource);
@id("hard") forbid(principal, action == Action::"desk/run_script", resource);
@id("trial") @mode("shadow") forbid(principal, action, resource);
@id("all") permit(principal, action, resource) when { context.session.calls < 5 };"#
            .to_owned()
    }
    let script = json!({"script": "x"});
    let search = json!({"query": "x"});
    let facts = |mode, calls| Facts { mode, calls, ..Facts::default() };
    let would = |decision: &vocab::Decision| decision.would.iter().map(|w| w.rule.to_string()).collect::<Vec<_>>();

    let enforced = decide(&bundle, "desk/search", &search, &facts(Mode::Observe, 0));
    assert_eq!(enforced.verdict, Verdict::Ask, "facts cannot loosen the agent's mode");
    assert_eq!(would(&enforced), ["trial"], "shadow rules are recorded, never folded in");

    let shadow = loose(Mode::Shadow);
    let soft = decide(&shadow, "desk/search", &search, &facts(Mode::Shadow, 0));
    assert_eq!((soft.verdict, would(&soft)), (Verdict::Allow, vec!["trial".to_owned(), "soft".to_owned()]));
    assert_eq!(decide(&shadow, "desk/run_script", &script, &facts(Mode::Shadow, 0)).verdict, Verdict::Deny);
    assert_eq!(
        decide(&shadow, "desk/search", &search, &facts(Mode::Shadow, 9)).verdict,
        Verdict::Deny,
        "permit rules bind"
    );

    let observe = loose(Mode::Observe);
    let seen = decide(&observe, "desk/run_script", &script, &facts(Mode::Observe, 9));
    assert_eq!(seen.verdict, Verdict::Allow);
    assert_eq!(would(&seen), ["default/no-permit", "hard", "trial", "soft"]);
    let rate = Facts { calls_1m: 3, agent_limit_1m: 3, ..facts(Mode::Observe, 0) };
    let limited = decide(&observe, "desk/search", &search, &rate);
    assert_eq!((limited.verdict, rules(&limited)), (Verdict::Deny, vec!["shipped/agent-rate"]));
}

#[test]
fn an_uncertain_agent_is_held_by_effect_unless_a_guard_says_otherwise() {
    let bundle = bundle(&format!(
        r#"{PERMIT_ALL}
@id("read") @decision("sanitize") @redact("args.query") @uncertain("ask") @reason("r")
forbid(principal, action == Action::"desk/search", resource) when {{ context.args.query == "secret" }};
@id("pay") @decision("ask") @uncertain("ask") @reason("r") forbid(principal, action == Action::"bank/transfer", resource);"#
    ));
    let facts = Facts { uncertain: true, confidence: Some(20), ..Facts::default() };
    let answer = |action: &str, arguments| decide(&bundle, action, &arguments, &facts);
    assert_eq!(answer("desk/search", json!({"query": "x"})).verdict, Verdict::Allow, "plain reads pass");
    let guarded = answer("desk/search", json!({"query": "secret"}));
    assert_eq!((guarded.verdict, rules(&guarded)), (Verdict::Ask, vec!["shipped/uncertain", "read"]));
    assert_eq!(answer("desk/close_ticket", json!({"id": 1})).verdict, Verdict::Ask);
    assert_eq!(answer("mail/send-mail", json!({"to": [], "body": ""})).verdict, Verdict::Deny);
    assert_eq!(answer("bank/transfer", json!({"iban": "x", "cents": 1})).verdict, Verdict::Ask, "the guard decides");

    let rule = RuleId::new("shipped/uncertain");
    let text = bundle.guard_text_digest(&rule).unwrap().clone();
    let discharged = Facts { discharges: vec![Discharge { rule, text, by: ApprovalId::new("x") }], ..facts.clone() };
    assert_eq!(decide(&bundle, "desk/close_ticket", &json!({"id": 1}), &discharged).verdict, Verdict::Allow);
    assert_eq!(decide(&bundle, "mail/send-mail", &json!({"to": [], "body": ""}), &discharged).verdict, Verdict::Deny);
}

#[test]
fn deny_all_denies_with_its_reason() {
    let bundle = policy::Bundle::deny_all("`a.cedar` does not load");
    let deny = decide(&bundle, "desk/search", &json!({"query": "x"}), &Facts::default());
    assert_eq!((deny.verdict, rules(&deny)), (Verdict::Deny, vec!["default/no-policy"]));
    assert_eq!(deny.reasons[0].text.as_deref(), Some("`a.cedar` does not load"));
    assert_eq!(deny.faults[0].kind, FaultKind::NoPolicy);
    assert_ne!(bundle.digest(), policy::Bundle::deny_all("other").digest());
}
