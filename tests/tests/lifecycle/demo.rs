//! The demo, told by the log.

use super::edit;
use harness::Project;

/// The demo's timeline, with all that differs from run to run taken out.
fn timeline(args: &[&str]) -> String {
    let place = Project::empty();
    let mut all = vec!["demo"];
    all.extend(args);
    let output = place.run(&all);
    assert_eq!(output.code, 0, "{output:#?}");
    let lines = output.stdout.lines().map(redact);
    lines.map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Times, and indices in the log: another commit may come first.
fn redact(line: &str) -> String {
    let words = line.split_inclusive(' ').map(|word| {
        let bare = word.trim_end();
        let is_time = bare.len() == 12 && bare.split([':', '.']).count() == 4;
        let is_index = bare.strip_prefix('#').is_some_and(|rest| rest.parse::<u64>().is_ok());
        match (is_time, is_index) {
            (true, _) => word.replace(bare, "[time]"),
            (_, true) => word.replace(bare, "#[n]"),
            _ => word.to_owned(),
        }
    });
    let line: String = words.collect();
    // How many checkpoints there are is a matter of time, that all is sealed is not.
    match line.split_once(" events, ").and_then(|(_, rest)| rest.split_once("; ")) {
        Some((sealed, _)) => format!("    [n] events, {sealed}"),
        None => line,
    }
}

/// The calls of a timeline: what the agent says, with what became of it.
fn calls(timeline: &str) -> Vec<&str> {
    timeline.split("  agent: ").skip(1).map(|call| call.split("\n\n").next().unwrap_or_default()).collect()
}

#[test]
fn the_demo_tells_five_verdicts_from_the_log() {
    let told = timeline(&[]);
    for verdict in ["allow", "sandbox", "sanitize", "ask", "deny"] {
        assert!(told.contains(&format!("  [time]  {verdict:<8}  ")), "no {verdict}: {told}");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn taking_a_guard_out_changes_that_guards_line_and_no_other() {
    let whole = timeline(&[]);
    for (guard, verdict, becomes) in [
        ("protected-namespaces", "deny", "ask"),
        ("internal-notes", "sanitize", "allow"),
        ("rehearse-cache-purge", "sandbox", "allow"),
        ("closed-tickets", "sanitize", "allow"),
    ] {
        let copy = Project::example("support-desk");
        copy.remove(&format!("mortise/policies/guards/{guard}.cedar"));
        let folder = copy.root().display().to_string();
        let without = timeline(&["--example", &folder]);
        let (whole, without) = (calls(&whole), calls(&without));
        assert_eq!(whole.len(), without.len());
        let changed: Vec<_> = whole.iter().zip(&without).filter(|(before, after)| before != after).collect();
        assert_eq!(changed.len(), 1, "{guard}: {changed:#?}");
        let (before, after) = changed[0];
        assert!(before.contains(&format!("guards/{guard}")) && before.contains(verdict), "{before}");
        assert!(!after.contains(&format!("guards/{guard}")) && after.contains(&format!("  {becomes} ")), "{after}");
    }
}

#[test]
fn a_copy_that_does_not_load_is_said_and_nothing_is_told() {
    let copy = Project::example("support-desk");
    edit(&copy, "mortise.toml", "[session]", "[sesion]");
    let output = copy.run(&["demo", "--example", &copy.root().display().to_string()]);
    assert_ne!(output.code, 0);
    assert!(!output.stdout.contains("agent:"), "{output:#?}");
    assert!(output.stderr.contains("sesion"), "{output:#?}");
}
