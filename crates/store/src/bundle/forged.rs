//! Bundles that somebody changed and whose manifest fits: what the manifest cannot find, the records do.

use super::tests::{place, problems, written};
use super::*;
use std::path::{Path, PathBuf};

/// A whole bundle in which two payloads are disclosed, one is pruned and one erased.
fn bundle() -> (crate::verify::place::Place, PathBuf) {
    let place = place();
    let keys = place.keys.data_keys(&place.log_dir);
    let to = place.log_dir.with_file_name("bundle");
    written(&place.log_dir, &to, &Selection::default(), Disclose::With(&keys)).unwrap();
    (place, to)
}

/// Changes a file, and its digest in the manifest.
fn forge(dir: &Path, name: &str, change: impl FnOnce(String) -> String) {
    forge_bytes(dir, name, |bytes| change(String::from_utf8(bytes).unwrap()).into_bytes());
}

fn forge_bytes(dir: &Path, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let path = dir.join(name);
    let before = std::fs::read(&path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "nothing is changed");
    std::fs::write(&path, &after).unwrap();
    let manifest = std::fs::read_to_string(dir.join(MANIFEST)).unwrap();
    std::fs::write(dir.join(MANIFEST), manifest.replace(&sha256(&before), &sha256(&after))).unwrap();
}

/// Changes the one line of `payloads.jsonl` with these words in it; what is found then.
fn with_line(words: &str, change: impl FnOnce(&str) -> Option<String>) -> Vec<String> {
    let (_place, dir) = bundle();
    forge(&dir, "payloads.jsonl", |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = lines.iter().position(|line| line.contains(words)).unwrap();
        match change(&lines[at]) {
            Some(line) => lines[at] = line,
            None => drop(lines.remove(at)),
        }
        lines.join("\n") + "\n"
    });
    problems(&dir)
}

#[test]
fn a_payload_with_another_digest_is_not_what_its_record_commits_to() {
    let digest = |line: &str| {
        let digest = line.split_once("\"digest\":\"sha256:").unwrap().1.split('"').next().unwrap();
        let other: String = digest.chars().rev().collect();
        Some(line.replace(digest, &other))
    };
    let found = with_line("disclosed", digest);
    assert!(found.iter().any(|found| found.contains("does not commit to")), "{found:?}");
    assert!(found.iter().any(|found| found.contains("does not say what became of")), "{found:?}");
}

#[test]
fn what_took_a_payload_away_has_to_be_the_record_that_did() {
    for (state, because, other) in [("pruned", 5, 4), ("erased", 6, 5)] {
        let found = with_line(state, |line| {
            Some(line.replace(&format!("\"because\":{because}"), &format!("\"because\":{other}")))
        });
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(&format!("is said to be {state}; no record bears that out")), "{found:?}");
    }
    let found =
        with_line("pruned", |line| Some(line.replace("\"pruned\",\"because\":5", "\"missing\",\"because\":null")));
    assert!(found[0].ends_with("is missing"), "{found:?}");
}

#[test]
fn no_payload_is_passed_over_in_silence() {
    for state in ["disclosed", "pruned", "erased"] {
        let found = with_line(state, |_| None);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("it does not say what became of"), "{found:?}");
    }
}

#[test]
fn a_disclosed_text_has_to_be_the_one_that_was_said() {
    let (_place, dir) = bundle();
    let name = std::fs::read_dir(dir.join("payloads")).unwrap().next().unwrap().unwrap().file_name();
    let name = format!("payloads/{}", name.to_string_lossy());
    forge_bytes(&dir, &name, |mut bytes| {
        bytes.extend(b" and more");
        bytes
    });
    let found = problems(&dir);
    assert!(found[0].starts_with(&format!("{name}: altered: it is not what event #")), "{found:?}");
}

#[test]
fn a_proof_is_of_its_own_record() {
    let (_place, dir) = bundle();
    let [first, second] = [0, 1].map(|index| format!("proofs/{index}.tlog-proof"));
    let other = std::fs::read_to_string(dir.join(&second)).unwrap();
    forge(&dir, &first, |_| other);
    let found = problems(&dir);
    assert_eq!(found[0], "records.jsonl line 1 (event #0): `proofs/0.tlog-proof` is a proof of event #1");
}

#[test]
fn no_more_records_are_named_than_are_there() {
    let (_place, dir) = bundle();
    forge(&dir, "records.index", |text| text + "7\tselected\n");
    let found = problems(&dir);
    assert_eq!(found, ["records.jsonl: it has fewer lines than `records.index`"]);
}

#[test]
fn a_manifest_cannot_say_that_nothing_is_left_out() {
    let place = place();
    let to = place.log_dir.with_file_name("part");
    let days = Selection {
        since_us: Some(crate::verify::place::NOON),
        until_us: Some(crate::verify::place::NOON + crate::verify::place::DAY_US),
        ..Selection::default()
    };
    written(&place.log_dir, &to, &days, Disclose::Nothing).unwrap();
    let manifest = std::fs::read_to_string(to.join(MANIFEST)).unwrap();
    std::fs::write(to.join(MANIFEST), manifest.replace("\"is_contiguous\": false", "\"is_contiguous\": true")).unwrap();
    let found = problems(&to);
    assert_eq!(found, ["records.index: the manifest says that no record is left out, and some are"]);
}
