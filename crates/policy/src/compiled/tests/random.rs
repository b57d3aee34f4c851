//! Random conditions on random calls.

use super::grammar::condition;
use super::{Case, outcomes, policy};
use crate::compiled::Compiled;
use crate::compiled::pattern::Pattern;
use crate::condition::Outcome;
use crate::request::{Facts, Findings, Targets};
use cedar_policy_core::ast::{self, PatternElem};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::UserId;
use vocab::{Confidentiality, Integrity, Mode, Origin};

fn long() -> impl Strategy<Value = i64> {
    select(vec![0, 1, 2, 3, -1, 50, i64::MAX, i64::MIN])
}

fn text() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "", "a*b", "ab\u{e9}", "xaybz", "\u{e9}"])
}

fn record() -> impl Strategy<Value = Value> {
    let fields = vec![
        ("from", json!("a")),
        ("from", json!("b")),
        ("n", json!(1)),
        ("n", json!(null)),
        ("open", json!(true)),
        ("open", json!("of another type")),
        ("odd", json!(1)),
    ];
    let fields = vec(select(fields), 0..4);
    fields.prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn arguments() -> impl Strategy<Value = Value> {
    let optional: Vec<(&'static str, BoxedStrategy<Value>)> = vec![
        ("flag", any::<bool>().prop_map(Value::from).boxed()),
        ("note", prop_oneof![text().prop_map(Value::from), Just(Value::Null)].boxed()),
        ("list", vec(text(), 0..4).prop_map(Value::from).boxed()),
        (
            "numbers",
            vec(prop_oneof![long().prop_map(Value::from), Just(json!(1e300))], 0..4).prop_map(Value::from).boxed(),
        ),
        ("lists", vec(vec(0..3_i64, 0..3), 0..3).prop_map(|lists| json!(lists)).boxed()),
        ("rec", record().boxed()),
        ("recs", vec(record(), 0..3).prop_map(Value::from).boxed()),
        ("price", Just(json!(0.5)).boxed()),
        ("odd", Just(json!({})).boxed()),
    ];
    let optional: Vec<_> = optional
        .into_iter()
        .map(|(name, value)| {
            proptest::option::of(value).prop_map(move |value| value.map(|value| (name.to_owned(), value)))
        })
        .collect();
    (text(), long(), optional).prop_map(|(text, number, optional)| {
        let required = [("text".to_owned(), Value::from(text)), ("number".to_owned(), Value::from(number))];
        required.into_iter().chain(optional.into_iter().flatten()).collect()
    })
}

fn texts() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(text().prop_map(str::to_owned), 0..3)
}

fn facts() -> impl Strategy<Value = Facts> {
    let names = select(vec!["text", "number", "note", "price"]).prop_map(str::to_owned);
    let origins = btree_map(names, btree_set(select(Origin::ALL), 0..3), 0..3);
    let claims = (
        proptest::option::of(text().prop_map(str::to_owned)),
        proptest::option::of(0..101_u8),
        proptest::option::of(select(vec!["ada", "bot"]).prop_map(UserId::new)),
        proptest::option::of(text().prop_map(str::to_owned)),
        any::<bool>(),
    );
    let labels = (select(Integrity::ALL), btree_set(select(Confidentiality::ALL), 0..3), texts());
    let findings = (select(crate::SEVERITIES), btree_set(select(crate::FINDING_KINDS), 0..3));
    let numbers = [long(), long(), long(), long()];
    (numbers, claims, labels, findings, origins, (texts(), texts()), select(Mode::ALL)).prop_map(
        |([calls, denials, now_s, chain_depth], claims, labels, (worst, kinds), origins, (hosts, paths), mode)| Facts {
            now_s,
            chain_depth,
            calls,
            denials,
            purpose: claims.0,
            confidence: claims.1,
            on_behalf_of: claims.2,
            destination: claims.3,
            request_attested: claims.4,
            mode,
            integrity: labels.0,
            confidentiality: labels.1,
            sources: labels.2,
            origins,
            targets: Targets { hosts, paths, ..Targets::default() },
            findings: Findings { worst: worst.to_owned(), kinds: kinds.into_iter().map(str::to_owned).collect() },
            ..Facts::default()
        },
    )
}

fn cases() -> impl Strategy<Value = Case> {
    (arguments(), facts()).prop_map(|(arguments, facts)| Case { arguments, facts })
}

fn conditions() -> impl Strategy<Value = String> {
    vec(any::<u8>(), 0..120).prop_map(|tape| condition(&tape))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_condition_comes_to_what_cedar_says(condition in conditions(), cases in vec(cases(), 4)) {
        let policy = policy(&condition);
        prop_assert!(Compiled::of(&policy).is_some(), "{condition}");
        for case in &cases {
            if let Some((compiled, cedar)) = outcomes(&policy, case) {
                prop_assert_eq!(compiled, Some(cedar), "{}", condition);
            }
        }
    }

    /// Texts on both sides of the length up to which every place is tried.
    #[test]
    fn a_pattern_matches_what_cedar_says(
        pattern in vec(select(vec!['a', 'b', '+', '+', '*', '\u{e9}']), 0..10),
        text in "(c{70})?[ab]{0,5}[ab*\u{e9}]{0,3}",
    ) {
        let element = |letter: char| match letter {
            '+' => PatternElem::Wildcard,
            other => PatternElem::Char(other),
        };
        let elements: Vec<PatternElem> = pattern.into_iter().map(element).collect();
        let cedar = ast::Pattern::from(elements.clone()).wildcard_match(&text);
        prop_assert_eq!(Pattern::of(&elements).matches(&text), cedar);
    }
}

/// That the conditions above are worth comparing: all three outcomes are common, and every operator is in conditions that
/// do not fail.
#[test]
fn random_conditions_come_to_everything() {
    const OPERATORS: [&str; 22] = [
        "if",
        "&&",
        "||",
        "!(",
        "==",
        "!=",
        "<",
        "<=",
        ">=",
        " + ",
        " - ",
        " * ",
        "-(",
        " in ",
        " is ",
        " has ",
        " like ",
        "contains(",
        "containsAll(",
        "containsAny(",
        "isEmpty(",
        ")[\"",
    ];
    let mut runner = TestRunner::deterministic();
    let (conditions, cases) = (conditions(), cases());
    let (mut seen, mut operators) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..2_000 {
        let condition = conditions.new_tree(&mut runner).unwrap().current();
        let case = cases.new_tree(&mut runner).unwrap().current();
        let Some((_, outcome)) = outcomes(&policy(&condition), &case) else {
            continue;
        };
        *seen.entry(format!("{outcome:?}")).or_insert(0) += 1;
        for operator in OPERATORS.iter().filter(|operator| outcome != Outcome::Failed && condition.contains(**operator))
        {
            *operators.entry(operator).or_insert(0) += 1;
        }
    }
    assert!(seen.len() == 3 && seen.values().all(|times| *times > 200), "{seen:?}");
    assert!(operators.len() == OPERATORS.len() && operators.values().all(|times| *times >= 5), "{operators:?}");
}
