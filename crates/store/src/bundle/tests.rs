use super::*;
use crate::{
    payload::{self, Owner},
    verify::place::{DAY_US, NOON, Place},
};
use serde_json::json;
use std::path::{Path, PathBuf};
use vocab::event::Kind;

/// Five days with a payload each, of which the first is past its time and removed, the second erased.
pub(super) fn place() -> Place {
    let mut place = Place::new();
    for subject in ["none", "ada", "none", "none"] {
        place.keep(subject, "some text");
        place.now += DAY_US;
    }
    place.pruned(0, 2);
    place.remove(0);
    let keys = place.keys.data_keys(&place.log_dir);
    let ada = Owner { tenant: "default".to_owned(), subject: "ada".to_owned() };
    let living = keys.living(&ada, payload::Day::of(NOON).month());
    place.event(Kind::StoreShredded, json!({"keys": living}));
    living.iter().for_each(|key| keys.destroy(key).unwrap());
    place.log.close().unwrap();
    place
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

/// A whole bundle.
pub(super) fn written(
    log: &Path,
    to: &Path,
    selection: &Selection,
    disclose: Disclose<'_>,
) -> Result<Manifest, BundleError> {
    write_bundle(log, to, selection, disclose, None)?.finish()
}

pub(super) fn problems(dir: &Path) -> Vec<String> {
    match verify_bundle(dir, None, &[]) {
        Ok(report) => report.named.into_iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn a_bundle_says_what_became_of_every_payload_and_why() {
    let place = place();
    let keys = place.keys.data_keys(&place.log_dir);
    let to = place.log_dir.with_file_name("bundle");
    let manifest = written(&place.log_dir, &to, &Selection::default(), Disclose::With(&keys)).unwrap();
    assert_eq!((manifest.selected, manifest.supporting, manifest.is_contiguous), (7, 0, true));
    let states = [("disclosed", 2), ("erased", 1), ("pruned", 1)].map(|(state, count)| (state.to_owned(), count));
    assert_eq!(manifest.payloads, states.clone().into());
    let report = verify_bundle(&to, Some(&crate::fixture::vkey()), &[]).unwrap();
    assert_eq!((report.problems, report.proved, report.selected, report.is_contiguous), (0, 7, 7, true));
    assert_eq!(report.payloads, states.into());
    let day = payload::Day::of(NOON).to_string();
    assert_eq!(report.removals.into_iter().collect::<Vec<_>>(), [("trace_text".to_owned(), day, 2, 5)]);
    let again = written(&place.log_dir, &to, &Selection::default(), Disclose::Nothing);
    assert!(matches!(again, Err(BundleError::NotEmpty(_))));
}

#[test]
fn a_selection_brings_what_it_is_judged_by() {
    let place = place();
    let to = place.log_dir.with_file_name("bundle");
    let days = Selection { since_us: Some(NOON), until_us: Some(NOON + DAY_US), ..Selection::default() };
    let manifest = written(&place.log_dir, &to, &days, Disclose::Nothing).unwrap();
    assert_eq!((manifest.selected, manifest.supporting, manifest.is_contiguous), (2, 2, false));
    let report = verify_bundle(&to, None, &[]).unwrap();
    assert_eq!((report.problems, report.payloads.get("pruned")), (0, Some(&1)));
    let none = Selection { agent: Some("nobody".to_owned()), ..Selection::default() };
    let to = place.log_dir.with_file_name("other");
    assert!(matches!(written(&place.log_dir, &to, &none, Disclose::Nothing), Err(BundleError::Nothing)));
    let key = "other.example/log+00000000+AQ==";
    assert!(verify_bundle(&place.log_dir.with_file_name("bundle"), Some(key), &[]).is_err());
}

#[test]
fn one_changed_byte_in_any_file_is_named() {
    let place = place();
    let keys = place.keys.data_keys(&place.log_dir);
    let to = place.log_dir.with_file_name("bundle");
    written(&place.log_dir, &to, &Selection::default(), Disclose::With(&keys)).unwrap();
    assert_eq!(problems(&to), Vec::<String>::new());
    let all = files(&to);
    assert!(all.len() > 15, "{all:?}");
    for path in all {
        let name = path.strip_prefix(&to).unwrap().to_string_lossy().into_owned();
        let whole = std::fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            std::fs::write(&path, &altered).unwrap();
            let found = problems(&to);
            // A changed digest in the manifest names the file that it is the digest of.
            assert!(!found.is_empty(), "byte {at} of {name}");
            assert!(name == MANIFEST || found.iter().any(|found| found.contains(&name)), "{name}: {found:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(!problems(&to).is_empty(), "{name} is gone");
        std::fs::write(&path, &whole).unwrap();
    }
    std::fs::write(to.join("payloads/more"), "x").unwrap();
    assert_eq!(problems(&to), ["payloads/more: it is not in the manifest"]);
}

#[test]
fn what_a_forger_makes_consistent_is_found_by_the_proofs() {
    let place = place();
    let to = place.log_dir.with_file_name("bundle");
    written(&place.log_dir, &to, &Selection::default(), Disclose::Nothing).unwrap();
    // The third record says something else, and the manifest has its new digest.
    let records = std::fs::read_to_string(to.join("records.jsonl")).unwrap();
    let forged = records.replacen("\"default\"", "\"defaulT\"", 1);
    std::fs::write(to.join("records.jsonl"), &forged).unwrap();
    let manifest = std::fs::read_to_string(to.join(MANIFEST)).unwrap();
    let manifest = manifest.replace(&sha256(records.as_bytes()), &sha256(forged.as_bytes()));
    std::fs::write(to.join(MANIFEST), manifest).unwrap();
    let found = problems(&to);
    assert!(
        found[0].starts_with("records.jsonl line 1 (event #0): altered: it is not what `proofs/0.tlog-proof` proves"),
        "{found:?}"
    );

    // A payload that is there is said to be pruned.
    let to = place.log_dir.with_file_name("second");
    written(&place.log_dir, &to, &Selection::default(), Disclose::Nothing).unwrap();
    let lines = std::fs::read_to_string(to.join("payloads.jsonl")).unwrap();
    let forged = lines.replacen("\"kept\",\"because\":null", "\"pruned\",\"because\":5", 1);
    assert_ne!(lines, forged);
    std::fs::write(to.join("payloads.jsonl"), &forged).unwrap();
    let manifest = std::fs::read_to_string(to.join(MANIFEST)).unwrap();
    std::fs::write(to.join(MANIFEST), manifest.replace(&sha256(lines.as_bytes()), &sha256(forged.as_bytes()))).unwrap();
    let found = problems(&to);
    assert!(found[0].contains("is said to be pruned; no record bears that out"), "{found:?}");
}

#[test]
fn a_proof_under_another_checkpoint_is_none_of_this_bundle() {
    let place = place();
    let [first, second] = ["first", "second"].map(|name| place.log_dir.with_file_name(name));
    written(&place.log_dir, &first, &Selection::default(), Disclose::Nothing).unwrap();
    let (log, _) = crate::fixture::open(&place.log_dir);
    crate::fixture::append(&log, vec![crate::fixture::record(9, 0)]).unwrap();
    log.close().unwrap();
    written(&place.log_dir, &second, &Selection::default(), Disclose::Nothing).unwrap();
    let [old, new] = [&first, &second].map(|dir| std::fs::read(dir.join("proofs/0.tlog-proof")).unwrap());
    std::fs::write(first.join("proofs/0.tlog-proof"), &new).unwrap();
    let manifest = std::fs::read_to_string(first.join(MANIFEST)).unwrap().replace(&sha256(&old), &sha256(&new));
    std::fs::write(first.join(MANIFEST), manifest).unwrap();
    let found = problems(&first);
    assert_eq!(found[0], "records.jsonl line 1 (event #0): `proofs/0.tlog-proof` is under another checkpoint");
}

#[test]
fn a_bundle_that_was_written_survives_a_power_cut() {
    let place = place();
    let keys = place.keys.data_keys(&place.log_dir);
    let base = place.log_dir.with_file_name("base");
    std::fs::create_dir(&base).unwrap();
    crate::atomic::ending::power_after(&base, u64::MAX, 3);
    let to = base.join("bundle");
    written(&place.log_dir, &to, &Selection::default(), Disclose::With(&keys)).unwrap();
    crate::atomic::ending::power_goes(&base);
    assert_eq!(problems(&to), Vec::<String>::new());
}

#[test]
fn what_is_left_out_is_counted_and_named() {
    let place = place();
    let to = place.log_dir.with_file_name("bundle");
    let days = Selection { since_us: Some(NOON), until_us: Some(NOON + DAY_US), ..Selection::default() };
    written(&place.log_dir, &to, &days, Disclose::Nothing).unwrap();
    // Of seven: the start and the first payload are of that day, the removal and the erasure are what they are judged by.
    let report = verify_bundle(&to, None, &[]).unwrap();
    assert_eq!((report.size, report.proved, report.left_out, report.gaps), (7, 4, 3, vec![(2, 4)]));
    let read_me = std::fs::read_to_string(to.join("VERIFY.md")).unwrap();
    assert!(read_me.contains("Of the 7 records under the checkpoint, 3 are not in here"), "{read_me}");
    let index = std::fs::read_to_string(to.join("records.index")).unwrap();
    let mut lines: Vec<&str> = index.lines().collect();
    lines.swap(0, 1);
    std::fs::write(to.join("records.index"), lines.join("\n") + "\n").unwrap();
    assert!(problems(&to).contains(&"records.index line 2: it is not in order".to_owned()), "{:?}", problems(&to));
    let whole = place.log_dir.with_file_name("whole");
    written(&place.log_dir, &whole, &Selection::default(), Disclose::Nothing).unwrap();
    let report = verify_bundle(&whole, None, &[]).unwrap();
    assert_eq!((report.left_out, report.gaps.len()), (0, 0));
}

#[test]
fn a_draft_is_no_bundle_and_leaves_nothing_when_it_is_discarded() {
    let place = place();
    let to = place.log_dir.with_file_name("bundle");
    let draft = || write_bundle(&place.log_dir, &to, &Selection::default(), Disclose::Nothing, None).unwrap();
    let discarded = draft();
    assert!(!to.join(MANIFEST).exists() && verify_bundle(&to, None, &[]).is_err());
    discarded.discard().unwrap();
    assert!(!to.exists());
    // A directory that was given stays, as it was.
    std::fs::create_dir(&to).unwrap();
    draft().discard().unwrap();
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0);
    let draft = draft();
    let (bytes, digest) = (draft.bytes(), draft.sha256());
    draft.finish().unwrap();
    let text = std::fs::read(to.join(MANIFEST)).unwrap();
    assert_eq!((bytes, format!("sha256:{digest}")), (text.len() as u64, sha256(&text)));
}

/// Days of which the first is packed: everything is disclosed as before, and what is sealed anew with the right key and says
/// something else is altered, in a bundle as in the log.
#[test]
fn what_is_packed_is_disclosed_as_before_and_what_is_sealed_anew_is_altered() {
    let mut place = Place::new();
    let texts: Vec<String> = (0..40).map(|number| format!("text {number} ").repeat(300)).collect();
    texts.iter().for_each(|text| place.keep("none", text));
    place.now += DAY_US;
    place.event(Kind::GatewayStopped, json!({}));
    place.log.close().unwrap();
    let keys = place.keys.data_keys(&place.log_dir);
    let bundle = |name: &str| {
        let to = place.log_dir.with_file_name(name);
        let manifest = written(&place.log_dir, &to, &Selection::default(), Disclose::With(&keys)).unwrap();
        (to, manifest)
    };
    let (before, _) = bundle("before");
    payload::tests::pack(&place.log_dir, &place.keys, place.now);
    let unit = payload::units(&place.log_dir).unwrap()[0];
    assert_eq!((unit.packed, payload::count(&place.log_dir, unit).unwrap()), (unit.bytes, 40));
    let (after, manifest) = bundle("after");
    assert_eq!(manifest.payloads, [("disclosed".to_owned(), 40)].into());
    assert_eq!(verify_bundle(&after, None, &[]).unwrap().problems, 0);
    for file in files(&before.join("payloads")) {
        let name = file.strip_prefix(&before).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(after.join(name)).unwrap(), "{name:?}");
    }

    // The first two texts, which are equally long, change places.
    payload::tests::swap_first_two(&place.log_dir, &keys, unit);
    let report = crate::verify_payloads(&place.log_dir, Some(&keys)).unwrap();
    assert_eq!((report.opened, report.altered, report.missing), (38, 2, 0));
    let named: Vec<_> = report.named.iter().map(|bad| (bad.index, bad.name.as_str(), bad.is_altered)).collect();
    assert_eq!(named, [(1, "result", true), (2, "result", true)]);
    assert!(report.damage.is_empty(), "every frame is one");
    let (forged, manifest) = bundle("forged");
    assert_eq!(manifest.payloads["altered"], 2);
    assert!(problems(&forged)[0].ends_with("`result` of event #1 is altered"), "{:?}", problems(&forged));
}
