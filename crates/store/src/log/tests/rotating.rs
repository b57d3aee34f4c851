//! Rotating the signing key: what is signed by whom, and that no end of the process on the way does harm.

use crate::{
    DEFAULT_OVERLAP, Keys, Log, OpenError, Overlap, Place, RotateError, Verdict,
    atomic::ending,
    begin_rotation, end_rotation, export,
    fixture::{ORIGIN, append, copy, event, options, record, runtime},
    log::layout::Layout,
    prove, verify,
};
use proof::{KeyHistory, Note, TlogProof, Verifier};
use std::path::{Path, PathBuf};
use vocab::event::Kind;

/// A project's directory: its keys, its log.
pub(crate) struct Home(pub(crate) tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn keys(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    pub(crate) fn open(&self) -> Result<(Keys, Log), String> {
        let keys = Keys::open(&self.keys(), ORIGIN).map_err(|error| error.to_string())?;
        let signers = keys.signers().map_err(|error| error.to_string())?;
        let (log, _) =
            Log::open(&self.log(), &options(), signers, &mut |_, _| {}).map_err(|error| error.to_string())?;
        keys.files().settle(&log.keys(), log.rotation().is_some()).map_err(|error| error.to_string())?;
        Ok((keys, log))
    }

    fn verdict(&self, key: Option<&Verifier>) -> Verdict {
        verify(&self.log(), key.map(Verifier::to_vkey).as_deref()).unwrap().verdict
    }

    fn history(&self) -> KeyHistory {
        KeyHistory::parse(&std::fs::read_to_string(self.log().join("keys")).unwrap()).unwrap()
    }

    fn note(&self, path: &str) -> Note {
        Note::parse(&std::fs::read(self.log().join(path)).unwrap()).unwrap()
    }

    fn key_files(&self) -> Vec<String> {
        // The process may have ended before there was a directory.
        let names = std::fs::read_dir(self.keys()).into_iter().flatten().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("log-signing"));
        names.sort();
        names
    }
}

pub(crate) fn begin(keys: &Keys, log: &Log, overlap: Overlap) -> Result<u64, String> {
    let next = keys.files().draw_next().map_err(|error| error.to_string())?;
    let mut begun = event(Kind::KeyRotated, log.size());
    let old = log.keys().present().unwrap().clone();
    begin_rotation(&mut begun, &old, &next.verifier(), overlap);
    runtime().block_on(log.rotate(next, begun.to_bytes().unwrap())).map_err(|error| error.to_string())
}

pub(crate) fn end(keys: &Keys, log: &Log) -> Result<u64, String> {
    let mut ended = event(Kind::KeyRotated, log.size());
    end_rotation(&mut ended, &log.rotation().unwrap().old);
    let index = runtime().block_on(log.end_rotation(ended.to_bytes().unwrap())).map_err(|error| error.to_string())?;
    keys.files().settle(&log.keys(), false).map_err(|error| error.to_string())?;
    Ok(index)
}

pub(crate) fn grow(log: &Log, by: u64) -> Result<(), String> {
    let next = log.size();
    let records = (next..next + by).map(|number| record(number, 0)).collect();
    append(log, records).map(|_| ()).map_err(|error| error.to_string())
}

fn signed(note: &Note, key: &Verifier) -> bool {
    note.verify(std::slice::from_ref(key)).is_ok()
}

#[test]
fn both_keys_sign_during_the_overlap_and_then_the_new_one_alone() {
    let home = Home::new();
    let (keys, log) = home.open().unwrap();
    let old = log.keys().present().unwrap().clone();
    grow(&log, 2).unwrap();
    assert!(!home.log().join("keys").exists());
    assert_eq!(begin(&keys, &log, DEFAULT_OVERLAP), Ok(2));
    let new = log.keys().present().unwrap().clone();
    assert_ne!(old, new);
    assert_eq!(home.key_files(), ["log-signing", "log-signing.next"]);
    // The checkpoint over the record that says it is by both, and kept.
    for path in ["checkpoint", "checkpoints/3"] {
        assert!(signed(&home.note(path), &old) && signed(&home.note(path), &new), "{path}");
    }
    grow(&log, 3).unwrap();
    log.close().unwrap();
    drop(log);
    assert!(signed(&home.note("checkpoint"), &old) && signed(&home.note("checkpoint"), &new));
    for key in [None, Some(&old), Some(&new)] {
        assert_eq!(home.verdict(key), Verdict::Ok);
    }

    // A restart goes on with both, and ends it.
    let (keys, log) = home.open().unwrap();
    assert_eq!(home.key_files(), ["log-signing", "log-signing.next"]);
    let old_text = std::fs::read(home.keys().join("log-signing")).unwrap();
    assert_eq!(end(&keys, &log), Ok(6));
    assert_eq!(home.key_files(), ["log-signing"]);
    assert_ne!(std::fs::read(home.keys().join("log-signing")).unwrap(), old_text);
    grow(&log, 300).unwrap();
    log.close().unwrap();
    drop(log);
    assert!(!signed(&home.note("checkpoint"), &old) && signed(&home.note("checkpoint"), &new));
    let spans = home.history().spans().to_vec();
    assert_eq!((spans[0].from, spans[0].until, spans[1].from, spans[1].until), (0, Some(6), 3, None));
    for key in [None, Some(&old), Some(&new)] {
        assert_eq!(home.verdict(key), Verdict::Ok);
    }

    // Proofs and exports are under the key that signs now.
    let proof = TlogProof::parse(prove(&home.log(), 0).unwrap().as_bytes()).unwrap();
    assert!(proof.verify(&record(0, 0), &new).is_ok() && proof.verify(&record(0, 0), &old).is_err());
    let to = home.0.path().join("export");
    assert_eq!(export(&home.log(), &to).unwrap(), 307);
    assert_eq!(std::fs::read(to.join("keys")).unwrap(), std::fs::read(home.log().join("keys")).unwrap());
    let (_, log) = home.open().unwrap();
    assert_eq!(log.keys(), home.history());
}

#[test]
fn the_list_of_keys_only_repeats_what_records_say() {
    let home = Home::new();
    let (keys, log) = home.open().unwrap();
    grow(&log, 2).unwrap();
    begin(&keys, &log, DEFAULT_OVERLAP).unwrap();
    end(&keys, &log).unwrap();
    grow(&log, 1).unwrap();
    drop(log);
    let file = home.log().join("keys");
    let good = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let report = verify(&home.log(), None).unwrap();
    assert_eq!((report.verdict, report.derived_missing), (Verdict::Ok, 1));
    assert!(prove(&home.log(), 1).is_ok());
    let proof = prove(&home.log(), 4);
    assert!(proof.is_ok(), "{proof:?}");
    drop(home.open().unwrap());
    assert_eq!(std::fs::read(&file).unwrap(), good);
    std::fs::write(&file, "noise").unwrap();
    let found = home.verdict(None);
    assert!(
        matches!(&found, Verdict::Altered { place: Place::File(file), .. } if file == Path::new("keys")),
        "{found:?}"
    );
    drop(home.open().unwrap());
    assert_eq!(std::fs::read(&file).unwrap(), good);
    // As a crash leaves it: behind the records.
    let first = KeyHistory::new(home.history().spans()[0].key.clone());
    std::fs::write(&file, first.format()).unwrap();
    assert_eq!(home.verdict(None), Verdict::Ok);
    drop(home.open().unwrap());
    assert_eq!(std::fs::read(&file).unwrap(), good);
}

#[test]
fn an_old_copy_of_the_log_beside_a_newer_list_of_keys_is_not_opened() {
    let home = Home::new();
    let (keys, log) = home.open().unwrap();
    grow(&log, 2).unwrap();
    log.close().unwrap();
    let past = home.0.path().join("past");
    copy(&home.log(), &past);
    drop(log);
    let (_, log) = home.open().unwrap();
    begin(&keys, &log, DEFAULT_OVERLAP).unwrap();
    drop(log);
    std::fs::copy(home.log().join("keys"), past.join("keys")).unwrap();
    let found = verify(&past, None).unwrap().verdict;
    assert!(
        matches!(&found, Verdict::Missing { place: Place::File(file), .. } if file == Path::new("keys")),
        "{found:?}"
    );
    let keys = Keys::open(&home.keys(), ORIGIN).unwrap();
    let error = Log::open(&past, &options(), keys.signers().unwrap(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, OpenError::KeyUnnamed { .. }), "{error}");
}

#[test]
fn one_rotation_at_a_time_and_only_of_the_key_that_signs() {
    let home = Home::new();
    let (keys, log) = home.open().unwrap();
    begin(&keys, &log, Overlap { entries: 10, seconds: 60 }).unwrap();
    let refused = begin(&keys, &log, DEFAULT_OVERLAP).unwrap_err();
    assert!(refused.contains("the rotation before it is not over"), "{refused}");
    let ordinary = runtime().block_on(log.end_rotation(record(9, 0)));
    assert!(matches!(ordinary, Err(RotateError::Unfit(_))), "{ordinary:?}");
    assert!(log.rotation().unwrap().is_over(11, 0));
    end(&keys, &log).unwrap();
    assert!(begin(&keys, &log, DEFAULT_OVERLAP).is_ok());
    end(&keys, &log).unwrap();
    drop(log);
    assert_eq!((home.verdict(None), home.history().spans().len()), (Verdict::Ok, 3));
}

#[test]
fn an_overlap_of_nothing_still_hands_over_by_both_keys() {
    let home = Home::new();
    let (keys, log) = home.open().unwrap();
    let old = log.keys().present().unwrap().clone();
    begin(&keys, &log, Overlap { entries: 0, seconds: 0 }).unwrap();
    assert!(signed(&home.note("checkpoints/1"), &old));
    grow(&log, 1).unwrap();
    log.close().unwrap();
    drop(log);
    assert!(!signed(&home.note("checkpoint"), &old));
    assert_eq!(home.verdict(Some(&old)), Verdict::Ok);
}

/// What a gateway does in its life: starts, rotates, ends the rotation, ends.
fn life(home: &Home) -> Result<(), String> {
    let (keys, log) = home.open()?;
    grow(&log, 2)?;
    begin(&keys, &log, DEFAULT_OVERLAP)?;
    grow(&log, 2)?;
    end(&keys, &log)?;
    grow(&log, 1)?;
    log.close().map_err(|error| error.to_string())
}

#[test]
fn a_process_that_ends_at_any_step_of_a_rotation_leaves_a_log_that_opens_and_verifies() {
    let (mut ends, mut under_way, mut unused) = (0, 0, 0);
    for changes in 0.. {
        let home = Home::new();
        ending::after(home.0.path(), changes);
        let lived = life(&home);
        let ended = ending::over(home.0.path());
        assert_eq!(lived.is_err(), ended, "{changes}: {lived:?}");
        if home.log().join("checkpoint").exists() {
            // At rest as it was left, with what it began with as the only trust.
            let found = home.verdict(None);
            assert_eq!(found, Verdict::Ok, "after {changes} changes");
        }
        unused +=
            u64::from(home.key_files().contains(&"log-signing.next".to_owned()) && !home.log().join("keys").exists());
        // The next process, which gets further.
        let (keys, log) = home.open().unwrap_or_else(|error| panic!("after {changes} changes: {error}"));
        if log.rotation().is_some() {
            under_way += 1;
            assert_eq!(home.key_files(), ["log-signing", "log-signing.next"]);
            end(&keys, &log).unwrap();
        }
        assert_eq!(home.key_files(), ["log-signing"], "after {changes} changes");
        begin(&keys, &log, DEFAULT_OVERLAP).unwrap();
        end(&keys, &log).unwrap();
        grow(&log, 1).unwrap();
        log.close().unwrap();
        let present = log.keys().present().unwrap().clone();
        drop(log);
        let first = Verifier::from_vkey(std::fs::read_to_string(home.log().join("vkey")).unwrap().trim()).unwrap();
        for key in [None, Some(&first), Some(&present)] {
            let found = home.verdict(key);
            assert_eq!(found, Verdict::Ok, "after {changes} changes");
        }
        assert_eq!(home.key_files(), ["log-signing"], "after {changes} changes");
        let signer = Keys::open(&home.keys(), ORIGIN).unwrap().signer().unwrap();
        assert_eq!(signer.verifier(), present, "after {changes} changes");
        if !ended {
            break;
        }
        ends += 1;
    }
    assert!(ends > 80 && under_way > 10 && unused > 0, "{ends} ends, {under_way} under way, {unused} never used");
}

#[test]
fn a_record_that_was_durable_and_had_no_checkpoint_is_signed_by_both_at_the_next_start() {
    let home = Home::new();
    let (keys, log) = home.open().unwrap();
    grow(&log, 2).unwrap();
    let (old, next) = (log.keys().present().unwrap().clone(), keys.files().draw_next().unwrap());
    let mut begun = event(Kind::KeyRotated, 2);
    begin_rotation(&mut begun, &old, &next.verifier(), DEFAULT_OVERLAP);
    // The records are written, all of one commit; then the publisher ends before it has done anything with the first.
    ending::after(home.0.path(), 1);
    let _ = append(&log, vec![begun.to_bytes().unwrap(), record(3, 0), record(4, 0)]);
    drop(log);
    assert!(ending::over(home.0.path()));
    assert!(!Layout::new(&home.log()).keys().exists());
    assert_eq!(home.verdict(None), Verdict::Ok);
    let (_, log) = home.open().unwrap();
    assert_eq!((log.rotation().map(|rotation| rotation.index), log.keys().spans().len()), (Some(2), 2));
    let handover = home.note("checkpoints/3");
    assert!(signed(&handover, &old) && signed(&handover, &next.verifier()));
    drop(log);
    assert_eq!(home.verdict(Some(&next.verifier())), Verdict::Ok);
}
