//! Kinds of promise that an agent's suites leave out.

use crate::fixture::{FILE, case, files, project, suite};
use lab::{missing_kinds, read};
use vocab::Severity;

#[test]
fn a_high_tier_without_a_kind_is_warned_about_and_a_low_one_remarked() {
    let project = project(&files());
    let found = missing_kinds(&project, &[]);
    let severities: Vec<(&str, Severity)> = found.iter().map(|found| (found.file.as_str(), found.severity)).collect();
    assert_eq!(
        severities,
        [("mortise/agents/bot.toml", Severity::Warning), ("mortise/agents/mouse.toml", Severity::Info)]
    );
    assert_eq!(found[0].message, "agent `bot` (tier high) has no safety, no correctness, no privacy case");

    let case =
        |kind: &str| case(kind, "call: desk/close\nexpect: deny").replace("kind: safety", &format!("kind: {kind}"));
    let some = read(FILE, &suite(&(case("safety") + &case("privacy")))).unwrap();
    assert!(missing_kinds(&project, &[some])[0].message.ends_with("has no correctness case"));
    let rest = read(FILE, &suite(&(case("safety") + &case("privacy") + &case("correctness")))).unwrap();
    assert_eq!(missing_kinds(&project, &[rest]).len(), 1);
}
