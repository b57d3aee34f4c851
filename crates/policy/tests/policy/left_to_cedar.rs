//! Rules that are not compiled: they are named, and decided as before.

use crate::fixture::{PERMIT_ALL, bundle, decide, rules};
use policy::{Bundle, Facts};
use serde_json::json;

fn left(bundle: &Bundle) -> Vec<&str> {
    bundle.rules_left_to_cedar().map(|rule| rule.id.as_str()).collect()
}

#[test]
fn the_shipped_rules_are_compiled() {
    let bundle = bundle(PERMIT_ALL);
    assert!(bundle.rules().count() > 4);
    assert!(left(&bundle).is_empty());
    assert_eq!(Bundle::deny_all("no rules").rules_left_to_cedar().count(), 0);
}

#[test]
fn a_rule_with_an_extension_function_is_named_and_decided_by_cedar() {
    let bundle = bundle(&format!(
        r#"{PERMIT_ALL}
@id("dated") @decision("ask") @reason("r") forbid(principal, action, resource)
when {{ context.session.calls > 2 && datetime("2026-12-01") > datetime("2026-01-01") }};
@id("plain") @decision("ask") @reason("r") forbid(principal, action, resource) when {{ context.session.calls > 4 }};
@id("fails") @decision("ask") @reason("r") forbid(principal, action, resource)
when {{ context.session.calls > 6 && datetime("2026-12-01").offset(duration("9223372036854775807ms")) > datetime("2026-12-01") }};"#
    ));
    assert_eq!(left(&bundle), ["dated", "fails"]);
    for (calls, expected) in
        [(2, &[][..]), (3, &["dated"]), (5, &["dated", "plain"]), (7, &["dated", "fails", "plain"])]
    {
        let facts = Facts { calls, ..Facts::default() };
        assert_eq!(rules(&decide(&bundle, "desk/search", &json!({"query": "x"}), &facts)), expected);
    }
}
