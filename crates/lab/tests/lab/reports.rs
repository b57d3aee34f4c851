//! What a run looks like, to people and to machines.

use crate::fixture::{FILE, case, run, snapshot, suite};
use lab::Report;
use lab::report::{human, json, junit, ndjson};
use serde_json::Value;

fn mixed() -> Report {
    let cases = [
        case("passes", "call: desk/close\nargs: {id: T-9}\nexpect: deny\nrule: guards/never"),
        case("\"fails <&>\\\"' \\e[2J\\0 \\t\\n\"", "call: desk/close\nargs: {id: T-9}\nexpect: allow"),
        case("only said", "call: desk/mail\nargs: {to: a, note: b}\nexpect: allow\nseverity: advisory"),
        case("is recorded", "call: desk/search\nargs: {query: shadow}\nexpect: deny\nseverity: advisory"),
        case("is asked", "call: desk/run\nargs: {script: restart}\nexpect: ask"),
    ];
    run(&cases.concat())
}

/// Digests change with the version of everything; the rest is what is looked at.
fn without_digests(text: &str) -> String {
    let mut shown = String::new();
    for (number, part) in text.split("sha256:").enumerate() {
        let rest = if number == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_hexdigit()) };
        shown.push_str(if number == 0 { "" } else { "sha256:<>" });
        shown.push_str(rest);
    }
    shown.replace(vocab::MORTISE_VERSION, "<version>")
}

#[test]
fn for_people() {
    insta::assert_snapshot!(human(&mixed(), &|_, text| text.to_owned()));
}

#[test]
fn a_filter_is_no_reason_to_complain_about_coverage() {
    let text = suite(&case("it", "call: desk/close\nargs: {id: T-9}\nexpect: deny"));
    let shown =
        |filter| human(&lab::run(snapshot(), [(FILE, text.as_str())], filter).unwrap(), &|_, text| text.to_owned());
    assert!(shown(None).contains("never"));
    assert_eq!(shown(Some("it")), "desk\n  ok  deny     safety      it\n\n1 passed, 0 failed\n");
    assert_eq!(shown(Some("none")), "0 passed, 0 failed\n");
}

#[test]
fn as_json() {
    insta::assert_snapshot!(without_digests(&serde_json::to_string_pretty(&json(&mixed(), false)).unwrap()));
}

#[test]
fn a_line_for_each() {
    let lines: Vec<Value> = ndjson(&mixed(), true).map(|line| serde_json::from_str(&line).unwrap()).collect();
    let types: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["case", "case", "case", "case", "case", "coverage", "summary"]);
    assert_eq!(lines[6]["exit"], 10);
    assert_eq!((&lines[6]["passed"], &lines[6]["failed"], &lines[6]["advisory"]), (&2.into(), &1.into(), &2.into()));
}

#[test]
fn as_junit() {
    insta::assert_snapshot!(junit(&mixed(), false));
}

#[test]
fn junit_is_xml_that_names_cannot_break() {
    let xml = junit(&mixed(), true);
    assert!(xml.contains("fails &lt;&amp;&gt;&quot;&apos; \\u{1b}[2J\\u{0} &#9;&#10;"), "{xml}");
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(xml.contains("failures=\"3\"") && xml.contains("skipped=\"0\""), "{xml}");
    assert!(junit(&mixed(), false).contains("failures=\"1\" errors=\"0\" skipped=\"2\""));
    // Every tag that opens closes, in order.
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1).filter_map(|part| part.split('>').next()) {
        match (tag.strip_prefix('/'), tag.ends_with('/') || tag.starts_with('?')) {
            (Some(name), _) => assert_eq!(open.pop().as_deref(), Some(name)),
            (None, true) => {}
            (None, false) => open.push(tag.split(' ').next().unwrap().to_owned()),
        }
    }
    assert!(open.is_empty());
}

#[test]
fn exit_codes() {
    let exit = |cases: &str, strict: bool| run(cases).exit(strict).code();
    let good = case("a", "call: desk/close\nargs: {id: T-9}\nexpect: deny");
    let bad = case("b", "call: desk/close\nargs: {id: T-9}\nexpect: allow");
    let advisory = case("c", "call: desk/close\nargs: {id: T-9}\nexpect: allow\nseverity: advisory");
    assert_eq!((exit("  []", false), exit("  []", true)), (4, 4));
    assert_eq!((exit(&good, false), exit(&good, true)), (0, 0));
    let warned = good.clone() + &advisory;
    assert_eq!((exit(&warned, false), exit(&warned, true)), (0, 11));
    let failed = warned + &bad;
    assert_eq!((exit(&failed, false), exit(&failed, true)), (10, 10));
}

#[test]
fn coverage_counts_rules_and_kinds() {
    let report = mixed();
    let hits: Vec<(&str, u64)> = report.coverage.rules.iter().map(|rule| (rule.rule.as_str(), rule.cases)).collect();
    assert_eq!(
        hits,
        [
            ("roles/work", 5),
            ("guards/never", 2),
            ("guards/person", 1),
            ("guards/rehearse", 0),
            ("guards/nowhere", 0),
            ("guards/notes", 1),
            ("guards/addresses", 0),
            ("guards/secrets", 0),
            ("guards/shadow", 1),
        ]
    );
    let kinds: Vec<(&str, usize)> =
        report.coverage.kinds.iter().map(|(agent, kinds)| (agent.as_str(), kinds.len())).collect();
    assert_eq!(kinds, [("bot", 1), ("mouse", 0)]);
}
