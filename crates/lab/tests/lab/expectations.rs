//! Every promise a case can make, kept and broken.

use crate::fixture::{FILE, case, files, message, run, snapshot, snapshot_and, snapshot_of, suite, wrong};
use vocab::Verdict;

fn holds(lines: &str) {
    assert_eq!(message(lines), None, "{lines}");
}

fn fails(lines: &str, why: &str) {
    assert_eq!(message(lines).as_deref(), Some(why), "{lines}");
}

#[test]
fn the_verdict() {
    let calls = [
        ("call: desk/close\nargs: {id: T-1}", Verdict::Allow),
        ("call: desk/run\nargs: {script: purge}", Verdict::Sandbox),
        ("call: desk/mail\nargs: {to: a, note: b}", Verdict::Sanitize),
        ("call: desk/run\nargs: {script: restart}", Verdict::Ask),
        ("call: desk/close\nargs: {id: T-9}", Verdict::Deny),
    ];
    for (call, verdict) in calls {
        for expected in Verdict::ALL {
            let found = message(&format!("{call}\nexpect: {expected}"));
            assert_eq!(found.is_none(), expected == verdict, "{call} {expected}: {found:?}");
        }
    }
    fails("call: desk/close\nargs: {id: T-1}\nexpect: deny", "expected deny, got allow: no guard spoke");
    fails("call: desk/close\nargs: {id: T-9}\nexpect: allow", "expected allow, got deny by `guards/never`");
}

#[test]
fn the_rule() {
    holds("call: desk/close\nargs: {id: T-9}\nexpect: deny\nrule: guards/never");
    holds("call: desk/close\nargs: {id: T-1}\nexpect: allow\nrule: roles/work");
    holds("call: desk/close\nargs: {id: T-0}\nexpect: deny\nrule: default/no-permit");
    fails("call: desk/close\nargs: {id: T-1}\nexpect: allow\nrule: guards/never", "rule `guards/never` did not speak");
    let recorded = "rule `guards/shadow` only recorded that it would deny: it, or its agent, is not in mode enforce";
    fails("call: desk/search\nargs: {query: shadow}\nexpect: allow\nrule: guards/shadow", recorded);
}

#[test]
fn the_rule_that_must_not_speak() {
    holds("call: desk/close\nargs: {id: T-1}\nexpect: allow\nnot_rule: guards/never");
    fails(
        "call: desk/close\nargs: {id: T-9}\nexpect: deny\nnot_rule: guards/never",
        "rule `guards/never` spoke, and should not have",
    );
}

#[test]
fn the_redactions() {
    let mail = "call: desk/mail\nargs: {to: a, note: b}\nexpect: sanitize\n";
    holds(&format!("{mail}redact: [\"args.note:remove\"]"));
    fails(&format!("{mail}redact: []"), "redacted beyond what is expected: `args.note:remove`");
    fails(
        &format!("{mail}redact: [\"args.note\"]"),
        "not redacted: `args.note:mask`; redacted beyond what is expected: `args.note:remove`",
    );
    fails(&format!("{mail}redact: [\"args.note:remove\", \"args.to\"]"), "not redacted: `args.to:mask`");
    holds("call: desk/search\nargs: {query: closed}\nexpect: sanitize\nredact: [\"result.rows[].email\"]");
    holds("call: desk/close\nargs: {id: T-1}\nexpect: allow\nredact: []");
}

#[test]
fn several_broken_promises_are_all_said() {
    let found = message(
        "call: desk/close\nargs: {id: T-9}\nexpect: allow\nrule: guards/notes\nnot_rule: guards/never\nredact: [args.x]",
    );
    assert_eq!(found.unwrap().split("; ").count(), 4);
}

#[test]
fn facts_reach_the_rules() {
    let mail = "call: desk/mail\nargs: {to: a}\n";
    holds(&format!("{mail}expect: allow\nfacts: {{labels: {{confidentiality: [private]}}}}"));
    holds(&format!(
        "{mail}expect: deny\nrule: guards/secrets\nfacts: {{labels: {{confidentiality: [private, secret]}}}}"
    ));
    // The declared limit of the agent is 30 a minute.
    holds(&format!("{mail}expect: allow\nfacts: {{session: {{calls_1m: 29}}}}"));
    holds(&format!("{mail}expect: deny\nrule: shipped/agent-rate\nfacts: {{session: {{calls_1m: 30}}}}"));
    holds(&format!("{mail}expect: allow\nfacts: {{session: {{calls_1m: 30, agent_limit_1m: 31}}}}"));
    holds(&format!(
        "{mail}expect: deny\nrule: shipped/tool-rate\nfacts: {{session: {{tool_calls_1m: 2, tool_limit_1m: 2}}}}"
    ));
}

#[test]
fn uncertainty_is_stated_or_follows_from_confidence() {
    let run = "call: desk/run\nargs: {script: restart}\n";
    holds(&format!("{run}expect: deny\nrule: shipped/uncertain\nfacts: {{confidence: 49}}"));
    holds(&format!("{run}expect: ask\nfacts: {{confidence: 50}}"));
    holds(&format!("{run}expect: deny\nfacts: {{uncertain: true}}"));
    holds(&format!("{run}expect: ask\nfacts: {{uncertain: false, confidence: 1}}"));
}

#[test]
fn built_in_rules_refuse_as_in_production() {
    holds("call: desk/secret_tool\nexpect: deny\nrule: inventory/bot");
    holds("call: desk/no_such_tool\nexpect: deny\nrule: inventory/bot");
    holds("call: desk/close\nargs: {id: 1}\nexpect: deny\nrule: schema/desk/close");
    holds(
        "call: desk/mail\nargs: {to: a, file: /srv/shop/mortise/policies/a.cedar}\nexpect: deny\nrule: builtin/protected-files",
    );
    holds("call: desk/mail\nargs: {to: a, file: mortise.toml}\nexpect: deny\nrule: builtin/protected-files");
    holds("call: desk/mail\nargs: {to: a, file: /srv/other.txt}\nexpect: allow");
}

#[test]
fn what_is_no_tool_is_decided_too() {
    holds("call: desk#resources/read\nargs: {uri: \"desk://x\"}\nexpect: allow");
    holds("call: desk#prompts/get\nargs: {name: hi}\nexpect: allow");
    holds("call: desk#prompts/get\nargs: {name: ho}\nexpect: deny\nrule: inventory/bot");
    holds("call: desk#prompts/get\nexpect: deny\nrule: inventory/bot");
    holds("call: desk#sampling\nexpect: deny\nrule: inventory/bot");
}

#[test]
fn what_cannot_be_confined_follows_its_fallback() {
    holds("call: desk/close\nargs: {id: T-7}\nexpect: ask\nrule: guards/nowhere");
    let mut files = files();
    let server = files.texts.get_mut("mortise/tools/desk.toml").unwrap();
    *server = server.replace("dry_run = \"try_run\"\n", "");
    let text = suite(&case("it", "call: desk/run\nargs: {script: purge}\nexpect: deny\nrule: guards/rehearse"));
    let report = lab::run(&snapshot_of(&files), [(FILE, text.as_str())], None).unwrap();
    assert!(report.cases[0].passed, "{:?}", report.cases[0].message);
}

#[test]
fn a_sanitized_call_is_decided_once_more() {
    // With the note removed nothing else is left to say; the address is still a secret's way out.
    let found = run(&case(
        "it",
        "call: desk/mail\nargs: {to: a, note: b}\nexpect: deny\nfacts: {labels: {confidentiality: [secret]}}",
    ));
    assert_eq!(found.cases[0].rule.as_ref().unwrap().as_str(), "guards/secrets");
    let rule = "@id(\"guards/more\") @decision(\"ask\") forbid(principal, action == Action::\"desk/mail\", resource) unless { context.args has note };";
    let lines =
        "call: desk/mail\nargs: {to: a, note: b}\nexpect: ask\nrule: guards/more\nredact: [\"args.note:remove\"]";
    assert_eq!(message_and(rule, lines), None);
}

#[test]
fn a_redaction_that_was_made_counts_as_met() {
    let rule = "@id(\"guards/copy\") @decision(\"sanitize\") @redact(\"args.copy\") forbid(principal, action == Action::\"desk/mail\", resource) when { context.args has copy };";
    let lines = "call: desk/mail\nargs: {to: a, copy: c}\nexpect: sanitize\nrule: guards/copy\nredact: [args.copy]";
    assert_eq!(message_and(rule, lines), None);
}

#[test]
fn a_redaction_that_breaks_the_call_is_a_refusal() {
    let again = "@id(\"guards/again\") @decision(\"sanitize\") @redact(\"args.copy:remove\") forbid(principal, action == Action::\"desk/mail\", resource) unless { context.args has note };";
    let lines = "call: desk/mail\nargs: {to: a, note: b, copy: c}\nexpect: deny\nrule: sanitize/not-converging";
    assert_eq!(message_and(again, lines), None);
    let masks = "@id(\"guards/code\") @decision(\"sanitize\") @redact(\"args.code\") forbid(principal, action == Action::\"desk/mail\", resource) when { context.args has code };";
    let lines = "call: desk/mail\nargs: {to: a, code: abc}\nexpect: deny\nrule: sanitize/schema";
    assert_eq!(message_and(masks, lines), None);
}

#[test]
fn the_twin_must_accept_the_call() {
    holds("call: desk/run\nargs: {script: purge}\nexpect: sandbox");
    holds("call: desk/run\nargs: {script: purge, force: true}\nexpect: deny\nrule: sandbox/twin");
}

fn message_and(rule: &str, lines: &str) -> Option<String> {
    let text = suite(&case("it", lines));
    let report = lab::run(&snapshot_and(rule), [(FILE, text.as_str())], None).unwrap();
    report.cases[0].message.clone()
}

#[test]
fn a_denial_by_the_schema_that_nobody_meant_is_pointed_out() {
    let report = run(&case("it", "call: desk/close\nargs: {idd: T-9}\nexpect: deny"));
    assert!(report.cases[0].passed);
    assert_eq!(report.warnings.len(), 1);
    assert_eq!((report.warnings[0].code, report.warnings[0].line), ("tests/denied-by-schema", 6));
    assert_eq!((report.exit(false).code(), report.exit(true).code()), (0, 11));
    let meant = run(&case("it", "call: desk/close\nargs: {idd: T-9}\nexpect: deny\nrule: schema/desk/close"));
    assert!(meant.warnings.is_empty());
}

#[test]
fn one_broken_suite_leaves_no_result() {
    let good = suite(&case("it", "call: desk/close\nargs: {id: T-9}\nexpect: deny"));
    let snapshot = snapshot();
    let found = lab::run(snapshot, [("a.yaml", good.as_str()), ("b.yaml", "x"), ("c.yaml", "y: 1")], None).unwrap_err();
    let files: Vec<&str> = found.iter().map(|found| found.file.as_str()).collect();
    assert_eq!(files, ["b.yaml", "c.yaml"]);
    assert!(!wrong("x").is_empty());
}

#[test]
fn a_run_is_the_same_every_time_and_in_order() {
    let cases: String =
        (0..50).map(|n| case(&format!("c{n}"), "call: desk/close\nargs: {id: T-9}\nexpect: deny")).collect();
    let names = |filter: Option<&str>| {
        let report = lab::run(snapshot(), [(FILE, suite(&cases).as_str())], filter).unwrap();
        report.cases.into_iter().map(|case| case.name).collect::<Vec<_>>()
    };
    let all: Vec<String> = (0..50).map(|n| format!("c{n}")).collect();
    assert_eq!(names(None), all);
    assert_eq!(names(Some("desk")), all);
    assert_eq!(names(Some("c4")).len(), 11);
    assert!(names(Some("nothing")).is_empty());
}
