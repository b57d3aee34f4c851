//! Another signing key for the log: through the running gateway, over a restart, and for those who pin keys.

use crate::faulty;
use crate::foreign::{checker, entries, prove, refused};
use crate::session::end_gateway;
use crate::witnessed::{call, configure, cosigned, witness_of};
use harness::project::finish;
use harness::{Project, part, wait_for, workspace};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

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
    assert_eq!(again.code, 12, "{again:?}");
    assert!(
        again.stderr.contains("error[keys/under-way]: a rotation is under way")
            && again.stderr.contains("mortise keys ls"),
        "{again:?}"
    );
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

    // An auditor who was given the first key and knows the witness needs nothing else.
    let bundle = project.root().join("bundle").display().to_string();
    project.ok(&["trace", "bundle", &bundle]);
    for (key, handovers) in [(&old, 1), (&new, 0)] {
        let verify = ["trace", "verify", "--bundle", &bundle, "--key", key, "--witness", &witness.key];
        let checked = project.ok(&verify);
        assert_eq!(checked.matches("the log's key handed over to the next").count(), handovers, "{checked}");
        assert!(checked.contains("witness `w.example/team` cosigned "), "{checked}");
        let value = project.json(&verify);
        assert_eq!((&value["verdict"], &value["selection"]["agent"]), (&Value::from("ok"), &Value::Null));
        assert_eq!(value["handovers"].as_array().map(Vec::len), Some(handovers));
    }
    let other = faulty::project();
    drop(other.up(&[]));
    let stranger = project.run(&["trace", "verify", "--bundle", &bundle, "--key", &first_key(&other)]);
    assert!(stranger.code == 20 && stranger.stdout.starts_with("altered"), "{stranger:?}");
    assert_eq!(project.run(&["trace", "verify", "--bundle", &bundle, "--key", "foo"]).code, 2);
}

/// What Go's transparency log code says of a record, under a key.
fn checked(dir: &Path, key: &str, leaf: &[u8], proof: &str) -> harness::Output {
    let [vkey, leaf_file, proof_file] = ["vkey", "leaf", "proof"].map(|name| dir.join(name));
    fs::write(&vkey, format!("{key}\n")).expect("a key");
    fs::write(&leaf_file, leaf).expect("a leaf");
    fs::write(&proof_file, proof).expect("a proof");
    finish(Command::new(dir.join("checkproof")).args([vkey, leaf_file, proof_file]))
}

/// Other people's verifiers know nothing of rotations, and need not: before, during and after one they take every proof under
/// the key that signs its checkpoint, under both while both sign, and under no other.
#[test]
fn other_peoples_verifiers_take_a_log_whose_key_was_rotated() {
    let project = faulty::project();
    let dir = project.root().join("foreign");
    fs::create_dir(&dir).expect("a folder");
    fs::copy(checker(), dir.join("checkproof")).expect("a copied program");
    let gateway = project.up(&[]);
    let answer = project.hosted("tester", "faulty").call("echo", serde_json::json!({"n": 1}));
    assert!(answer["result"]["content"].is_array(), "{answer}");
    let old = first_key(&project);
    wait_for("a sealed record", || (project.run(&["trace", "prove", "1"]).code == 0).then_some(()));
    let (leaf, before) = prove(&project, 1, &dir);
    let new = rotate(&project, &["--overlap-s", "3"]);
    let during = wait_for("a proof that both keys signed", || {
        let (_, proof) = prove(&project, 1, &dir);
        (proof.matches('\u{2014}').count() == 2).then_some(proof)
    });
    until_ended(&project);
    assert!(call(&project).contains("\\\"n\\\": 1"));
    end_gateway(&project);
    drop(gateway);

    let (_, after) = prove(&project, 1, &dir);
    for (name, proof, signers) in
        [("before", &before, [true, false]), ("during", &during, [true; 2]), ("after", &after, [false, true])]
    {
        for (key, is_signed) in [&old, &new].into_iter().zip(signers) {
            let output = checked(&dir, key, &leaf, proof);
            match is_signed {
                true => assert!(output.code == 0 && output.stdout.starts_with("OK: entry 1 of "), "{name}: {output:?}"),
                false => refused(&output, "signature"),
            }
        }
    }
    // Every record of the whole log, also those that only the old key ever signed a checkpoint over: by the new key alone.
    let count = project.events().len();
    for index in 0..count {
        let (leaf, proof) = prove(&project, index, &dir);
        let output = checked(&dir, &new, &leaf, &proof);
        assert!(output.stdout.starts_with(&format!("OK: entry {index} of {count} ")), "{output:?}");
    }

    let file = dir.join("entries");
    fs::write(&file, entries(&project)).expect("entries");
    let pymerkle = |checkpoint: &Path| {
        let script = workspace().join("crates/proof/foreign/pymerkle/check.py");
        finish(Command::new(part("python/bin/python")).arg("-B").arg(script).arg(&file).arg(checkpoint))
    };
    let root = pymerkle(&project.log().join("checkpoint"));
    assert_eq!(root.stdout, format!("OK: {count} entries give the root of mortise.local/faults\n"), "{root:?}");
    // The checkpoints of then are of the same log: its first records have their roots.
    for (name, proof) in [("before", &before), ("during", &during)] {
        fs::write(dir.join(name), proof).expect("a proof");
        let root = pymerkle(&dir.join(name));
        assert!(root.code == 0 && root.stdout.ends_with("entries give the root of mortise.local/faults\n"), "{root:?}");
    }

    // An auditor's bundle has the key that its proofs are under.
    let bundle = project.root().join("bundle");
    project.ok(&["trace", "bundle", &bundle.display().to_string()]);
    assert_eq!(fs::read_to_string(bundle.join("vkey")).expect("the key").trim(), new);
    let records = fs::read_to_string(bundle.join("records.jsonl")).expect("records");
    assert_eq!(records.lines().count(), count);
    for (index, record) in records.lines().enumerate() {
        let proof = fs::read_to_string(bundle.join(format!("proofs/{index}.tlog-proof"))).expect("a proof");
        assert_eq!(checked(&dir, &new, record.as_bytes(), &proof).code, 0, "{index}");
        refused(&checked(&dir, &old, record.as_bytes(), &proof), "signature");
    }
    for key in [&new, &old] {
        let verified = project.run(&["trace", "verify", "--bundle", &bundle.display().to_string(), "--key", key]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
}
