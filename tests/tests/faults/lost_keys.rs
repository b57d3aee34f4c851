//! Key files that are gone: what still verifies, what a gateway says, and what puts it right.

use crate::session::{end_gateway, recorded};
use harness::Project;
use serde_json::json;
use std::fs;

/// What a gateway says that is to start.
fn start(project: &Project) -> harness::Output {
    project.run(&["up", "--listen", "127.0.0.1:0"])
}

#[test]
fn a_lost_signing_key_ends_the_log_and_not_its_proofs() {
    let project = recorded(2);
    let key = project.state().join("keys/log-signing");
    let kept = project.root().join("kept-key");
    fs::rename(&key, &kept).expect("a moved key");
    let verified = project.run(&["trace", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    project.ok(&["trace", "prove", "1"]);
    for _ in 0..2 {
        let refused = start(&project);
        assert_eq!(refused.code, 20, "{refused:?}");
        assert!(refused.stderr.contains("is not the one of the log"), "{refused:?}");
        assert!(refused.stderr.contains("put the log's back from a copy"), "{refused:?}");
    }
    assert_eq!(project.run(&["trace", "verify"]).code, 0, "a refused start changes nothing");

    // Put back from a copy, it goes on.
    fs::rename(&kept, &key).expect("a moved key");
    project.proxy("tester", "faulty").call("echo", json!({"n": 7}));
    end_gateway(&project);
    assert_eq!(project.run(&["trace", "verify"]).code, 0);

    // Without one, a new log begins beside the old, which verifies for good.
    fs::remove_file(&key).expect("a lost key");
    let past = project.root().join("past");
    fs::rename(project.log(), &past).expect("a moved log");
    project.proxy("tester", "faulty").call("echo", json!({"n": 8}));
    end_gateway(&project);
    assert_eq!(project.run(&["trace", "verify"]).code, 0);
    assert_eq!(project.run(&["trace", "verify", "--log", &past.display().to_string()]).code, 0);
}

#[test]
fn other_lost_keys_are_drawn_anew_and_the_log_goes_on() {
    let project = recorded(1);
    let digest = |events: Vec<serde_json::Value>| events.last().expect("a call")["args_hash"].clone();
    let before = digest(project.events_of("tool.intent"));
    for name in ["log-hmac", "seal", "run-token", "pseudonym"] {
        fs::remove_file(project.state().join("keys").join(name)).expect("a lost key");
    }
    project.proxy("tester", "faulty").call("echo", json!({"n": 0}));
    end_gateway(&project);
    assert_eq!(project.run(&["trace", "verify"]).code, 0);
    // The same arguments, which can no longer be recognised as the same.
    assert_ne!(digest(project.events_of("tool.intent")), before);
}

/// Names of the key files, and their bytes.
fn key_files(project: &Project) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(project.state().join("keys")).expect("keys").map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().expect("a name"), fs::read(entry.path()).expect("a key")))
        .collect();
    files.sort();
    files
}

#[test]
fn reading_draws_no_key_and_says_which_one_is_missing() {
    for lost in ["log-signing", "run-token", "seal", "log-hmac"] {
        let project = recorded(1);
        let with_keys = project.run(&["replay"]);
        fs::remove_file(project.state().join("keys").join(lost)).expect("a lost key");
        let before = key_files(&project);
        let verified = project.run(&["trace", "verify"]);
        let replayed = project.run(&["replay"]);
        let is_needed = ["seal", "log-hmac"].contains(&lost);
        let missing = format!("keys/{lost}` is missing, and none is drawn here");
        for output in [&verified, &replayed] {
            assert_eq!(output.stderr.contains(&missing), is_needed, "{lost}: {output:?}");
            assert_eq!(output.stderr.contains("help: put it back from a copy"), is_needed, "{lost}: {output:?}");
        }
        // What is proved, and decided again, without keys still is.
        assert_eq!((verified.code, &replayed.stdout), (0, &with_keys.stdout), "{lost}: {verified:?}");
        assert_eq!(replayed.code, with_keys.code, "{lost}: {replayed:?}");
        assert_eq!(key_files(&project), before, "{lost}");
    }
}

#[test]
fn the_logs_own_key_files_lost() {
    let project = recorded(1);
    let vkey = project.log().join("vkey");
    let key = fs::read_to_string(&vkey).expect("the key");
    fs::remove_file(&vkey).expect("a lost file");
    let verified = project.run(&["trace", "verify", "--key", key.trim()]);
    assert_eq!(verified.code, 20, "{verified:?}");
    assert!(verified.stdout.starts_with("missing") && verified.stdout.contains("`vkey`"), "{verified:?}");
    assert!(verified.stderr.contains("help: "), "{verified:?}");
    // A gateway that has the signing key writes it again.
    project.proxy("tester", "faulty").call("echo", json!({"n": 3}));
    end_gateway(&project);
    assert_eq!(fs::read_to_string(&vkey).expect("the key"), key);
    assert_eq!(project.run(&["trace", "verify", "--key", key.trim()]).code, 0);
}
