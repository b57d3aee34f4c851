//! Names that the project does not have: errors, because such a case could pass for the wrong reason.

use crate::fixture::{FILE, case, files, said, snapshot_of, suite, wrong};

#[test]
fn unknown_names_are_errors_with_near_ones() {
    for (lines, code, candidate) in [
        ("call: desk/clsoe\nexpect: deny", "tests/unknown-tool", "desk/close"),
        ("call: dsek/close\nexpect: deny", "tests/unknown-server", "desk"),
        ("call: dsek#resources/read\nexpect: deny", "tests/unknown-server", "desk"),
        ("call: desk/close\nexpect: deny\nrule: guards/nevr", "tests/unknown-rule", "guards/never"),
        ("call: desk/close\nexpect: deny\nnot_rule: guards/nevr", "tests/unknown-rule", "guards/never"),
        ("call: desk/close\nexpect: deny\nrule: inventory/bto", "tests/unknown-rule", "inventory/bot"),
        ("call: desk/clsoe\nexpect: deny\nrule: guards/never", "tests/unknown-tool", "desk/close"),
    ] {
        let found = wrong(&suite(&case("it", lines)));
        assert_eq!(found.len(), 1, "{}", said(&found));
        assert_eq!(
            (found[0].code, found[0].candidates.first().map(String::as_str)),
            (code, Some(candidate)),
            "{lines}"
        );
        assert!(found[0].line > 5 && found[0].column > 10, "{}", said(&found));
    }
    let found = wrong("suite: x\nagent: bto\ncases: []\n");
    assert_eq!((found[0].code, found[0].candidates[0].as_str(), found[0].line), ("tests/unknown-agent", "bot", 2));
}

#[test]
fn tools_that_are_not_pinned_are_not_mistaken_for_slips() {
    let mut files = files();
    files.texts.remove("mortise.lock");
    // Without a lock no tool is known to policies either.
    files
        .texts
        .insert("mortise/policies/a.cedar".to_owned(), "@id(\"all\") permit(principal, action, resource);".to_owned());
    let text = suite(&case("it", "call: desk/close\nexpect: deny"));
    let found = lab::run(&snapshot_of(&files), [(FILE, text.as_str())], None).unwrap_err();
    assert_eq!((found[0].code, found[0].help.as_deref()), ("tests/not-pinned", Some("run `mortise lock`")));
}
