//! What YAML guesses, hides or multiplies, and what a suite says about it.

use crate::fixture::{FILE, case, said, suite};
use lab::suite::{MAX_CASES, MAX_DEPTH, MAX_FILE_BYTES, read};
use proptest::prelude::*;
use serde_json::{Value, json};
use vocab::Diagnostic;

fn with_args(args: &str) -> String {
    suite(&case("it", &format!("call: desk/close\nargs: {args}\nexpect: deny")))
}

fn arguments(args: &str) -> Value {
    let suite = read(FILE, &with_args(args)).unwrap_or_else(|found| panic!("{args}: {}", said(&found)));
    suite.cases[0].arguments.clone()
}

fn error(text: &str) -> Diagnostic {
    let found = read(FILE, text).expect_err(text);
    assert_eq!(found.len(), 1, "{}", said(&found));
    found.into_iter().next().unwrap()
}

#[test]
fn nothing_is_guessed() {
    for (yaml, value) in [
        ("yes", json!("yes")),
        ("no", json!("no")),
        ("on", json!("on")),
        ("off", json!("off")),
        ("y", json!("y")),
        ("0755", json!("0755")),
        ("1_000", json!("1_000")),
        ("12:30:45", json!("12:30:45")),
        ("2026-11-22", json!("2026-11-22")),
        ("true", json!(true)),
        ("\"true\"", json!("true")),
        ("42", json!(42)),
        ("-42", json!(-42)),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000.0)),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("null", json!(null)),
        ("~", json!(null)),
        ("[1, {a: b}]", json!([1, {"a": "b"}])),
        ("\"\\u0000\"", json!("\u{0}")),
    ] {
        assert_eq!(arguments(&format!("{{ id: {yaml} }}")), json!({ "id": value }), "{yaml}");
    }
}

#[test]
fn what_would_lose_digits_or_meaning_is_refused() {
    for (yaml, code) in [
        ("18446744073709551616", "tests/wrong-type"),
        ("-9223372036854775809", "tests/wrong-type"),
        ("1e30", "tests/wrong-type"),
        ("123456789012345678901234567890", "tests/wrong-type"),
        (".nan", "tests/wrong-type"),
        (".inf", "tests/wrong-type"),
        ("1e999", "tests/wrong-type"),
        ("!env HOME", "tests/tag"),
        ("!!python/object:os.system x", "tests/tag"),
        ("*nothing", "tests/aliases"),
    ] {
        let found = error(&with_args(&format!("{{ id: {yaml} }}")));
        assert_eq!(found.code, code, "{yaml}: {found}");
        assert_eq!(found.line, 7, "{yaml}: {found}");
    }
}

#[test]
fn two_documents_are_not_one_suite() {
    let text = format!("{}---\n{}", with_args("{}"), with_args("{}"));
    assert_eq!(error(&text).code, "tests/documents");
}

#[test]
fn aliases_share_values_and_bombs_do_not_go_off() {
    let text = suite(
        "  - {name: a, kind: safety, call: desk/close, args: &id {id: T-1}, expect: allow}\n  - {name: b, kind: safety, call: desk/close, args: *id, expect: allow}\n",
    );
    assert_eq!(read(FILE, &text).unwrap().cases[1].arguments, json!({"id": "T-1"}));
    let mut bomb = String::from("&a0 [x, x, x, x, x, x, x, x, x]");
    for level in 1..9 {
        let before = format!("*a{} ", level - 1);
        bomb = format!("{bomb}, b{level}: &a{level} [{}]", vec![before; 9].join(", "));
    }
    let found = error(&with_args(&format!("{{ b0: {bomb} }}")));
    assert!(["tests/aliases", "tests/too-much"].contains(&found.code), "{found}");
}

#[test]
fn limits_are_inclusive() {
    // The case itself is three levels deep, its arguments one, and the list of lists the rest.
    let nested = |levels: usize| with_args(&format!("{{ id: {}{} }}", "[".repeat(levels), "]".repeat(levels)));
    assert!(read(FILE, &nested(MAX_DEPTH - 4)).is_ok());
    assert_eq!(error(&nested(MAX_DEPTH - 3)).code, "tests/too-deep");
    // Far beyond, the parser itself gives up.
    let found = error(&nested(5_000));
    assert!(["tests/too-deep", "tests/syntax"].contains(&found.code), "{found}");

    let padded = |bytes: usize| {
        let text = with_args("{}");
        format!("{text}#{}", "x".repeat(bytes - text.len() - 1))
    };
    assert!(read(FILE, &padded(MAX_FILE_BYTES)).is_ok());
    assert_eq!(error(&padded(MAX_FILE_BYTES + 1)).code, "tests/too-long");

    let many = |cases: usize| {
        let cases: String =
            (0..cases).map(|n| format!("  - {{name: c{n}, kind: safety, call: desk/close, expect: deny}}\n")).collect();
        suite(&cases)
    };
    assert_eq!(read(FILE, &many(MAX_CASES)).unwrap().cases.len(), MAX_CASES);
    assert_eq!(error(&many(MAX_CASES + 1)).code, "tests/too-many-cases");
}

#[test]
fn a_case_knows_its_line() {
    let text = suite(&format!(
        "{}\n{}",
        case("a", "call: desk/close\nexpect: deny"),
        case("b", "call: desk/close\nexpect: deny")
    ));
    let lines: Vec<u32> = read(FILE, &text).unwrap().cases.iter().map(|case| case.place.line).collect();
    assert_eq!(lines, [4, 9]);
}

/// Every message a slip can give, to be read by people when it changes.
#[test]
fn messages() {
    let one = |lines: &str| suite(&case("it", lines));
    let good = "call: desk/close\nexpect: deny\n";
    let slips = [
        ("empty file", String::new()),
        ("not a map", "- a\n".to_owned()),
        ("tab", "suite: x\n\tagent: y\n".to_owned()),
        ("unclosed", "suite: \"x\nagent: y\n".to_owned()),
        ("missing agent", "suite: x\ncases: []\n".to_owned()),
        ("unknown top key", "suite: x\nagnet: y\ncases: []\n".to_owned()),
        ("cases not a list", "suite: x\nagent: y\ncases: {}\n".to_owned()),
        ("agent name", "suite: x\nagent: My Bot\ncases: []\n".to_owned()),
        ("empty names", "suite: ''\nagent: y\ncases: []\n".to_owned()),
        ("missing expect", one("call: desk/close")),
        ("unknown key", one("call: desk/close\nexpct: deny")),
        ("far key", one("call: desk/close\nexpect: deny\nzzzzzz: 1")),
        ("unknown verdict", one("call: desk/close\nexpect: alow")),
        ("far verdict", one("call: desk/close\nexpect: maybe")),
        ("unknown kind", suite("  - {name: a, kind: saftey, call: desk/close, expect: deny}\n")),
        ("verdict as list", one("call: desk/close\nexpect: [deny]")),
        ("args as list", one("call: desk/close\nexpect: deny\nargs: [1]")),
        ("args as text", one("call: desk/close\nexpect: deny\nargs: text")),
        ("duplicate key", one("call: desk/close\nexpect: deny\nexpect: allow")),
        ("duplicate argument", with_args("{ id: a, id: b }")),
        ("merge key", with_args("{ <<: {a: 1}, id: b }")),
        ("tag", with_args("{ id: !secret x }")),
        ("tagged key", suite("  - {!x name: a, kind: safety, call: desk/close, expect: deny}\n")),
        ("large number", with_args("{ id: 18446744073709551616 }")),
        ("nan", with_args("{ id: .nan }")),
        ("yes for a truth value", one(&format!("{good}facts: {{ uncertain: yes }}"))),
        ("negative count", one(&format!("{good}facts: {{ session: {{ calls: -1 }} }}"))),
        ("text count", one(&format!("{good}facts: {{ session: {{ calls: many }} }}"))),
        ("confidence 101", one(&format!("{good}facts: {{ confidence: 101 }}"))),
        ("confidence 300", one(&format!("{good}facts: {{ confidence: 300 }}"))),
        ("label", one(&format!("{good}facts: {{ labels: {{ confidentiality: [secert] }} }}"))),
        ("label not a list", one(&format!("{good}facts: {{ labels: {{ confidentiality: secret }} }}"))),
        ("integrity", one(&format!("{good}facts: {{ labels: {{ integrity: thirdparty }} }}"))),
        ("unknown fact", one(&format!("{good}facts: {{ sesion: {{ calls: 1 }} }}"))),
        ("finding", one(&format!("{good}facts: {{ findings: {{ worst: hihg, kinds: [secrets] }} }}"))),
        ("findings without worst", one(&format!("{good}facts: {{ findings: {{ kinds: [secret] }} }}"))),
        ("origin", one(&format!("{good}facts: {{ origins: {{ id: [reqest] }} }}"))),
        ("call without server", one("call: close\nexpect: deny")),
        ("call of a client request", one("call: desk#resource/read\nexpect: deny")),
        ("redact", one(&format!("{good}redact: [\"args.note:hide\", \"note\"]"))),
        ("rule as list", one(&format!("{good}rule: [a]"))),
        ("name missing", suite("  - {kind: safety, call: desk/close, expect: deny}\n")),
        ("name is nothing", suite("  - {name: , kind: safety, call: desk/close, expect: deny}\n")),
        ("duplicate name", format!("{}{}", one(good), case("it", good))),
        ("severity", one(&format!("{good}severity: advisry"))),
        ("name is a number", suite("  - {name: 12, kind: safety, call: desk/close, expect: deny}\n")),
        ("purpose is a truth value", one(&format!("{good}facts: {{ purpose: true }}"))),
        ("nested flow", with_args(&format!("{{ id: {}{} }}", "[".repeat(300), "]".repeat(300)))),
        ("unknown alias", with_args("*x")),
        ("two documents", format!("{}---\nsuite: b\n", with_args("{}"))),
    ];
    let said: Vec<String> = slips
        .iter()
        .map(|(slip, text)| {
            format!("# {slip}\n{}", read(FILE, text).map_or_else(|found| said(&found), |_| "ACCEPTED\n".to_owned()))
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

proptest! {
    /// Whatever a JSON object says, it says the same as arguments: JSON is YAML.
    #[test]
    fn json_is_read_as_json(value in json_object()) {
        prop_assert_eq!(arguments(&value.to_string()), value);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = read(FILE, &text);
        let _ = read(FILE, &with_args(&text));
    }
}

fn json_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[ -~äß€]{0,12}".prop_map(Value::from),
        prop_oneof![Just("yes"), Just("0755"), Just("1_0"), Just("null"), Just("~"), Just("<<"), Just("!x")]
            .prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-z]{1,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    proptest::collection::vec(("[a-z ]{1,6}", value), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}
