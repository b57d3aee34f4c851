use super::*;
use crate::{
    Log,
    fixture::{ORIGIN, append, closed, copy, event, open, options, record, records, signer, vkey},
    prove,
};
use proof::{Checkpoint, TlogProof, Verifier};
use std::path::Path;
use vocab::event::Kind;

fn verdict(dir: &Path) -> Verdict {
    verify(dir, Some(&vkey())).unwrap().verdict
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn no_flipped_bit_is_ok() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 4);
    assert_eq!(verdict(dir.path()), Verdict::Ok);
    let used: usize = records(4).iter().map(|record| record.len() + 24).sum();
    let mut seen = 0;
    for path in files(dir.path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "lock" || name == "spare" {
            continue;
        }
        let whole = std::fs::read(&path).unwrap();
        let length = if name.ends_with(".log") { used } else { whole.len() };
        for at in 0..length {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, &bytes).unwrap();
            assert_ne!(verdict(dir.path()), Verdict::Ok, "byte {at} of {}", path.display());
            seen += 1;
        }
        std::fs::write(&path, &whole).unwrap();
    }
    assert!(seen > 1_000, "{seen}");
    assert_eq!(verdict(dir.path()), Verdict::Ok);
}

#[test]
fn noise_behind_the_end_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 3);
    let path = dir.path().join("seg/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    let used: usize = records(3).iter().map(|record| record.len() + 24).sum();
    bytes[used + 9] = 1;
    std::fs::write(&path, bytes).unwrap();
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.verdict, report.unfinished_bytes), (Verdict::Ok, 10));
}

#[test]
fn missing_is_told_from_altered() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 3);
    let path = dir.path().join("seg/00000000000000000000.log");
    let whole = std::fs::read(&path).unwrap();
    let frame = record(0, 0).len() + 24;
    let place = |index| Place::Record(index);
    for size in 0..3 {
        std::fs::write(&path, &whole[..size * frame]).unwrap();
        assert!(matches!(verdict(dir.path()), Verdict::Missing { place: at, .. } if at == place(size as u64)));
    }
    // One record taken out of the middle.
    std::fs::write(&path, [&whole[..frame], &whole[2 * frame..]].concat()).unwrap();
    assert!(matches!(verdict(dir.path()), Verdict::Altered { place: at, .. } if at == place(1)));
    // A log begun anew: well-formed, and not the one that was sealed.
    let other = tempfile::tempdir().unwrap();
    let (log, _) = open(other.path());
    append(&log, (5..8).map(|number| record(number, 0)).collect()).unwrap();
    log.close().unwrap();
    std::fs::copy(other.path().join("seg/00000000000000000000.log"), &path).unwrap();
    assert!(matches!(verdict(dir.path()), Verdict::Altered { place: Place::File(_), .. }));
}

#[test]
fn a_record_that_is_no_event_is_altered() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let mut newer = event(Kind::GatewayStopped, 1);
    newer.v = 2;
    append(&log, vec![record(0, 0), newer.to_bytes().unwrap()]).unwrap();
    drop(log);
    let Verdict::Altered { place, what } = verdict(dir.path()) else { panic!() };
    assert_eq!((place, what.as_str()), (Place::Record(1), "it is of unknown version 2"));
}

#[test]
fn foreign_keys_files_and_tiles_are_found() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 300);
    let other = proof::Signer::from_seed(signer().name().clone(), &[9; 32]).verifier().to_vkey();
    let report = verify(dir.path(), Some(&other)).unwrap();
    assert!(matches!(report.verdict, Verdict::Altered { place: Place::File(file), .. } if file == Path::new("vkey")));
    assert!(matches!(verify(dir.path(), Some("x")), Err(VerifyError::Key(_))));
    assert!(matches!(verify(&dir.path().join("seg"), None), Err(VerifyError::NoLog(_))));

    for (path, good) in
        [("tile/0/000", false), ("tile/0/001.p/45", false), ("tile/0/001.p/x", false), ("tile/1/000.p/1", false)]
    {
        let path = dir.path().join(path);
        let before = std::fs::read(&path).ok();
        std::fs::write(&path, [0; 45 * 32]).unwrap();
        assert_eq!(verdict(dir.path()) == Verdict::Ok, good, "{}", path.display());
        match before {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
    }
    assert_eq!(verdict(dir.path()), Verdict::Ok);
    std::fs::remove_dir_all(dir.path().join("tile")).unwrap();
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.verdict, report.derived_missing), (Verdict::Ok, 1));
    std::fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert!(matches!(verdict(dir.path()), Verdict::Missing { .. }));
}

#[test]
fn bundles_that_somebody_had_written_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 300);
    let entries = dir.path().join("tile/entries");
    std::fs::create_dir_all(entries.join("001.p")).unwrap();
    for (path, range) in [("000", 0..256), ("001.p/44", 256..300)] {
        let good = proof::encode_bundle(&records(300)[range]).unwrap();
        let path = entries.join(path);
        std::fs::write(&path, &good).unwrap();
        assert_eq!(verdict(dir.path()), Verdict::Ok);
        std::fs::write(&path, &good[1..]).unwrap();
        assert!(matches!(verdict(dir.path()), Verdict::Altered { .. }), "{}", path.display());
        std::fs::write(&path, &good).unwrap();
    }
    std::fs::write(entries.join("001"), b"").unwrap();
    assert!(matches!(verdict(dir.path()), Verdict::Altered { .. }));
}

#[test]
fn a_log_at_work_verifies_with_what_is_not_sealed_yet() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 2);
    let (log, _) = open(dir.path());
    append(&log, (2..7).map(|number| record(number, 0)).collect()).unwrap();
    let report = verify(dir.path(), Some(&vkey())).unwrap();
    assert_eq!(report.verdict, Verdict::Ok);
    assert_eq!((report.events, report.sealed, report.unsealed, report.checkpoints), (7, 2, 5, 2));
    assert_eq!(report.epochs, 2);
    let killed = tempfile::tempdir().unwrap();
    copy(dir.path(), killed.path());
    assert_eq!(verdict(killed.path()), Verdict::Ok);
}

#[test]
fn a_log_verifies_while_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options();
    options.checkpoint_entries = 1;
    let (log, _) = Log::open(dir.path(), &options, signer(), &mut |_, _| {}).unwrap();
    let writer = std::thread::spawn(move || {
        for number in 0..600 {
            append(&log, vec![record(number, 1_000)]).unwrap();
        }
    });
    let mut passes = 0;
    while !writer.is_finished() {
        let report = verify(dir.path(), Some(&vkey())).unwrap();
        assert_eq!(report.verdict, Verdict::Ok, "{report:?}");
        passes += 1;
    }
    writer.join().unwrap();
    assert_eq!(verify(dir.path(), None).unwrap().events, 600);
    assert!(passes > 0);
}

#[test]
fn a_checkpoint_anywhere_in_a_bundle_is_over_the_records_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = [1, 2, 255, 256, 257, 300, 512, 560];
    let mut size = 0;
    for next in sizes {
        let (log, _) = open(dir.path());
        append(&log, (size..next).map(|number| record(number, 0)).collect()).unwrap();
        log.close().unwrap();
        size = next;
    }
    let report = verify(dir.path(), Some(&vkey())).unwrap();
    assert_eq!(report.verdict, Verdict::Ok);
    // The archived ones, and the newest once more.
    assert_eq!((report.events, report.checkpoints), (560, 9));
    for size in sizes {
        let path = crate::log::layout::Layout::new(dir.path()).archived(size);
        let good = std::fs::read(&path).unwrap();
        let forged = Checkpoint::new(ORIGIN, size, proof::leaf_hash(b"another")).unwrap().sign(&[&signer()]).unwrap();
        std::fs::write(&path, forged.format()).unwrap();
        let found = verdict(dir.path());
        assert!(matches!(&found, Verdict::Altered { place: Place::File(_), .. }), "{size}: {found:?}");
        std::fs::write(&path, good).unwrap();
    }
    assert_eq!(verdict(dir.path()), Verdict::Ok);
}

#[test]
fn clocks_set_back_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let at = |t: i64| {
        let mut event = event(Kind::GatewayStarted, 0);
        event.t = t;
        event.to_bytes().unwrap()
    };
    let edge = MAX_STEP_BACK;
    append(&log, vec![at(edge * 2), at(edge), at(edge - 1), at(edge * 3)]).unwrap();
    drop(log);
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.verdict, report.steps_back), (Verdict::Ok, 1));
}

#[test]
fn proofs_are_accepted_with_and_without_tiles() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    append(&log, records(300)).unwrap();
    log.close().unwrap();
    let key = Verifier::from_vkey(&vkey()).unwrap();
    let check = |index: u64| {
        let proof = TlogProof::parse(prove(dir.path(), index).unwrap().as_bytes()).unwrap();
        assert_eq!(proof.verify(&record(index, 0), &key).unwrap().size(), 300);
        assert!(proof.verify(&record(index + 1, 0), &key).is_err());
    };
    for index in [0, 255, 256, 299] {
        check(index);
    }
    std::fs::write(dir.path().join("tile/0/000"), [0; 8192]).unwrap();
    check(1);
    std::fs::remove_dir_all(dir.path().join("tile")).unwrap();
    check(256);
    let error = prove(dir.path(), 300).unwrap_err();
    assert!(matches!(error, crate::ProveError::NotSealed { index: 300, sealed: 300 }), "{error}");

    let mut options = options();
    options.checkpoint_entries = 1;
    let (log, _) = Log::open(dir.path(), &options, signer(), &mut |_, _| {}).unwrap();
    append(&log, vec![record(300, 0)]).unwrap();
    while log.sealed() < 301 {
        std::thread::yield_now();
    }
    assert!(prove(dir.path(), 300).is_ok());
}

#[test]
fn what_the_tree_finds_comes_before_what_is_wrong_further_on() {
    let at = |index: u64| records(index).iter().map(|record| record.len() + 24).sum::<usize>() + 40;
    for (broken, place, events) in [
        (Some(700), crate::Place::File("tile/0/000".into()), 255),
        (None, crate::Place::File("tile/0/000".into()), 255),
        (Some(100), crate::Place::Record(100), 100),
    ] {
        let dir = tempfile::tempdir().unwrap();
        closed(dir.path(), 900);
        flip(&dir.path().join("tile/0/000"), 9);
        if let Some(index) = broken {
            flip(&dir.path().join("seg/00000000000000000000.log"), at(index));
        }
        let report = verify(dir.path(), None).unwrap();
        assert!(
            matches!(&report.verdict, Verdict::Altered { place: found, .. } if *found == place),
            "{broken:?}: {report:?}"
        );
        assert_eq!(report.events, events, "{broken:?}");
    }
}

fn flip(path: &std::path::Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}
