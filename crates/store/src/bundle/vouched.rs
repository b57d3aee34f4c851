//! Who vouches for a bundle: keys that were handed over, witnesses; and what nobody does.

use super::tests::{place, problems, written};
use super::*;
use crate::{
    DEFAULT_OVERLAP, Witness, ask_to_cosign,
    fixture::{append, closed, open, record},
    keep_cosigned,
    log::tests::rotating::{Home, begin, end, grow},
};
use proof::{CosignatureVerifier, KeyName, Verifier};
use std::path::{Path, PathBuf};

/// A log of three keys and its bundle; the keys, from the first on.
fn rotated() -> (Home, PathBuf, Vec<Verifier>) {
    let home = Home::new();
    let (keys, log) = home.open().unwrap();
    grow(&log, 2).unwrap();
    begin(&keys, &log, DEFAULT_OVERLAP).unwrap();
    end(&keys, &log).unwrap();
    grow(&log, 3).unwrap();
    begin(&keys, &log, DEFAULT_OVERLAP).unwrap();
    end(&keys, &log).unwrap();
    grow(&log, 1).unwrap();
    log.close().unwrap();
    let all = log.keys().spans().iter().map(|span| span.key.clone()).collect();
    let to = home.0.path().join("bundle");
    written(&home.log(), &to, &Selection::default(), Disclose::Nothing).unwrap();
    (home, to, all)
}

fn found(to: &Path, key: &str) -> Vec<String> {
    let report = verify_bundle(to, Some(key), &[]).unwrap();
    report.named.into_iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect()
}

/// Changes a file, and the digest that the manifest has of it.
fn replace(to: &Path, name: &str, bytes: &[u8]) {
    let before = std::fs::read(to.join(name)).unwrap();
    std::fs::write(to.join(name), bytes).unwrap();
    let manifest = std::fs::read_to_string(to.join(MANIFEST)).unwrap();
    std::fs::write(to.join(MANIFEST), manifest.replace(&sha256(&before), &sha256(bytes))).unwrap();
}

#[test]
fn any_earlier_key_of_the_log_will_do_and_no_other() {
    let (_home, to, keys) = rotated();
    for (key, handovers) in keys.iter().zip([vec![2, 7], vec![7], vec![]]) {
        let report = verify_bundle(&to, Some(&key.to_vkey()), &[]).unwrap();
        assert_eq!((report.problems, report.handovers), (0, handovers), "{:?}", report.named);
    }
    let stranger = crate::fixture::vkey();
    assert_eq!(
        found(&to, &stranger),
        ["vkey: it is not the key you gave, nor does a record in here hand over from that one"]
    );
}

#[test]
fn a_handover_is_the_key_befores_to_make() {
    let (_home, to, keys) = rotated();
    let first = keys[0].to_vkey();
    let whole = |name: &str| std::fs::read(to.join(name)).unwrap();
    let (note, grown, later) = (whole("handovers/3"), whole("handovers/3.grown"), whole("handovers/8"));
    // Without the signature of the key before, it is anybody's.
    let text = String::from_utf8(note.clone()).unwrap();
    let signatures: Vec<&str> = text.lines().filter(|line| line.starts_with('\u{2014}')).collect();
    assert_eq!(signatures.len(), 2, "{text}");
    let without = signatures.iter().map(|line| text.replace(&format!("{line}\n"), ""));
    let is_by_first = |text: &String| {
        let note = proof::Note::parse(text.as_bytes()).unwrap();
        note.verify(std::slice::from_ref(&keys[0])).is_ok()
    };
    let without = without.into_iter().find(|text| !is_by_first(text)).unwrap();
    let manifest = whole(MANIFEST);
    for (name, bytes, back) in [
        ("handovers/3", without.as_bytes(), &note),
        ("handovers/3", &later[..], &note),
        ("handovers/3.grown", &whole("handovers/8.grown")[..], &grown),
    ] {
        replace(&to, name, bytes);
        let problems = found(&to, &first);
        assert!(problems.len() == 1 && problems[0].contains("event #2 hands over to another key"), "{problems:?}");
        assert!(found(&to, &keys[1].to_vkey()).is_empty(), "the second key needs no first");
        std::fs::write(to.join(name), back).unwrap();
        std::fs::write(to.join(MANIFEST), &manifest).unwrap();
    }
    assert!(found(&to, &first).is_empty());
}

#[test]
fn a_handover_is_over_its_record_and_grew_to_this_bundle() {
    let home = Home::new();
    let (keys, log) = home.open().unwrap();
    grow(&log, 2).unwrap();
    log.close().unwrap();
    drop(log);
    let before = std::fs::read(home.log().join("checkpoint")).unwrap();
    drop(keys);
    let (keys, log) = home.open().unwrap();
    let first = log.keys().present().unwrap().to_vkey();
    begin(&keys, &log, DEFAULT_OVERLAP).unwrap();
    end(&keys, &log).unwrap();
    grow(&log, 2).unwrap();
    log.close().unwrap();
    drop((keys, log));
    let bundle = |name: &str| {
        let to = home.0.path().join(name);
        written(&home.log(), &to, &Selection::default(), Disclose::Nothing).unwrap();
        to
    };
    let one = bundle("one");
    assert!(found(&one, &first).is_empty());
    // What the first key signed before it had said which key is next says nothing of that one.
    let (note, grown) = ("handovers/3", "handovers/3.grown");
    let kept = [note, grown, MANIFEST].map(|name| std::fs::read(one.join(name)).unwrap());
    replace(&one, note, &before);
    let request = ask_to_cosign(&home.log(), 2).unwrap();
    replace(&one, grown, request.format().as_bytes());
    let problems = found(&one, &first);
    assert!(problems.len() == 1 && problems[0].contains("over 2 records, and not over that one"), "{problems:?}");
    for (name, bytes) in [note, grown, MANIFEST].into_iter().zip(kept) {
        std::fs::write(one.join(name), bytes).unwrap();
    }
    let (_, log) = home.open().unwrap();
    grow(&log, 2).unwrap();
    log.close().unwrap();
    drop(log);
    replace(&one, grown, &std::fs::read(bundle("other").join(grown)).unwrap());
    let problems = found(&one, &first);
    assert!(problems.len() == 1 && problems[0].contains("to another checkpoint than the bundle's"), "{problems:?}");
}

#[test]
fn what_was_asked_for_is_called_so() {
    let place = place();
    let to = place.log_dir.with_file_name("bundle");
    written(&place.log_dir, &to, &Selection::default(), Disclose::Nothing).unwrap();
    let index = std::fs::read_to_string(to.join("records.index")).unwrap();
    replace(&to, "records.index", index.replacen("selected", "supporting", 1).as_bytes());
    assert!(problems(&to)[0].contains("is among what was asked for"), "{:?}", problems(&to));
}

#[test]
fn a_witness_that_is_named_has_to_have_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    closed(&log, 300);
    let witness = |name: &str| Witness::open(&dir.path().join(name), &KeyName::parse(name).unwrap()).unwrap();
    let (one, other) = (witness("w"), witness("v"));
    let trusted = |witness: &Witness| CosignatureVerifier::from_vkey(&witness.vkey()).unwrap();
    let request = ask_to_cosign(&log, 0).unwrap();
    let log_key = crate::fixture::signer().verifier();
    let signature = one.cosign(&request, std::slice::from_ref(&log_key), 77).unwrap();
    keep_cosigned(&log, &trusted(&one), &request.note.with_signature(signature).unwrap()).unwrap();
    let (opened, _) = open(&log);
    append(&opened, (300..320).map(|number| record(number, 0)).collect()).unwrap();
    opened.close().unwrap();

    let to = dir.path().join("bundle");
    written(&log, &to, &Selection::default(), Disclose::Nothing).unwrap();
    let report = verify_bundle(&to, None, &[trusted(&one)]).unwrap();
    assert_eq!(report.problems, 0, "{:?}", report.named);
    assert_eq!(report.cosigned, [Cosignature { witness: "w".to_owned(), size: 300, time: 77 }]);
    let report = verify_bundle(&to, None, &[trusted(&one), trusted(&other)]).unwrap();
    assert_eq!((report.verdict(), report.named[0].what.as_str()), ("missing", "`v` has cosigned nothing in here"));

    let name = format!("witnesses/{}", trusted(&one).id());
    let note = std::fs::read_to_string(to.join(&name)).unwrap();
    let line = note.lines().find(|line| line.starts_with("\u{2014} w ")).unwrap();
    replace(&to, &name, note.replace(line, "\u{2014} w AAAAAAAAAAAAAAAA").as_bytes());
    assert_eq!(verify_bundle(&to, None, &[trusted(&one)]).unwrap().verdict(), "missing");
    replace(&to, &name, note.as_bytes());
    let grown = std::fs::read_to_string(to.join(format!("{name}.grown"))).unwrap();
    replace(&to, &format!("{name}.grown"), grown.replace("old 300", "old 299").as_bytes());
    assert!(problems(&to)[0].starts_with(&name), "{:?}", problems(&to));
}

#[test]
fn what_is_erased_or_removed_is_not_kept_whatever_is_disclosed() {
    let place = place();
    let keys = place.keys.data_keys(&place.log_dir);
    let to = |name: &str| place.log_dir.with_file_name(name);
    let states = |name: &str, disclose| {
        let manifest = written(&place.log_dir, &to(name), &Selection::default(), disclose).unwrap();
        [manifest.payloads.get("erased").copied(), manifest.payloads.get("pruned").copied()]
    };
    assert_eq!(states("some", Disclose::Nothing), states("all", Disclose::With(&keys)));
    let report = verify_bundle(&to("some"), None, &[]).unwrap();
    assert_eq!((report.problems, report.erasures.into_iter().collect::<Vec<_>>()), (0, vec![6]));
    for state in ["pruned", "erased"] {
        let lines = std::fs::read_to_string(to("some").join("payloads.jsonl")).unwrap();
        let line = lines.lines().find(|line| line.contains(state)).unwrap();
        let mut said: serde_json::Value = serde_json::from_str(line).unwrap();
        (said["state"], said["because"]) = ("kept".into(), serde_json::Value::Null);
        replace(&to("some"), "payloads.jsonl", lines.replace(line, &said.to_string()).as_bytes());
        let found = problems(&to("some"));
        assert!(found[0].contains("is said to be kept") && found[0].ends_with(state), "{found:?}");
        replace(&to("some"), "payloads.jsonl", lines.as_bytes());
    }
}

#[test]
fn nothing_but_what_it_says_can_be_said_in_a_manifest() {
    let place = place();
    let to = place.log_dir.with_file_name("bundle");
    let all = Selection { since_us: Some(0), ..Selection::default() };
    written(&place.log_dir, &to, &all, Disclose::Nothing).unwrap();
    let path = to.join(MANIFEST);
    let whole: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let changes = [
        ("/origin", serde_json::json!("other.example/log")),
        ("/size", serde_json::json!(5)),
        ("/selected", serde_json::json!(1)),
        ("/supporting", serde_json::json!(1)),
        ("/selection/agent", serde_json::json!("somebody")),
        ("/selection/since_us", serde_json::json!(i64::MAX)),
        ("/selection/until_us", serde_json::json!(1)),
        ("/payloads/pruned", serde_json::json!(9)),
    ];
    for (pointer, value) in changes {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&path, changed.to_string()).unwrap();
        let report = verify_bundle(&to, None, &[]).unwrap();
        assert_eq!(report.verdict(), "altered", "{pointer}");
        std::fs::write(&path, whole.to_string()).unwrap();
    }
    assert_eq!(verify_bundle(&to, None, &[]).unwrap().verdict(), "ok");
}

#[test]
fn what_is_not_there_is_missing_and_all_that_can_be_is_checked() {
    let place = place();
    let keys = place.keys.data_keys(&place.log_dir);
    let to = place.log_dir.with_file_name("bundle");
    written(&place.log_dir, &to, &Selection::default(), Disclose::With(&keys)).unwrap();
    let disclosed = std::fs::read_dir(to.join("payloads")).unwrap().next().unwrap().unwrap().file_name();
    let disclosed = format!("payloads/{}", disclosed.to_string_lossy());
    for name in
        ["VERIFY.md", "origin", "vkey", "checkpoint", "records.jsonl", "records.index", "payloads.jsonl", &disclosed]
    {
        let whole = std::fs::read(to.join(name)).unwrap();
        std::fs::remove_file(to.join(name)).unwrap();
        let report = verify_bundle(&to, None, &[]).unwrap();
        assert_eq!(report.verdict(), "missing", "{name}: {:?}", report.named);
        assert!(report.named.iter().any(|problem| problem.place == name), "{name}: {:?}", report.named);
        std::fs::write(to.join(name), whole).unwrap();
    }
    assert_eq!(verify_bundle(&to, None, &[]).unwrap().verdict(), "ok");
}

#[cfg(unix)]
#[test]
fn nothing_but_files_is_read() {
    let place = place();
    let to = place.log_dir.with_file_name("bundle");
    written(&place.log_dir, &to, &Selection::default(), Disclose::Nothing).unwrap();
    let (outside, whole) = (place.log_dir.with_file_name("outside"), std::fs::read(to.join("origin")).unwrap());
    std::fs::write(&outside, &whole).unwrap();
    std::fs::remove_file(to.join("origin")).unwrap();
    std::os::unix::fs::symlink(&outside, to.join("origin")).unwrap();
    assert_eq!(problems(&to), ["origin: it is no file"]);
    std::fs::remove_file(to.join("origin")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        to.join("origin"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert_eq!(problems(&to), ["origin: it is no file"]);
}

#[test]
fn a_log_that_cannot_be_read_to_its_checkpoint_gives_no_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let (log, to) = (dir.path().join("log"), dir.path().join("bundle"));
    closed(&log, 30);
    let path = log.join("seg/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[2 * (record(0, 0).len() + 24) + 40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let short = written(&log, &to, &Selection::default(), Disclose::Nothing);
    assert!(short.unwrap_err().to_string().contains("a checkpoint is over 30"));
    assert!(!to.exists());
}

#[test]
fn what_selects_nothing_leaves_nothing() {
    let place = place();
    let to = place.log_dir.with_file_name("bundle");
    let nobody = Selection { agent: Some("nobody".to_owned()), ..Selection::default() };
    assert!(matches!(written(&place.log_dir, &to, &nobody, Disclose::Nothing), Err(BundleError::Nothing)));
    assert!(!to.exists());
    // A directory that was there stays, empty.
    std::fs::create_dir(&to).unwrap();
    assert!(matches!(written(&place.log_dir, &to, &nobody, Disclose::Nothing), Err(BundleError::Nothing)));
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0);
    written(&place.log_dir, &to, &Selection::default(), Disclose::Nothing).unwrap();
}
