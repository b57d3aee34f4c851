//! What does not load, and how it is said.

use crate::fixture::{PERMIT_ALL, compiled, error, shapes, source};
use policy::compile;
use vocab::Severity;

const SCOPE: &str = "forbid(principal, action, resource);";

#[test]
fn ids_are_required_unique_and_sound() {
    assert_eq!(error(SCOPE).code, "policy/no-id");
    assert_eq!(error(&format!("@id {SCOPE}")).message, "`@id`: an empty id");
    assert_eq!(error(&format!("@id(\"shipped/agent-rate\") {SCOPE}")).code, "policy/annotation-value");
    let texts = [source("a.cedar", PERMIT_ALL), source("b.cedar", &format!("\n  {PERMIT_ALL}"))];
    let compilation = compile(&texts, &shapes());
    let twice = &compilation.diagnostics[0];
    assert_eq!((twice.code, twice.file.as_str(), twice.line, twice.column), ("policy/duplicate-id", "b.cedar", 2, 3));
    assert_eq!(twice.help.as_deref(), Some("the other is at a.cedar:1; give this one another id"));
}

#[test]
fn annotations_are_a_closed_vocabulary() {
    let unknown = error(&format!("@id(\"g\")\n@decison(\"ask\") {SCOPE}"));
    assert_eq!((unknown.code, unknown.line, unknown.column), ("policy/unknown-annotation", 2, 1));
    assert_eq!(unknown.candidates, ["decision"]);
    let value = error(&format!("@id(\"g\") @decision(\"asks\") {SCOPE}"));
    assert_eq!(value.span, Some((9, 26)));
    assert_eq!(value.candidates, ["ask"]);
    for bad in [
        "@decision",
        "@decision(\"deny\")",
        "@decision(\"allow\")",
        "@mode(\"on\")",
        "@severity(\"huge\")",
        "@reason(\"\")",
        "@owner(\" \")",
        "@decision(\"ask\") @ttl(\"5\")",
        "@decision(\"ask\") @quorum(\"0\")",
        "@decision(\"ask\") @approvers(\"secopz\")",
        "@decision(\"sandbox\") @sandbox(\"internet\")",
        "@decision(\"sandbox\") @fallback(\"allow\")",
        "@decision(\"ask\") @uncertain(\"allow\")",
        "@decision(\"sanitize\") @redact(\"body\")",
    ] {
        assert_eq!(error(&format!("@id(\"g\") {bad} {SCOPE}")).code, "policy/annotation-value", "{bad}");
    }
}

#[test]
fn annotations_stand_only_where_they_mean_something() {
    for bad in [
        "@redact(\"result.x\")",
        "@sandbox(\"read\")",
        "@fallback(\"ask\")",
        "@approvers(\"secops\")",
        "@quorum(\"2\")",
        "@ttl(\"5m\")",
        "@uncertain(\"ask\")",
        "@decision(\"sanitize\")",
        "@decision(\"ask\") @sandbox(\"read\")",
    ] {
        assert_eq!(error(&format!("@id(\"g\") {bad} {SCOPE}")).code, "policy/annotation", "{bad}");
    }
    for bad in ["@decision(\"ask\")", "@redact(\"result.x\")", "@uncertain(\"ask\")"] {
        let wrong = error(&format!("@id(\"p\") {bad} permit(principal, action, resource);"));
        assert!(wrong.message.ends_with("on a permit rule"), "{wrong}");
    }
    let good = r#"@id("g") @decision("sandbox") @fallback("ask") @approvers("secops, ada") @quorum("2") @severity("high")
@owner("secops") @mode("shadow") @reason("r") forbid(principal, action, resource);"#;
    assert_eq!(compiled(good).diagnostics, []);
}

#[test]
fn a_soft_guard_without_a_reason_is_a_warning() {
    let compilation = compiled(&format!("@id(\"g\") @decision(\"ask\") {SCOPE}"));
    assert!(compilation.bundle.is_some());
    assert_eq!(compilation.diagnostics[0].code, "policy/no-reason");
    assert_eq!(compilation.diagnostics[0].severity, Severity::Warning);
}

#[test]
fn names_that_nothing_has_are_errors_with_near_names() {
    for (wrong, near) in [
        ("principal == Agent::\"suport-bot\", action, resource", "support-bot"),
        ("principal in AgentClass::\"suport\", action, resource", "support"),
        ("principal in Team::\"support-platfrm\", action, resource", "support-platform"),
        ("principal, action, resource == Server::\"dsk\"", "desk"),
        ("principal, action, resource in Zone::\"intern\"", "internal"),
    ] {
        let error = error(&format!("@id(\"g\")\nforbid({wrong});"));
        assert_eq!(error.code, "policy/unknown-name", "{error}");
        assert_eq!(error.candidates[0], near);
        assert_eq!(error.line, 2);
        assert!(error.column > 7, "underlines the name, not the rule");
    }
    let person = error(
        "@id(\"g\") forbid(principal, action, resource) when { context.call has on_behalf_of && context.call.on_behalf_of == User::\"adda\" };",
    );
    assert_eq!(person.candidates, ["ada"]);
    for scope in
        ["action == Action::\"desk/run_scrip\"", "action in [Action::\"desk/search\", Action::\"desk/run_scrip\"]"]
    {
        let tool = error(&format!("@id(\"g\") forbid(principal, {scope}, resource);"));
        assert_eq!((tool.code, tool.candidates[0].as_str()), ("policy/unknown-name", "desk/run_script"));
    }
    assert_eq!(
        error("@id(\"g\") forbid(principal, action in Action::\"risk/exe\", resource);").candidates[0],
        "risk/exec"
    );
}

#[test]
fn a_misspelt_word_of_a_closed_vocabulary_is_an_error() {
    for condition in [
        "context.origin.target.contains(Origin::\"thirdparty\")",
        "context.labels.integrity == Integrity::\"systm\"",
        "context.labels.confidentiality.contains(Confidentiality::\"secert\")",
        "principal.tier == Tier::\"hgih\"",
        "context.findings.worst == Severity::\"hi\"",
        "context.findings.kinds.contains(FindingKind::\"pii\")",
        "context.call.effect == Effect::\"write\"",
        "principal.env == Env::\"prod\"",
        "principal.authn == Authn::\"key\"",
        "principal.tier == \"high\"",
    ] {
        let error = error(&format!("@id(\"g\") forbid(principal, action, resource) when {{ {condition} }};"));
        assert_eq!(error.code, "policy/invalid", "{error}");
        assert!(error.line == 1 && error.column > 10);
    }
}

#[test]
fn rules_that_cannot_match_are_errors_but_groups_without_tools_are_not() {
    assert_eq!(error("@id(\"g\") forbid(principal, action, resource) when { false };").code, "policy/impossible");
    assert_eq!(error("@id(\"g\") forbid(principal is Server, action, resource);").code, "policy/impossible");
    let mut without_money = shapes();
    without_money.tools.retain(|tool| tool.effect != vocab::Effect::Money);
    let text = "@id(\"g\") forbid(principal, action in Action::\"risk/money\", resource) when { context.origin.target.contains(Origin::\"third_party\") };";
    assert!(compile(&[source("a.cedar", text)], &without_money).bundle.is_some());
}

#[test]
fn the_allow_list_form_of_a_flow_guard_loads_on_groups_and_needs_no_has() {
    let text = "@id(\"g\") forbid(principal, action in Action::\"tools/call\", resource)
unless { [Origin::\"request\", Origin::\"system\"].containsAll(context.origin.target) };";
    assert_eq!(compiled(text).diagnostics, []);
    let missing = error(
        "@id(\"g\") forbid(principal, action in Action::\"tools/call\", resource) when { context.args.body like \"*x*\" };",
    );
    assert_eq!(missing.code, "policy/invalid");
}

#[test]
fn syntax_errors_and_templates_have_their_place() {
    let syntax = error("@id(\"g\")\nforbid(principal, action resource);");
    assert_eq!((syntax.code, syntax.line), ("policy/syntax", 2));
    let template = error("@id(\"g\")\npermit(principal == ?principal, action, resource);");
    assert_eq!(template.code, "policy/template");
}

#[test]
fn suspicious_text_is_a_warning() {
    let compilation =
        compiled("@id(\"g\") forbid(principal, action, resource) when { context.session.mode == \"p\u{0430}yment\" };");
    assert!(compilation.bundle.is_some());
    assert_eq!(compilation.diagnostics[0].severity, Severity::Warning);
}
