//! Formats of a later Mortise are refused and never guessed at.

use crate::session::recorded;

#[test]
fn what_is_there_is_said_and_nothing_has_to_change() {
    let project = recorded(1);
    for args in [&["migrate", "--dry-run"][..], &["migrate"]] {
        let output = project.run(args);
        assert_eq!(output.code, 0, "{output:?}");
        for what in ["project", "state", "log"] {
            let line = output.stdout.lines().find(|line| line.starts_with(what)).expect("a line");
            assert!(line.ends_with("version 1, written as version 1"), "{line}");
        }
    }
}

#[test]
fn a_lock_file_of_a_later_version_is_refused_with_a_remedy() {
    let project = recorded(1);
    project.write("mortise.lock", r#"{"version": 9, "servers": {}}"#);
    let output = project.run(&["migrate", "--dry-run"]);
    assert_eq!(output.code, 30, "{output:?}");
    assert!(output.stderr.contains("the project is of a version"), "{output:?}");
    assert!(output.stderr.contains("help: use the Mortise that wrote it, or a newer one"), "{output:?}");
}
