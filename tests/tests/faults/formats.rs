//! Formats that a command does not write, asked for all the same.

use harness::Project;

#[test]
fn a_format_that_a_command_does_not_write_is_refused_before_anything_is_done() {
    let project = Project::example("support-desk");
    for (format, command) in [
        ("junit", &["trace", "verify"][..]),
        ("junit", &["check"]),
        ("junit", &["up"]),
        ("json", &["up"]),
        ("json", &["demo"]),
        ("json", &["completions", "bash"]),
        ("json", &["trace", "prove", "1"]),
        ("ndjson", &["proxy", "--agent", "support-bot", "--server", "desk"]),
        ("ndjson", &["run", "--agent", "support-bot", "--", "true"]),
    ] {
        for args in [[&["--format", format], command].concat(), before_the_rest(format, command)] {
            let refused = project.run(&args);
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{args:?}: {refused:?}");
            assert!(refused.stderr.contains(&format!("this command does not write `{format}`")), "{refused:?}");
            assert!(refused.stderr.contains("help: "), "{refused:?}");
        }
    }
    let unknown = project.run(&["--format", "xml", "check"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""), "{unknown:?}");
    assert!(!project.state_base().exists(), "nothing was begun");
    assert_eq!(project.run(&["--format", "json", "check"]).code, 0);
}

/// The same words with the format after the command's first.
fn before_the_rest<'a>(format: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    let (first, rest) = command.split_first().expect("a command");
    [&[*first, "--format", format], rest].concat()
}
