//! Logs that earlier versions wrote: they verify for ever, and are read byte by byte as they were written.
#![expect(clippy::expect_used, reason = "a test fails so")]

use std::{
    fs,
    path::{Path, PathBuf},
};
use store::{LogReader, Verdict};

/// Each version, with the keys its log had and the root of its newest checkpoint.
const VERSIONS: [(&str, [&str; 2], &str); 1] = [(
    "v1",
    [
        "mortise.example/fixture+62d2f799+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
        "mortise.example/fixture+5fb2def8+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
    ],
    "XlyJ7n3u2T96j1piPjR0mSkCIOohU/T+T3kQK6fF0G8=",
)];

fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/logs")
}

#[test]
fn logs_of_every_version_verify_under_each_of_their_keys() {
    for (version, keys, root) in VERSIONS {
        let dir = logs().join(version);
        for key in keys.map(Some).into_iter().chain([None]) {
            let report = store::verify(&dir, key).expect("a verdict");
            assert_eq!(report.verdict, Verdict::Ok, "{version} under {key:?}");
            assert_eq!((report.events, report.sealed, report.derived_missing), (300, 300, 0), "{version}");
            assert_eq!((report.origin.as_str(), report.epochs), ("mortise.example/fixture", 2), "{version}");
            assert!(report.checkpoints >= 4, "{version}: {report:?}");
        }
        let checkpoint = fs::read_to_string(dir.join("checkpoint")).expect("a checkpoint");
        assert_eq!(checkpoint.lines().nth(2), Some(root), "{version}");
        let listed = store::log_keys(&dir).expect("its keys");
        assert_eq!(listed.iter().map(|key| key.span.key.to_vkey()).collect::<Vec<_>>(), keys, "{version}");
    }
}

#[test]
fn their_records_are_read_byte_by_byte_and_proved() {
    for (version, keys, _) in VERSIONS {
        let dir = logs().join(version);
        let expected = fs::read_to_string(logs().join(format!("{version}.jsonl"))).expect("the records");
        let mut read = 0;
        for (record, line) in LogReader::open(&dir).expect("a log").iter_from(0).zip(expected.lines()) {
            assert_eq!(record.expect("a record").bytes, line.as_bytes(), "{version}");
            read += 1;
        }
        assert_eq!(read, 300, "{version}");
        let key = proof::Verifier::from_vkey(keys[1]).expect("a key");
        for index in [0, 255, 299] {
            let proof = store::prove(&dir, index).expect("a proof");
            let proof = proof::TlogProof::parse(proof.as_bytes()).expect("a proof");
            let leaf = expected.lines().nth(usize::try_from(index).expect("an index")).expect("a record");
            assert!(proof.verify(leaf.as_bytes(), &key).is_ok(), "{version} {index}");
        }
    }
}

#[test]
fn one_changed_byte_is_found_in_them_as_ever() {
    for (version, ..) in VERSIONS {
        let copied = tempfile::tempdir().expect("a folder");
        copy(&logs().join(version), copied.path());
        let segment = copied.path().join("seg/00000000000000000000.log");
        let mut bytes = fs::read(&segment).expect("a segment");
        bytes[500] ^= 1;
        fs::write(&segment, bytes).expect("a written segment");
        let found = store::verify(copied.path(), None).expect("a verdict").verdict;
        assert!(matches!(found, Verdict::Altered { .. }), "{version}: {found:?}");
    }
}

/// Payloads as they were written, and packed, by each version.
#[test]
fn their_payloads_are_read_as_they_were_written_and_packed() {
    let fixtures = logs().with_file_name("payloads");
    let copied = tempfile::tempdir().expect("a folder");
    copy(&fixtures.join("v2"), copied.path());
    // A checkout leaves keys readable by others, which are then not used.
    private(&copied.path().join("keys"));
    let keys = store::Keys::open(&copied.path().join("keys"), "mortise.example/fixture").expect("keys");
    let log = copied.path().join("log");
    let (mut reader, data_keys) = (store::payload::PayloadReader::new(&log), keys.data_keys(&log));
    let lines = fs::read_to_string(fixtures.join("v2.jsonl")).expect("what records say");
    let mut read = 0;
    for line in lines.lines() {
        let said: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let payload = said["payload"].to_string();
        let payload: vocab::event::Payload<'_> = serde_json::from_str(&payload).expect("a payload");
        let found = reader.read(&payload, said["t"].as_i64().expect("a time"), &data_keys).expect("an answer");
        let text = said["text"].as_str().expect("a text").as_bytes().to_vec();
        assert_eq!(found, store::payload::Found::Text(text.into()), "{line}");
        read += 1;
    }
    assert_eq!(read, 208);
    let units = store::payload::units(&log).expect("units");
    assert_eq!(units.iter().map(|unit| unit.packed > 0).collect::<Vec<_>>(), [true, false]);
}

fn private(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).expect("a private folder");
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        fs::set_permissions(entry, fs::Permissions::from_mode(0o600)).expect("a private file");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let to = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, to).expect("a copy");
        }
    }
}
