use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_795_000_000_000_000;

fn terms(text: &str) -> Vec<Term> {
    Filter::parse(text, NOW).unwrap_or_else(|found| panic!("{text}: {found:?}")).terms
}

fn pattern(text: &str, is_prefix: bool) -> Pattern {
    Pattern { text: text.to_owned(), is_prefix }
}

/// Code, column, and the text that is marked.
fn complaints(text: &str) -> Vec<(&'static str, u32, String)> {
    let found = Filter::parse(text, NOW).expect_err(text);
    found
        .into_iter()
        .map(|one| {
            let marked = one.span.and_then(|(from, to)| text.get(from..to)).unwrap_or_default();
            (one.code, one.column, marked.to_owned())
        })
        .collect()
}

#[test]
fn a_filter_is_its_terms() {
    let filter = Filter::parse(
        "agent:support-bot verdict:deny,ask tool:close_ticket since:7d until:2026-11-28T10:00Z rule:guards/* -label:private \
         \"refund failed\" -tick*",
        NOW,
    )
    .unwrap();
    assert_eq!((filter.since, filter.until), (Some(NOW - 7 * 86_400_000_000), Some(1_795_860_000_000_000)));
    let shown: Vec<(bool, Test)> = filter.terms.into_iter().map(|term| (term.negated, term.test)).collect();
    assert_eq!(
        shown,
        [
            (false, Test::Is(Key::Agent, vec![pattern("support-bot", false)])),
            (false, Test::Is(Key::Verdict, vec![pattern("deny", false), pattern("ask", false)])),
            (false, Test::Is(Key::Tool, vec![pattern("close_ticket", false)])),
            (false, Test::Is(Key::Rule, vec![pattern("guards/", true)])),
            (true, Test::Is(Key::Label, vec![pattern("private", false)])),
            (false, Test::Says(pattern("refund failed", false))),
            (true, Test::Says(pattern("tick", true))),
        ]
    );
    assert_eq!(Filter::parse("  ", NOW), Ok(Filter::default()));
}

#[test]
fn quotes_keep_spaces_commas_colons_and_stars() {
    assert_eq!(terms(r#"agent:"a, b*: c""#)[0].test, Test::Is(Key::Agent, vec![pattern("a, b*: c", false)]));
    assert_eq!(terms(r#""http://x""#)[0].test, Test::Says(pattern("http://x", false)));
    assert_eq!(
        terms(r#"rule:a,"b c",d*"#)[0].test,
        Test::Is(Key::Rule, vec![pattern("a", false), pattern("b c", false), pattern("d", true)])
    );
    // A value may have a colon, and a name that the record uses is understood.
    assert_eq!(terms("model_id:a:b")[0].test, Test::Is(Key::Model, vec![pattern("a:b", false)]));
    assert_eq!(terms("-outcome:*")[0].test, Test::Is(Key::Outcome, vec![pattern("", true)]));
}

#[test]
fn complaints_say_where_and_what_was_meant() {
    assert_eq!(complaints("agent:a verdct:deny"), [("search/unknown-key", 9, "verdct".to_owned())]);
    assert_eq!(Filter::parse("verdct:deny", NOW).unwrap_err()[0].candidates, ["verdict"]);
    assert_eq!(complaints("é verdict:deny,alow"), [("search/unknown-word", 16, "alow".to_owned())]);
    assert_eq!(Filter::parse("verdict:alow", NOW).unwrap_err()[0].candidates, ["allow"]);
    assert_eq!(Filter::parse("kind:tool.resutl", NOW).unwrap_err()[0].candidates, ["tool.result"]);
    let help = Filter::parse("verdict:maybe", NOW).unwrap_err().remove(0).help.unwrap();
    assert_eq!(help, "one of allow, sandbox, sanitize, ask, deny");
    assert_eq!(complaints("since:yesterday"), [("search/time", 7, "yesterday".to_owned())]);
    assert_eq!(complaints("since:1d since:2d"), [("search/time", 10, "since:2d".to_owned())]);
    assert_eq!(complaints("-until:1d"), [("search/time", 1, "-until:1d".to_owned())]);
    assert_eq!(
        complaints("cost:5 finding:pii"),
        [("search/not-recorded", 1, "cost".to_owned()), ("search/not-recorded", 8, "finding".to_owned())]
    );
    for (text, column, marked) in [
        ("agent:", 1, "agent:"),
        ("agent:a,", 1, "agent:a,"),
        ("a -", 3, "-"),
        ("\"open", 1, "\"open"),
        ("x a*b", 3, "a*b"),
        ("\"a\"b", 4, "b"),
        ("a,b", 1, "a,b"),
        ("...", 1, "..."),
    ] {
        assert_eq!(complaints(text), [("search/syntax", column, marked.to_owned())], "{text}");
    }
    // Every complaint at once.
    assert_eq!(complaints("a*b x:1 verdict:no").len(), 3);
    assert_eq!(Filter::parse(&"a ".repeat(65), NOW).unwrap_err()[0].code, "search/syntax");
    assert_eq!(Filter::parse(&"a".repeat(4097), NOW).unwrap_err()[0].code, "search/syntax");
}

#[test]
fn every_key_is_found_by_its_name_and_offered() {
    let names: Vec<&str> = Word::names().collect();
    assert_eq!((names.first(), names.last()), (Some(&"agent"), Some(&"until")));
    for name in &names {
        match Word::find(name) {
            Some(Word::Key(key)) => assert_eq!(key.name(), *name),
            Some(Word::Since | Word::Until) => {}
            None => panic!("{name}"),
        }
    }
    assert!(NOT_RECORDED.iter().all(|(word, _)| Word::find(word).is_none()));
}

proptest! {
    #[test]
    fn no_text_panics_and_every_complaint_is_within_it(text in ".{0,80}") {
        if let Err(found) = Filter::parse(&text, NOW) {
            for one in found {
                let (from, to) = one.span.unwrap();
                prop_assert!(from <= to && text.get(from..to.min(text.len())).is_some(), "{:?}", one);
            }
        }
    }

    #[test]
    fn texts_made_of_the_grammars_own_characters_do_not_panic(text in "([a-c:,\"* -]|verdict|since|deny|7d){0,24}") {
        let _ = Filter::parse(&text, NOW);
    }
}
