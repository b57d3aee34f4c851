//! What is left to Cedar.

use super::{Case, outcomes, policy};
use crate::compiled::Compiled;
use crate::compiled::read::MAX_DEPTH;
use serde_json::json;

#[test]
fn what_is_deep_is_left_to_cedar() {
    let deep = |levels: usize| vec!["context.args.flag"; levels].join(" && ");
    assert!(Compiled::of(&policy(&deep(MAX_DEPTH))).is_some());
    assert!(Compiled::of(&policy(&deep(MAX_DEPTH + 1))).is_none());
}

#[test]
fn what_is_not_covered_is_left_to_cedar_as_a_whole() {
    for condition in [
        "ip(\"127.0.0.1\").isLoopback()",
        "true || decimal(\"1.0\").lessThan(decimal(\"2.0\"))",
        "datetime(\"2026-01-01\") < datetime(\"2026-01-02\")",
        "principal.hasTag(\"a\")",
        "principal.hasTag(\"a\") && principal.getTag(\"a\") == 1",
        "[1, duration(\"1h\")].contains(1)",
    ] {
        let (compiled, _) = outcomes(&policy(condition), &Case::new(json!({"text": "a", "number": 1}))).unwrap();
        assert_eq!(compiled, None, "{condition}");
    }
}
