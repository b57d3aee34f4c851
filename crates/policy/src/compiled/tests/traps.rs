//! What is easily got wrong, one by one: what a condition comes to, by Cedar and compiled.

use super::{Case, outcomes, policy};
use crate::condition::Outcome::{self, Failed, Satisfied, Unsatisfied};
use crate::request::Facts;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::UserId;
use vocab::{Confidentiality, Origin};

fn plain() -> Case {
    Case::new(json!({"text": "a*b", "number": 3, "list": ["b", "a", "b"], "numbers": [2, 1],
        "lists": [[1, 2], [2, 1, 1]], "rec": {"from": "x", "n": null}, "note": null}))
}

#[track_caller]
fn come_to(expected: Outcome, conditions: &[&str], case: &Case) {
    for condition in conditions {
        let (compiled, cedar) = outcomes(&policy(condition), case).unwrap();
        assert_eq!((compiled, cedar), (Some(expected), expected), "{condition}");
    }
}

#[test]
fn numbers_end_at_64_bits() {
    let case = Case { facts: Facts { calls: i64::MAX, denials: i64::MIN, ..Facts::default() }, ..plain() };
    come_to(
        Satisfied,
        &[
            "context.session.calls + 0 == 9223372036854775807",
            "context.session.denials - 0 == -9223372036854775808",
            "context.session.calls + context.session.denials == -1",
            "-(context.session.calls) == context.session.denials + 1",
            "context.session.calls * 1 == context.session.calls",
            "context.session.denials < context.session.calls",
        ],
        &case,
    );
    come_to(
        Failed,
        &[
            "context.session.calls + 1 > 0",
            "context.session.denials - 1 < 0",
            "-(context.session.denials) > 0",
            "context.session.calls * 2 > 0",
            "context.session.denials * -1 > 0",
        ],
        &case,
    );
}

#[test]
fn what_is_not_looked_at_cannot_fail() {
    come_to(
        Satisfied,
        &[
            "true || context.session.nothing > 1",
            "true || 1",
            "!(false && 1)",
            "if true then true else context.args.flag",
            "if false then 1 else true",
            "(false && context.args.flag) || (true || 1) || 2",
            "(context.args has flag) == false",
        ],
        &plain(),
    );
    come_to(
        Unsatisfied,
        &["false && context.session.nothing > 1", "false && 1", "true && true && false && 1"],
        &plain(),
    );
    come_to(
        Failed,
        &[
            "context.session.nothing > 1 || true",
            "context.session.nothing > 1 && false",
            "1 || true",
            "1 && false",
            "true && 1",
            "false || 1",
            "false || false || \"true\"",
            "if 1 then true else true",
            "if true then 1 else true",
            "[context.args.flag].isEmpty() && false",
            "{a: context.args.flag} has b",
            "[1, context.args.flag].contains(1)",
        ],
        &plain(),
    );
}

#[test]
fn a_condition_is_a_boolean() {
    come_to(Failed, &["1", "\"true\"", "principal", "[]", "{}", "context"], &plain());
    come_to(Failed, &["!1", "!principal", "-(true) == 1", "-(\"1\") == 1", "1.isEmpty()", "{}.isEmpty()"], &plain());
}

#[test]
fn values_of_different_types_are_different_and_not_an_error() {
    come_to(
        Satisfied,
        &[
            "1 != true",
            "\"1\" != 1",
            "[] != {}",
            "principal != \"bot\"",
            "User::\"bot\" != Agent::\"bot\"",
            "Space::Origin::\"own\" != Origin::\"own\"",
            "context.args != context.session",
            "!([1, \"1\"].contains(true))",
            "[1, \"1\", User::\"a\"].contains(\"1\")",
        ],
        &plain(),
    );
}

#[test]
fn only_numbers_are_ordered() {
    come_to(Satisfied, &["1 <= 1", "2 >= 1", "1 >= 1", "0 < 1", "1 > 0"], &plain());
    come_to(Unsatisfied, &["1 < 1", "1 > 1", "2 <= 1", "0 >= 1"], &plain());
    come_to(
        Failed,
        &[
            "\"a\" < \"b\"",
            "true < false",
            "1 < \"2\"",
            "\"1\" <= 2",
            "principal < principal",
            "[1] < [2]",
            "1 + \"1\" == 2",
        ],
        &plain(),
    );
}

#[test]
fn order_and_repetition_do_not_count_in_a_set() {
    come_to(
        Satisfied,
        &[
            "context.args.list == [\"a\", \"b\"]",
            "[1, 2, 2] == [2, 1]",
            "context.args.lists == [[2, 1]]",
            "context.args.lists.contains([1, 2, 1])",
            "[[1], [2], {a: [1, 1]}].containsAll([{a: [1]}, [1, 1]])",
            "context.args.numbers.containsAll([])",
            "!(context.args.numbers.containsAny([]))",
            "[].containsAll([])",
            "![].containsAny([])",
            "[].isEmpty()",
            "[1, 2].containsAny([3, 2])",
            "{a: 1, b: [1, 2]} == {b: [2, 1], a: 1}",
            "{a: 1} != {a: 1, b: 1}",
            "{a: 1, b: 1} != {a: 1}",
            "[1] != [1, 2]",
            "[1, 2] != [1]",
            "!([[1, 2]].contains([1]) || [[1]].contains([1, 2]))",
            "{a: 1} != {a: true}",
        ],
        &plain(),
    );
    come_to(
        Failed,
        &[
            "1.contains(1)",
            "{a: 1}.contains(\"a\")",
            "[1].containsAll(1)",
            "[1].containsAny({})",
            "principal.containsAny([1])",
            "\"ab\".contains(\"a\")",
        ],
        &plain(),
    );
}

/// Beyond the number of elements that are compared one by one.
#[test]
fn large_sets_are_sets_too() {
    let many: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let facts = Facts { sources: many.iter().skip(1).cloned().collect(), ..Facts::default() };
    let twice = [many.clone(), many].concat();
    let case = Case { arguments: json!({"text": "", "number": 0, "list": twice}), facts };
    come_to(
        Satisfied,
        &[
            "context.args.list.containsAll(context.labels.sources)",
            "!(context.labels.sources.containsAll(context.args.list))",
            "context.args.list.containsAny(context.labels.sources)",
            "context.args.list != context.labels.sources",
            "[context.args.list, context.labels.sources].contains(context.labels.sources)",
        ],
        &case,
    );
}

#[test]
fn what_is_absent_fails_and_is_said_to_be_absent() {
    come_to(
        Failed,
        &[
            "context.args.flag",
            "context.args.note == \"\"",
            "context.args.rec.n == 1",
            "context.args.nothing == 1",
            "context.nothing == 1",
            "context.session.nothing == 1",
            "context.call.purpose == \"\"",
            "context.derived.note.bytes == 1",
            "context.derived.number.bytes == 1",
            "principal.nothing == 1",
            "Agent::\"ghost\".tier == Tier::\"high\"",
            "User::\"ada\".name == \"ada\"",
            "context.args.text.x == 1",
            "context.args.number has x",
            "context.args.list has x",
            "context.args has text.x",
        ],
        &plain(),
    );
    come_to(
        Unsatisfied,
        &[
            "context.args has flag",
            "context.args has note",
            "context.args has rec.n",
            "context.args has nothing",
            "context has nothing",
            "context has nothing.x.y",
            "context.session has nothing",
            "context.call has purpose",
            "context.derived has note",
            "context.derived has number",
            "context has args.rec.open",
            "principal has nothing",
            "Agent::\"ghost\" has tier",
            "Agent::\"ghost\" has tier.x",
        ],
        &plain(),
    );
    come_to(
        Satisfied,
        &[
            "context has args",
            "context has args.rec.from",
            "context.args.rec has from",
            "context.derived has text.bytes",
            "context.derived.text.bytes == 3",
            "context.arg_origin has price",
            "context.arg_origin.note == [Origin::\"nowhere\"]",
            "context.arg_origin.price.isEmpty()",
            "principal has tier",
            "resource has trust",
            "principal.owner == \"a\" && Agent::\"other\".owner == \"b\" && principal.owner == \"a\"",
            "Agent::\"other\".owner == \"b\" && Agent::\"bot\".owner == \"a\"",
        ],
        &plain(),
    );
}

/// A record that does not fit its shape is not there; neither is an element of a list, or a member, of another type.
#[test]
fn what_does_not_fit_is_not_there() {
    let case =
        Case::new(json!({"text": "a", "number": 1e300, "rec": {"n": 1}, "recs": [{"n": 1}, {"from": "a", "odd": 1}],
        "list": ["a", 1], "numbers": [1e300, 1.5]}));
    assert!(outcomes(&policy("true"), &case).is_some());
    come_to(
        Satisfied,
        &[
            "context.args.number == 9223372036854775807",
            "!(context.args has rec)",
            "context.args.recs == [{from: \"a\"}]",
            "context.args.list == [\"a\"]",
            "context.args.numbers == [9223372036854775807, 1]",
            "context.call.unrepresentable",
        ],
        &case,
    );
}

#[test]
fn an_escaped_star_is_a_star() {
    come_to(
        Satisfied,
        &[
            "context.args.text like \"a\\*b\"",
            "context.args.text like \"*\\**\"",
            "context.args.text like \"*\"",
            "context.args.text like \"**a**b**\"",
            "\"\" like \"\"",
            "\"\" like \"*\"",
            "\"aXbXc\" like \"a*b*c\"",
            "\"a\\\\b\" like \"a\\\\*\"",
            "\"\\u{e9}\\u{e8}\" like \"\\u{e9}*\"",
        ],
        &plain(),
    );
    come_to(
        Unsatisfied,
        &[
            "\"axb\" like \"a\\*b\"",
            "\"a\" like \"\"",
            "\"a\" like \"a*a\"",
            "\"ba\" like \"*a*a*\"",
            "\"aab\" like \"*ab*b*\"",
            "\"aba\" like \"ab*ba\"",
            "\"ab\" like \"b*\"",
        ],
        &plain(),
    );
    come_to(Failed, &["1 like \"*\"", "principal like \"*\"", "[\"a\"] like \"a\""], &plain());
}

#[test]
fn entities_are_in_what_the_store_says() {
    let case = Case { facts: Facts { on_behalf_of: Some(UserId::new("ada")), ..Facts::default() }, ..plain() };
    come_to(
        Satisfied,
        &[
            "principal in Team::\"t\"",
            "principal in [Zone::\"z\", AgentClass::\"c\"]",
            "principal in principal",
            "action in Action::\"risk/reversible_write\"",
            "resource in Zone::\"z\"",
            "Agent::\"ghost\" in Agent::\"ghost\"",
            "context.call.on_behalf_of in [User::\"eve\", User::\"ada\"]",
            "context.call.on_behalf_of is User",
            "principal is Agent in Team::\"t\"",
            "Space::Origin::\"own\" is Space::Origin",
            "principal.tier is Tier",
        ],
        &case,
    );
    come_to(
        Unsatisfied,
        &[
            "principal in []",
            "principal in Team::\"other\"",
            "Agent::\"ghost\" in Team::\"t\"",
            "Agent::\"other\" in Team::\"t\"",
            "Team::\"t\" in principal",
            "context.call.on_behalf_of in Team::\"t\"",
            "Space::Origin::\"own\" is Origin",
            "principal is User",
        ],
        &case,
    );
    come_to(
        Failed,
        &[
            "principal in \"t\"",
            "principal in [principal, 1]",
            "\"bot\" in principal",
            "principal in {}",
            "1 is User",
            "[principal] is Agent",
        ],
        &case,
    );
}

#[test]
fn facts_are_what_the_context_says() {
    let facts = Facts {
        confidentiality: BTreeSet::from([Confidentiality::Secret]),
        origins: BTreeMap::from([("text".to_owned(), BTreeSet::from([Origin::Request, Origin::Own]))]),
        confidence: Some(50),
        ..Facts::default()
    };
    come_to(
        Satisfied,
        &[
            "context.labels.confidentiality == [Confidentiality::\"secret\"]",
            "context.origin.target == [Origin::\"own\", Origin::\"request\"]",
            "context.arg_origin.text == context.origin.target",
            "context.origin.content == [Origin::\"nowhere\"]",
            "context.origin.free.isEmpty()",
            "context.call.confidence == 50",
            "context.session.mode == \"enforce\"",
            "context.findings == {worst: Severity::\"none\", kinds: []}",
            "context.derived == {text: {bytes: 3}}",
            "context.args.rec == {from: \"x\"}",
            "context == context && [context].contains(context)",
        ],
        &Case { facts, ..plain() },
    );
}
