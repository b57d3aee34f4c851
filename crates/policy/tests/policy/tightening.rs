//! What waits for an approver and what does not.

use crate::fixture::source;
use policy::{Change, tightening};

const PERMIT: &str = r#"@id("p") permit(principal, action, resource);"#;
const GUARD: &str =
    r#"@id("g") @decision("ask") @reason("r") forbid(principal, action, resource) when { context.session.calls > 5 };"#;

fn change(old: &str, new: &str) -> Change {
    tightening(&[source("a.cedar", old)], &[source("b.cedar", new)])
}

fn only_tightens(old: &str, new: &str) {
    let change = change(old, new);
    assert!(change.loosens.is_empty() && !change.tightens.is_empty(), "{old} -> {new}: {change:?}");
}

fn waits(old: &str, new: &str) {
    assert!(!change(old, new).loosens.is_empty(), "{old} -> {new}");
}

#[test]
fn comments_layout_files_and_order_do_not_matter() {
    let moved = format!("// a word\n{}\n{PERMIT}", GUARD.replace(' ', "\n  ").replace("when", "// why\nwhen"));
    assert_eq!(change(&format!("{PERMIT}\n{GUARD}"), &moved), Change::default());
}

#[test]
fn guards_added_or_raised_and_permit_rules_removed_tighten() {
    only_tightens(PERMIT, &format!("{PERMIT}{GUARD}"));
    only_tightens(&format!("{PERMIT}{GUARD}"), GUARD);
    only_tightens(GUARD, &GUARD.replace("@decision(\"ask\") ", ""));
    let sandbox = GUARD.replace("ask", "sandbox");
    only_tightens(&sandbox, GUARD);
    only_tightens(&GUARD.replace("@id", "@mode(\"shadow\") @id"), GUARD);
}

#[test]
fn everything_else_waits() {
    waits(GUARD, PERMIT);
    waits("", PERMIT);
    waits(PERMIT, &PERMIT.replace("principal,", "principal in Team::\"x\","));
    waits(GUARD, "");
    waits(GUARD, &GUARD.replace("ask", "sandbox"));
    waits(GUARD, &GUARD.replace("> 5", "> 6"));
    waits(GUARD, &GUARD.replace("@id", "@mode(\"shadow\") @id"));
    waits(GUARD, &GUARD.replace("@id", "@ttl(\"1d\") @id"));
    // Raised, but another match: nothing says that the new one covers the old.
    waits(GUARD, &GUARD.replace("@decision(\"ask\") ", "").replace("> 5", "> 6"));
    // Takes the place of a shipped deny for uncertain agents.
    waits(PERMIT, &format!("{PERMIT}{}", GUARD.replace("@id", "@uncertain(\"ask\") @id")));
    waits(GUARD, "forbid(");
    waits("", "permit(principal, action, resource);");
}

#[test]
fn sentences_name_the_rule() {
    assert_eq!(change(&format!("{PERMIT}{GUARD}"), "").loosens, ["guard `g` is gone"]);
    assert_eq!(change(&format!("{PERMIT}{GUARD}"), "").tightens, ["permit rule `p` is gone"]);
}
