//! A log that is not what was written: every tool says so, and no gateway goes on with it.

use crate::faulty;
use crate::session::{end_gateway, place, recorded, segment};
use harness::project::{finish, kill};
use harness::{Project, wait_for};
use serde_json::json;
use std::fs;
use std::time::Duration;

/// What `trace verify` says: its exit code, and its output without the counts.
fn verify(project: &Project, more: &[&str]) -> (i32, String) {
    let output = project.run(&[&["trace", "verify"], more].concat());
    (output.code, output.stdout.lines().take(2).map(|line| format!("{line}\n")).collect())
}

/// What a gateway says that is to start.
fn start(project: &Project) -> (i32, String) {
    let output = project.run(&["up", "--listen", "127.0.0.1:0"]);
    let log = project.log().display().to_string();
    (output.code, output.stderr.replace(&log, "[log]"))
}

fn change(path: &std::path::Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a file");
    edit(&mut bytes);
    fs::write(path, bytes).expect("a written file");
}

#[test]
fn a_bit_flipped_in_the_middle() {
    let project = recorded(3);
    let (from, to) = place(&project, 7);
    change(&segment(&project), |bytes| bytes[from.midpoint(to)] ^= 1);
    let said = "altered  log `mortise.local/faults`\n    record 7: it is not a record, later ones are\n";
    assert_eq!(verify(&project, &[]), (20, said.to_owned()));
    insta::assert_snapshot!("start_on_a_flipped_bit", format!("{:#?}", start(&project)));
    // The shim's sentence is the same, and nothing runs.
    let shim = project.run(&["proxy", "--agent", "tester", "--server", "faulty"]);
    assert_eq!(shim.code, 30, "{shim:?}");
    assert!(shim.stderr.contains("record 7 is altered"), "{shim:?}");
}

/// What comes before the place may be shown; what would be wrong without the rest is not said.
#[test]
fn a_log_that_is_not_whole_is_never_read_as_a_shorter_one() {
    let project = recorded(3);
    let count = project.events().len();
    let (from, to) = place(&project, 7);
    change(&segment(&project), |bytes| bytes[from.midpoint(to)] ^= 1);
    let said = format!("the records end at #6, and a checkpoint is over {count}");
    let to = project.root().join("out").display().to_string();
    let log = project.log().display().to_string();
    for args in [
        &["trace", "ls"][..],
        &["trace", "ls", "--events"],
        &["trace", "tail"],
        &["trace", "show", "8"],
        &["trace", "show", "no-such-call"],
        &["trace", "search", "verdict:allow"],
        &["trace", "usage"],
        &["trace", "diff", "--log", &log, "--log", &log],
        &["trace", "prove", "8"],
        &["trace", "export", "--as", "jsonl", &to],
        &["trace", "reveal", "8", "--reason", "r"],
        &["replay"],
        &["keys", "ls"],
        &["migrate"],
    ] {
        let output = project.run(args);
        assert_eq!(output.code, 20, "{args:?}: {output:?}");
        assert!(
            output.stderr.contains(&said) && output.stderr.contains("`mortise trace verify`"),
            "{args:?}: {output:?}"
        );
    }
    assert!(project.run(&["trace", "ls", "--events"]).stdout.contains("#6 "), "what is there is shown");
    assert_eq!(project.run(&["trace", "show", "6"]).code, 0);
}

#[test]
fn a_log_that_may_not_be_looked_at_is_not_taken_for_none() {
    let project = recorded(1);
    let to = project.root().join("out").display().to_string();
    // What this process may not look at, whoever it is: a link to itself.
    fs::rename(project.log(), project.state().join("kept")).expect("a moved log");
    std::os::unix::fs::symlink(project.log(), project.log()).expect("a link");
    for args in [
        &["trace", "ls"][..],
        &["trace", "verify"],
        &["trace", "search", "verdict:allow"],
        &["trace", "usage"],
        &["trace", "export", &to],
        &["trace", "export", "--as", "csv", &to],
        &["keys", "ls"],
        &["replay"],
        &["migrate"],
        &["doctor"],
    ] {
        let output = project.run(args);
        let said = format!("{}{}", output.stdout, output.stderr);
        let exit = if args == ["trace", "verify"] { 20 } else { 30 };
        assert_eq!(output.code, exit, "{args:?}: {output:?}");
        assert!(said.contains("cannot be read: ") && !said.contains("holds no log"), "{args:?}: {output:?}");
        assert!(!said.contains("nothing has been recorded") && !said.contains("there is none yet"), "{args:?}: {said}");
    }
}

#[test]
fn records_cut_off_the_end() {
    let project = recorded(3);
    let (from, _) = place(&project, 9);
    change(&segment(&project), |bytes| bytes[from - 24..].fill(0));
    let (code, said) = verify(&project, &[]);
    assert_eq!(code, 20, "{said}");
    assert!(said.starts_with("missing") && said.contains("record 9: a checkpoint is over"), "{said}");
    insta::assert_snapshot!("start_on_a_truncated_log", format!("{:#?}", start(&project)));
    // The file cut short says the same.
    change(&segment(&project), |bytes| bytes.truncate(from - 24));
    assert_eq!(verify(&project, &[]), (code, said));
}

#[test]
fn a_tile_a_checkpoint_or_a_key_changed() {
    let project = recorded(3);
    let log = project.log();
    let files = [
        ("tile", walk(&log.join("tile"), "/tile/0/")),
        ("checkpoint", vec![log.join("checkpoint")]),
        ("key", vec![log.join("vkey")]),
    ];
    for (name, found) in files {
        let path = found.last().unwrap_or_else(|| panic!("no {name}"));
        let good = fs::read(path).expect("a file");
        change(path, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        let (code, said) = verify(&project, &[]);
        assert_eq!(code, 20, "{name}: {said}");
        assert!(said.starts_with("altered"), "{name}: {said}");
        let relative = path.strip_prefix(&log).expect("a file of the log").display().to_string();
        assert!(said.contains(&relative), "{name}: {said}");
        if name == "checkpoint" || name == "key" {
            let (code, said) = start(&project);
            assert_eq!(code, 20, "{name}: {said}");
            assert!(said.contains("mortise trace verify"), "{name}: {said}");
        }
        fs::write(path, good).expect("a written file");
    }
    assert_eq!(verify(&project, &[]).0, 0);
    let key = fs::read_to_string(log.join("vkey")).expect("the key");
    assert_eq!(verify(&project, &["--key", key.trim()]).0, 0);
}

#[test]
fn a_key_that_is_not_the_logs_is_said_loudly() {
    let (project, other) = (recorded(1), recorded(1));
    let key = fs::read_to_string(other.log().join("vkey")).expect("the key");
    let (code, said) = verify(&project, &["--key", key.trim()]);
    assert_eq!(code, 20, "{said}");
    assert!(said.contains("it is not the key given"), "{said}");
    let output = project.run(&["trace", "verify", "--key", "no key at all"]);
    assert_eq!((output.code, output.stdout.as_str()), (2, ""), "a typing error is none of the log's: {output:?}");
    assert!(output.stderr.contains("the verifying key given is not valid"), "{output:?}");
}

#[test]
fn a_torn_tail_is_removed_and_recorded() {
    let project = recorded(2);
    let last = project.events().len() as u64 - 1;
    let (_, end) = place(&project, last);
    // The beginning of a frame, as a crash in the middle of a write leaves it.
    let torn = [b"ML\0\0\xe8\x03\0\0".as_slice(), &(last + 1).to_le_bytes(), b"\x02\0\0\0abcd{\"half a rec"].concat();
    change(&segment(&project), |bytes| bytes[end..end + torn.len()].copy_from_slice(&torn));
    assert_eq!(verify(&project, &[]).0, 0);
    project.proxy("tester", "faulty").call("echo", json!({"n": 9}));
    let started = project.events_of("gateway.started").pop().expect("the start");
    assert_eq!(started["detail"]["dropped_bytes"], torn.len(), "{started}");
    assert_eq!(started["index"], last + 1);
    end_gateway(&project);
    assert_eq!(verify(&project, &[]).0, 0);
}

/// What `kill -9` may leave: the last commit reached the disk in part. Nothing was checkpointed since the start.
#[test]
fn a_torn_last_commit_is_removed_said_and_built_upon() {
    let project = faulty::with("[log]\ncheckpoint_s = 86400\n");
    let mut client = project.proxy("tester", "faulty");
    for number in 0..3 {
        assert_eq!(faulty::text(&client.call("echo", json!({"n": number}))), format!("{{\"n\": {number}}}"));
    }
    // Its end is recorded, and this shim would start another gateway.
    assert_eq!(client.wait(), 0);
    wait_for("the server's end", || project.events_of("server.stopped").pop());
    kill(project.gateway_pid().expect("a gateway"));
    wait_for("a free log", || fs::File::open(project.log().join("lock")).ok()?.try_lock().ok());
    let before = project.events();
    let (from, to) = place(&project, before.len() as u64 - 1);
    change(&segment(&project), |bytes| bytes[from.midpoint(to)..].fill(0));
    assert_eq!(verify(&project, &[]).0, 0);

    project.proxy("tester", "faulty").call("echo", json!({"n": 9}));
    let after = project.events();
    let recovered = project.events_of("store.recovered");
    assert_eq!(recovered.len(), 1, "{recovered:#?}");
    let (recovered, started) = (&recovered[0], project.events_of("gateway.started").pop().expect("the start"));
    let size = recovered["detail"]["log_size"].as_u64().expect("a size");
    let kept = usize::try_from(size).expect("a size");
    assert!(kept < before.len() && before[..kept] == after[..kept], "{size} of {}", before.len());
    assert_eq!((&started["index"], &recovered["index"]), (&json!(size), &json!(size + 1)));
    assert_eq!(recovered["text"], "a commit that was not finished was removed");
    // From the first byte of the commit to the last that was left of it.
    let dropped = recovered["detail"]["dropped_bytes"].as_u64().expect("bytes");
    assert!(dropped >= (24 + from.midpoint(to) - from) as u64, "{recovered}");
    assert_eq!(recovered["detail"], json!({"dropped_bytes": dropped, "log_size": size}));
    assert_eq!(started["detail"]["dropped_bytes"], dropped);
    for column in ["agent", "call", "server", "session", "tool_name"] {
        assert!(recovered.get(column).is_none(), "{recovered}");
    }
    assert_eq!(faulty::calls(&project, "echo"), 4, "nothing is run again");
    // The next start finds nothing to repair.
    end_gateway(&project);
    assert_eq!(verify(&project, &[]).0, 0);
    project.proxy("tester", "faulty").call("echo", json!({"n": 10}));
    assert_eq!(project.events_of("store.recovered").len(), 1);
}

#[test]
fn a_second_gateway_on_one_log_is_refused_and_told_whose_it_is() {
    let project = faulty::project();
    let gateway = project.up(&[]);
    let root = project.root().display().to_string();
    let output = finish(project.command(&["__gateway", "--root", &root]).env("NO_COLOR", "1"));
    assert_eq!(output.code, 30, "{output:?}");
    let said = format!("the log is open in another process ({})", gateway.pid());
    assert!(output.stderr.contains(&said), "{output:?}");
    assert!(output.stderr.contains("one gateway serves a project"), "{output:?}");
    // The first is not disturbed.
    let answer = project.proxy("tester", "faulty").call("echo", json!({"n": 1}));
    assert_eq!(faulty::text(&answer), r#"{"n": 1}"#);
}

#[test]
fn a_log_deleted_under_a_gateway_ends_all_calls() {
    let project = faulty::project();
    let _gateway = project.up(&[]);
    let mut client = project.proxy("tester", "faulty");
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    fs::remove_dir_all(project.log()).expect("a deleted log");
    // The gateway looks for its files with the first commit that is 10 ms after the last look.
    std::thread::sleep(Duration::from_millis(20));
    for number in 2..5 {
        let answer = client.call("echo", json!({"n": number}));
        assert_eq!(answer["result"]["_meta"]["mortise"]["rule"], "fault/log", "{answer}");
    }
    assert_eq!(faulty::calls(&project, "echo"), 1);
    wait_for("the failure in the status", || {
        let status = project.control(&json!("status"))?;
        status["ok"]["log_failure"].as_str().map(ToOwned::to_owned)
    });
}

/// The files below a directory whose path contains something, in order.
fn walk(dir: &std::path::Path, part: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(walk(&entry, part));
        } else if entry.display().to_string().contains(part) {
            found.push(entry);
        }
    }
    found.sort();
    found
}
