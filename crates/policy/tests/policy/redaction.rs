//! What may be redacted.

use crate::fixture::{bundle, error};

fn guard(scope: &str, terms: &str) -> String {
    format!(r#"@id("g") @decision("sanitize") @redact("{terms}") @reason("r") forbid(principal, {scope}, resource);"#)
}

#[test]
fn content_and_results_can_be_redacted() {
    bundle(&guard(r#"action == Action::"mail/send-mail""#, "args.body, args.subject:remove"));
    bundle(&guard("action", "result.anything[].at.all:pseudonymise"));
    // In a group, every tool that has the argument is looked at; those without it are no matter.
    bundle(&guard(r#"action in [Action::"risk/read", Action::"risk/irreversible_write"]"#, "args.body,args.query"));
}

#[test]
fn what_decides_the_effect_of_a_call_cannot() {
    let target = error(&guard(r#"action == Action::"mail/send-mail""#, "args.to[]"));
    assert_eq!(target.code, "policy/redact");
    assert_eq!(target.message, "`args.to[]:mask` cannot be redacted: `to` of `mail/send-mail` is a target argument");
    let critical = error(&guard(r#"action in Action::"risk/money""#, "args.cents"));
    assert!(critical.message.ends_with("is a critical argument"), "{critical}");
    let language = error(&guard(r#"action == Action::"desk/run_script""#, "args.script"));
    assert!(language.message.ends_with("is written in a language (shell)"), "{language}");
    let undeclared = error(&guard(r#"action == Action::"mail/send-mail""#, "args.dry-run"));
    assert!(undeclared.message.ends_with("is a critical argument"), "{undeclared}");
    let uri = error(&guard(r#"action == Action::"desk#resources/read""#, "args.uri"));
    assert!(uri.message.ends_with("is written in a language (url)"), "{uri}");
}

#[test]
fn an_argument_nothing_in_scope_has_is_an_error_with_near_names() {
    let unknown = error(&guard(r#"action == Action::"mail/send-mail""#, "args.boddy"));
    assert_eq!(unknown.message, "no tool this guard can match has an argument `boddy`");
    assert_eq!(unknown.candidates, ["body"]);
    assert_eq!((unknown.line, unknown.column), (1, 32));
    error(&guard(r#"action == Action::"desk/search""#, "args.body"));
    error(
        r#"@id("g") @decision("sanitize") @redact("args.body") @reason("r") forbid(principal, action, resource == Server::"desk");"#,
    );
}
