//! What `mortise trace search` says of a filter.

use super::Entry;

pub(super) const CODES: &[Entry] = &[
    (
        "search/syntax",
        r#"The filter cannot be taken apart: a quote is not closed, a value is missing, or a star stands
elsewhere than at the end.

A term is `KEY:VALUE` or a word. What has a space, a comma or a star in it stands in double quotes;
the shell takes those away, so put single quotes around them: `'agent:"a b"'`."#,
    ),
    (
        "search/unknown-key",
        r#"What stands before the colon is nothing that can be searched for.

`mortise trace search --help` lists the keys. A word with a colon in it stands in double quotes."#,
    ),
    (
        "search/unknown-word",
        r#"The key knows only certain words, and this is none of them, so nothing would ever be found.

The message lists them or names the nearest; `docs/spec/event.md` says what they mean."#,
    ),
    (
        "search/time",
        r#"The text is not a time, or a time stands where it cannot.

Write `since:7d` for what is seven days old at most (`s`, `m`, `h`, `d`, `w`), or a date and time in
UTC such as `until:2026-11-28T10:00`. `since` includes the moment, `until` does not."#,
    ),
    (
        "search/not-recorded",
        r#"Events do not carry what is asked for, so it cannot be found in the log. Arguments, results and
purposes are there as keyed hashes only; findings and costs are not recorded yet.

Search for the call by who made it, which tool it used, or which rule spoke."#,
    ),
];
