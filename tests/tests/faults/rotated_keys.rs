//! Another signing key for the log: through the running gateway, over a restart, and for those who pin keys.

use crate::faulty;
use crate::session::end_gateway;
use crate::witnessed::{call, configure, cosigned, witness_of};
use harness::{Project, wait_for};
use serde_json::Value;
use std::fs;

/// Rotates the key of the gateway that runs; the new key.
fn rotate(project: &Project, more: &[&str]) -> String {
    let output = project.run(&[&["keys", "rotate", "--why", "a yearly change"], more].concat());
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("give the new key to whoever pins the old one"), "{output:?}");
    output.stdout.trim().to_owned()
}

fn first_key(project: &Project) -> String {
    fs::read_to_string(project.log().join("vkey")).expect("the key").trim().to_owned()
}

fn key_files(project: &Project) -> Vec<String> {
    let names =
        fs::read_dir(project.state().join("keys")).expect("keys").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().expect("a name")).collect();
    names.retain(|name| name.starts_with("log-signing"));
    names.sort();
    names
}

fn until_ended(project: &Project) {
    wait_for("the end of the overlap", || (project.events_of("key.rotated").len() >= 2).then_some(()));
    wait_for("a destroyed key", || (key_files(project) == ["log-signing"]).then_some(()));
}

#[test]
fn a_rotation_is_recorded_overlaps_and_destroys_the_old_key() {
    let project = faulty::project();
    let gateway = project.up(&[]);
    let old = first_key(&project);
    let old_file = fs::read(project.state().join("keys/log-signing")).expect("the old key");
    let new = rotate(&project, &["--overlap-s", "2"]);
    assert_ne!(old, new);
    let begun = project.events_of("key.rotated").pop().expect("the event");
    assert_eq!(
        (&begun["text"], &begun["detail"]["old"], &begun["detail"]["new"]),
        (&Value::from("a yearly change"), &Value::from(old.clone()), &Value::from(new.clone()))
    );
    let again = project.run(&["keys", "rotate", "--why", "at once again"]);
    assert_eq!(again.code, 4, "{again:?}");
    assert!(again.stderr.contains("a rotation is under way") && again.stderr.contains("mortise keys ls"), "{again:?}");
    for key in [&old, &new] {
        assert_eq!(project.run(&["trace", "verify", "--key", key]).code, 0, "during the overlap");
    }
    until_ended(&project);
    assert_ne!(fs::read(project.state().join("keys/log-signing")).expect("a key"), old_file);
    assert!(call(&project).contains("\\\"n\\\": 1"));
    end_gateway(&project);
    drop(gateway);

    for key in [&old, &new] {
        assert_eq!(project.run(&["trace", "verify", "--key", key]).code, 0, "after the overlap");
    }
    let checkpoint = fs::read_to_string(project.log().join("checkpoint")).expect("a checkpoint");
    assert_eq!(checkpoint.matches('\u{2014}').count(), 1, "{checkpoint}");
    let listed = project.ok(&["keys", "ls", "--format", "ndjson"]);
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).expect("a key")).collect();
    assert_eq!((&listed[0]["vkey"], &listed[1]["vkey"]), (&Value::from(old), &Value::from(new)));
    assert_eq!((&listed[1]["why"], &listed[1]["until"]), (&Value::from("a yearly change"), &Value::Null));
    assert_eq!(listed[1]["from"].as_u64().map(|from| from - 1), begun["index"].as_u64());
    let said = project.ok(&["keys", "ls"]);
    assert!(said.contains("since today") && said.contains("a yearly change"), "{said}");

    // A key that never was the log's.
    let other = faulty::project();
    drop(other.up(&[]));
    let wrong = project.run(&["trace", "verify", "--key", &first_key(&other)]);
    assert_eq!(wrong.code, 20, "{wrong:?}");
    assert!(wrong.stdout.contains("`vkey`: it is not the key given, nor was the log rotated to that one"), "{wrong:?}");
    assert!(wrong.stderr.contains("help: `mortise keys ls` lists the log's keys"), "{wrong:?}");
}

#[test]
fn a_gateway_killed_in_the_overlap_goes_on_with_both_keys() {
    let project = faulty::project();
    let mut gateway = project.up(&[]);
    rotate(&project, &[]);
    gateway.kill();
    assert_eq!(project.run(&["trace", "verify"]).code, 0);
    assert_eq!(key_files(&project), ["log-signing", "log-signing.next"]);
    assert!(call(&project).contains("\\\"n\\\": 1"));
    end_gateway(&project);
    let checkpoint = fs::read_to_string(project.log().join("checkpoint")).expect("a checkpoint");
    assert_eq!(checkpoint.matches('\u{2014}').count(), 2, "{checkpoint}");
    assert_eq!(project.run(&["trace", "verify"]).code, 0);
}

#[test]
fn without_a_gateway_nothing_is_rotated_and_it_is_said_how() {
    let project = faulty::project();
    let output = project.run(&["keys", "rotate", "--why", "x"]);
    assert_eq!(output.code, 30, "{output:?}");
    assert!(output.stderr.contains("start it with `mortise up`"), "{output:?}");
    assert_eq!(project.run(&["keys", "rotate", "--why", " "]).code, 2);
    assert_eq!(project.run(&["keys", "rotate", "--why", "x", "--overlap-s", "99999999999"]).code, 2);
    assert_eq!(project.run(&["keys", "ls"]).code, 4);
}

#[test]
fn a_witness_cosigns_through_the_overlap_and_after_it_when_it_is_told_the_new_key() {
    let project = faulty::project();
    drop(project.up(&[]));
    let old = first_key(&project);
    let witness = witness_of(&project, None, &[&old]);
    configure(&project, &witness);
    let gateway = project.up(&["--dev"]);
    let before = wait_for("a cosignature", || cosigned(&project, &witness));
    let new = rotate(&project, &["--overlap-s", "4"]);
    // Told nothing, it goes on: the old key signs as well.
    let during =
        wait_for("a cosignature in the overlap", || cosigned(&project, &witness).filter(|size| *size > before));
    until_ended(&project);
    assert!(call(&project).contains("\\\"n\\\": 1"), "a witness that knows only the old key stops nothing");
    let address = witness.address().to_owned();
    drop(witness);
    let witness = witness_of(&project, Some(&address), &[&old, &new]);
    wait_for("a cosignature by the new key", || cosigned(&project, &witness).filter(|size| *size > during + 1));
    end_gateway(&project);
    drop(gateway);
    assert_eq!(project.run(&["trace", "verify", "--key", &new, "--witness", &witness.key]).code, 0);
}
