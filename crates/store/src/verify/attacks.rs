//! Attacks on a log by somebody who can write its files, each with what finds it. Named after what was found in other sealed
//! logs, journald's among them (CVE-2023-31437, -31438, -31439), and after what a rotation adds.
//! docs/threat-model.md has them in a table.

use super::*;
use crate::{
    Log, Overlap, begin_rotation, end_rotation,
    fixture::{ORIGIN, append, closed, copy, event, open, options, record, runtime, signer},
    log::{frame::Frame, layout::Layout},
};
use proof::{Checkpoint, Hash, Signer, leaf_hashes};
use std::path::Path;
use vocab::{Event, event::Kind};

/// Sizes at which the rotation of [`rotated`] begins, and ends.
const BEGUN: u64 = 4;
const ENDED: u64 = 7;

fn other(seed: u8) -> Signer {
    Signer::from_seed(signer().name().clone(), &[seed; 32])
}

fn begin(old: &Signer, new: &Signer, number: u64) -> Vec<u8> {
    let mut begun = event(Kind::KeyRotated, number);
    begin_rotation(&mut begun, &old.verifier(), &new.verifier(), Overlap { entries: 1_000, seconds: 1_000 });
    begun.to_bytes().unwrap()
}

fn end(old: &Signer, number: u64) -> Vec<u8> {
    let mut ended = event(Kind::KeyRotated, number);
    end_rotation(&mut ended, &old.verifier());
    ended.to_bytes().unwrap()
}

/// A log of ten records whose key was rotated: 3 under the old one, the one that begins it, 2 under both, the one that ends
/// it, 3 under the new one.
fn rotated(dir: &Path) {
    let grow = |log: &Log, numbers: std::ops::Range<u64>| {
        append(log, numbers.map(|number| record(number, 0)).collect()).unwrap();
    };
    // Closed and opened on the way, so that there are kept checkpoints of each time.
    let (log, _) = open(dir);
    grow(&log, 0..3);
    drop(log);
    let (log, _) = open(dir);
    runtime().block_on(log.rotate(other(8), begin(&signer(), &other(8), 3))).unwrap();
    grow(&log, 4..6);
    drop(log);
    let both = vec![signer(), other(8)];
    let (log, _) = Log::open(dir, &options(), both, &mut |_, _| {}).unwrap();
    runtime().block_on(log.end_rotation(end(&signer(), 6))).unwrap();
    grow(&log, 7..10);
    drop(log);
    assert_eq!(verdict(dir, &other(8)), Verdict::Ok);
    assert_eq!(verdict(dir, &signer()), Verdict::Ok);
}

fn verdict(dir: &Path, pinned: &Signer) -> Verdict {
    verify(dir, Some(&pinned.verifier().to_vkey())).unwrap().verdict
}

fn bytes_of(dir: &Path) -> Vec<Vec<u8>> {
    let reader = crate::LogReader::open(dir).unwrap();
    reader.iter_from(0).map(|record| record.unwrap().bytes).collect()
}

fn root(records: &[Vec<u8>]) -> Hash {
    let mut builder = proof::TileBuilder::new();
    builder.append(&leaf_hashes(records)).unwrap();
    builder.root()
}

/// Signs a checkpoint over the first `size` records that are there now.
fn sign(dir: &Path, size: u64, signers: &[&Signer], file: &str) {
    let records = bytes_of(dir);
    let root = root(&records[..usize::try_from(size).unwrap()]);
    let note = Checkpoint::new(ORIGIN, size, root).unwrap().sign(signers).unwrap();
    std::fs::write(dir.join(file), note.format()).unwrap();
}

/// Writes these records in place of those that are there, each a commit of the epoch given, and no tiles.
fn rewrite(dir: &Path, records: &[(u32, Vec<u8>)]) {
    let mut frames = Vec::new();
    for (index, (epoch, bytes)) in (0..).zip(records) {
        Frame { place: 0, index, epoch: *epoch, bytes }.encode(&mut frames);
    }
    std::fs::write(segment(dir), frames).unwrap();
    let _ = std::fs::remove_dir_all(dir.join("tile"));
}

fn segment(dir: &Path) -> std::path::PathBuf {
    Layout::new(dir).segment(0)
}

fn kept(dir: &Path) -> Vec<u64> {
    Layout::new(dir).archived_sizes().unwrap()
}

fn altered(found: &Verdict, place: &str, what: &str) {
    match found {
        Verdict::Altered { place: at, what: said } if at.to_string().contains(place) && said.contains(what) => {}
        other => panic!("not `{place}` altered with `{what}`: {other:?}"),
    }
}

fn missing(found: &Verdict, place: &str, what: &str) {
    match found {
        Verdict::Missing { place: at, what: said } if at.to_string().contains(place) && said.contains(what) => {}
        other => panic!("not `{place}` missing with `{what}`: {other:?}"),
    }
}

/// CVE-2023-31439. The new key was stolen; the past is rewritten and sealed again with it.
#[test]
fn old_entries_re_signed_with_a_newer_key() {
    let dir = tempfile::tempdir().unwrap();
    rotated(dir.path());
    let mut records: Vec<(u32, Vec<u8>)> = bytes_of(dir.path()).into_iter().map(|bytes| (1, bytes)).collect();
    records[1].1 = record(77, 0);
    rewrite(dir.path(), &records);
    let (old, new) = (signer(), other(8));
    // Every checkpoint anew, with what the attacker has.
    let sizes = kept(dir.path());
    for size in &sizes {
        sign(dir.path(), *size, &[&new], &format!("checkpoints/{size}"));
    }
    sign(dir.path(), 10, &[&new], "checkpoint");
    for key in [&old, &new] {
        altered(&verdict(dir.path(), key), "`checkpoints/3`", "and may sign 4 to any");
    }
    // Those of the old key taken away: the handover is not by both.
    for size in sizes.iter().filter(|size| **size < BEGUN) {
        std::fs::remove_file(Layout::new(dir.path()).archived(*size)).unwrap();
    }
    for key in [&old, &new] {
        missing(&verdict(dir.path(), key), "`checkpoints/4`", "both have to sign");
    }
    // The handover left as it was: it is over other records.
    let whole = tempfile::tempdir().unwrap();
    rotated(whole.path());
    std::fs::copy(whole.path().join("checkpoints/4"), dir.path().join("checkpoints/4")).unwrap();
    altered(&verdict(dir.path(), &new), "`checkpoints/4`", "not those it is over");
}

/// The old key was stolen, or not destroyed: it signs what comes after its time.
#[test]
fn an_old_key_that_signs_on_after_its_interval() {
    let dir = tempfile::tempdir().unwrap();
    rotated(dir.path());
    let (old, new) = (signer(), other(8));
    sign(dir.path(), 10, &[&old], "checkpoint");
    altered(
        &verdict(dir.path(), &new),
        "`checkpoint`",
        &format!("signed it over 10 records, and may sign 0 to {}", ENDED - 1),
    );
    sign(dir.path(), 10, &[&old, &new], "checkpoint");
    altered(&verdict(dir.path(), &old), "`checkpoint`", "and may sign 0 to 6");
    // In the overlap, the old key alone is not enough.
    sign(dir.path(), 6, &[&old], "checkpoints/6");
    sign(dir.path(), 10, &[&new], "checkpoint");
    altered(&verdict(dir.path(), &old), "`checkpoints/6`", "has to sign checkpoints over 6 records");
}

#[test]
fn a_new_key_that_signs_before_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    rotated(dir.path());
    sign(dir.path(), 3, &[&signer(), &other(8)], "checkpoints/3");
    altered(&verdict(dir.path(), &signer()), "`checkpoints/3`", "signed it over 3 records, and may sign 4 to any");
}

/// A record that hands the log over, without the key that would have to.
#[test]
fn a_rotation_that_the_old_key_did_not_seal() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 3);
    let thief = other(9);
    let mut records: Vec<(u32, Vec<u8>)> = bytes_of(dir.path()).into_iter().map(|bytes| (1, bytes)).collect();
    records.push((1, begin(&signer(), &thief, 3)));
    records.push((1, record(4, 0)));
    rewrite(dir.path(), &records);
    sign(dir.path(), 5, &[&thief], "checkpoint");
    missing(&verdict(dir.path(), &signer()), "`checkpoints/4`", "hands over from key");
    missing(&verdict(dir.path(), &thief), "`checkpoints/4`", "hands over from key");
    // Nor does a gateway with the log's own key go on with it.
    let opened = Log::open(dir.path(), &options(), signer(), &mut |_, _| {});
    assert!(matches!(opened, Err(crate::OpenError::Key { .. })), "{opened:?}");
}

#[test]
fn a_key_that_the_log_never_named() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 3);
    sign(dir.path(), 3, &[&other(9)], "checkpoint");
    altered(&verdict(dir.path(), &signer()), "`checkpoint`", "no known key has signed the note");
    sign(dir.path(), 3, &[&signer(), &other(9)], "checkpoint");
    altered(&verdict(dir.path(), &signer()), "`checkpoint`", "in the name of the log, which has no such key");
}

/// systemd #11524: verification went well with a key that was not the log's.
#[test]
fn verification_with_a_wrong_key() {
    let dir = tempfile::tempdir().unwrap();
    rotated(dir.path());
    altered(&verdict(dir.path(), &other(9)), "`vkey`", "it is not the key given, nor was the log rotated to that one");
    let elsewhere = Signer::from_seed(proof::KeyName::parse("elsewhere").unwrap(), &[7; 32]);
    altered(&verdict(dir.path(), &elsewhere), "`vkey`", "it is not the key given");
}

/// A forged log that names the key which its victim trusts: anybody can write that, and nobody else sign for it.
#[test]
fn a_forged_log_that_names_the_key_given() {
    let dir = tempfile::tempdir().unwrap();
    let (thief, trusted) = (other(9), other(8));
    let (log, _) = Log::open(dir.path(), &options(), other(9), &mut |_, _| {}).unwrap();
    append(&log, vec![record(0, 0)]).unwrap();
    drop(log);
    // Behind the last checkpoint, where nothing is signed.
    let mut records: Vec<(u32, Vec<u8>)> = bytes_of(dir.path()).into_iter().map(|bytes| (1, bytes)).collect();
    records.push((1, begin(&thief, &trusted, 1)));
    rewrite(dir.path(), &records);
    altered(&verdict(dir.path(), &trusted), "`vkey`", "has signed no checkpoint");
    // Sealed, with all that the forger can sign: the new key has to, and did not.
    sign(dir.path(), 2, &[&thief], "checkpoint");
    altered(&verdict(dir.path(), &trusted), "`checkpoint`", "has to sign checkpoints over 2 records");
}

/// CVE-2023-31438. The end is cut off, and what is written on from there hides the gap.
#[test]
fn truncate_and_continue_with_empty_epochs() {
    let dir = tempfile::tempdir().unwrap();
    for opening in 0..4 {
        let (log, _) = open(dir.path());
        append(&log, vec![record(opening, 0)]).unwrap();
        log.close().unwrap();
    }
    assert_eq!(verdict(dir.path(), &signer()), Verdict::Ok);
    let whole = bytes_of(dir.path());
    // The kept checkpoints are still there.
    let cut = tempfile::tempdir().unwrap();
    copy(dir.path(), cut.path());
    rewrite(cut.path(), &[(1, whole[0].clone()), (2, whole[1].clone())]);
    std::fs::copy(cut.path().join("checkpoints/2"), cut.path().join("checkpoint")).unwrap();
    missing(&verdict(cut.path(), &signer()), "record 2", "a checkpoint is over 3 records");
    assert!(Log::open(cut.path(), &options(), signer(), &mut |_, _| {}).is_err(), "nothing is written on");
    // They are removed, and it was gone on with by hand: of opening 3 nothing is left.
    for size in [3, 4] {
        std::fs::remove_file(Layout::new(cut.path()).archived(size)).unwrap();
    }
    rewrite(cut.path(), &[(1, whole[0].clone()), (2, whole[1].clone()), (4, whole[3].clone())]);
    missing(
        &verdict(cut.path(), &signer()),
        "record 2",
        "it is of opening 4, and of the one before no record is there",
    );
    // What cannot be seen without a witness: a copy of the past, gone on with as a gateway does it.
    rewrite(cut.path(), &[(1, whole[0].clone()), (2, whole[1].clone())]);
    let (log, _) = open(cut.path());
    append(&log, vec![record(9, 0)]).unwrap();
    drop(log);
    assert_eq!(verdict(cut.path(), &signer()), Verdict::Ok);
    // With what a witness cosigned, it is seen.
    std::fs::create_dir(cut.path().join("witnesses")).unwrap();
    std::fs::copy(dir.path().join("checkpoints/4"), cut.path().join("witnesses/0a1b2c3d")).unwrap();
    missing(&verdict(cut.path(), &signer()), "record 3", "a checkpoint is over 4 records");
    std::fs::copy(dir.path().join("checkpoints/3"), cut.path().join("witnesses/0a1b2c3d")).unwrap();
    altered(&verdict(cut.path(), &signer()), "`witnesses/0a1b2c3d`", "not those it is over");
}

/// CVE-2023-31437. Part of a file is hidden from whoever reads it.
#[test]
fn a_hidden_part_of_one_file() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 6);
    let whole = std::fs::read(segment(dir.path())).unwrap();
    let frame = record(0, 0).len() + 24;
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        std::fs::write(segment(dir.path()), bytes).unwrap();
        verdict(dir.path(), &signer())
    };
    // As if nothing had been written there.
    altered(&with(&|bytes| bytes[2 * frame..3 * frame].fill(0)), "record 2", "it is not a record, later ones are");
    // One record that swallows the next, with a checksum that fits.
    let swallowed = with(&|bytes| {
        let mut larger = Vec::new();
        let inner = bytes[frame + 24..3 * frame].to_vec();
        Frame { place: 0, index: 1, epoch: 1, bytes: &inner }.encode(&mut larger);
        bytes.splice(frame..3 * frame, larger);
    });
    altered(&swallowed, "record 1", "record cannot be read");
    // Taken out, and those behind it moved up and numbered anew.
    let closed_up = with(&|bytes| {
        let mut frames = Vec::new();
        for (index, number) in (0..).zip([0, 1, 3, 4, 5]) {
            Frame { place: 0, index, epoch: 1, bytes: &record(number, 0) }.encode(&mut frames);
        }
        frames.resize(bytes.len(), 0);
        *bytes = frames;
    });
    missing(&closed_up, "record 5", "a checkpoint is over 6 records");
    // The same, and one more at the end so that the number is right.
    let filled_up = with(&|bytes| {
        let mut frames = Vec::new();
        for (index, number) in (0..).zip([0, 1, 3, 4, 5, 6]) {
            Frame { place: 0, index, epoch: 1, bytes: &record(number, 0) }.encode(&mut frames);
        }
        frames.resize(bytes.len(), 0);
        *bytes = frames;
    });
    assert!(matches!(&filled_up, Verdict::Altered { .. }), "{filled_up:?}");
    // A whole file under another name.
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    for number in 0..12 {
        append(&log, vec![record(number, 40_000)]).unwrap();
    }
    drop(log);
    let hidden = dir.path().join("seg/00000000000000000003.log");
    std::fs::rename(&hidden, hidden.with_extension("hidden")).unwrap();
    missing(&verdict(dir.path(), &signer()), "record 3", "later records are there");
}

/// systemd #35595: what came in by one way was never sealed.
#[test]
fn unsealed_ingest_paths() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let runtime = runtime();
    append(&log, vec![record(0, 0), record(1, 0)]).unwrap();
    runtime.block_on(log.append_lazy(vec![record(2, 0)])).unwrap();
    runtime.block_on(log.rotate(other(8), begin(&signer(), &other(8), 3))).unwrap();
    runtime.block_on(log.end_rotation(end(&signer(), 4))).unwrap();
    runtime.block_on(log.append_lazy(vec![record(5, 0)])).unwrap();
    log.close().unwrap();
    let report = verify(dir.path(), Some(&other(8).verifier().to_vkey())).unwrap();
    assert_eq!((report.verdict, report.events, report.sealed, report.unsealed), (Verdict::Ok, 6, 6, 0));
}

/// Events are stamped with a clock that may go back. What the log proves is their order; how far the stamps disagree with
/// it, and with the time at which a witness cosigned, is counted.
#[test]
fn entry_time_outside_the_checkpoints_time_window() {
    let dir = tempfile::tempdir().unwrap();
    let second = 1_000_000;
    let at = |seconds: i64| {
        let mut event = event(Kind::GatewayStarted, 0);
        event.t = (1_000 + seconds) * second;
        event.to_bytes().unwrap()
    };
    let (log, _) = open(dir.path());
    // Cosigned at 1100: the third is of its future, beyond what clocks may differ.
    append(&log, vec![at(0), at(160), at(161)]).unwrap();
    log.close().unwrap();
    drop(log);
    let (log, _) = open(dir.path());
    // These came after: the first is of its past.
    append(&log, vec![at(39), at(40)]).unwrap();
    log.close().unwrap();
    let cosigned = crate::Cosigned { size: 3, time: 1_100 };
    let found = crate::stamped_outside(dir.path(), &cosigned).unwrap();
    assert_eq!((found.late, found.early), (1, 1));
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.verdict, report.steps_back), (Verdict::Ok, 2));
    let first = bytes_of(dir.path()).swap_remove(3);
    assert_eq!(Event::from_bytes(&first).unwrap().t, 1_039 * second, "recorded as it was stamped");
}

/// The key that is trusted is the newest: the past under it is the one it signed.
#[test]
fn a_past_forged_with_a_stolen_old_key() {
    let dir = tempfile::tempdir().unwrap();
    rotated(dir.path());
    // Whoever holds the old key forges a log of its time, and one that is rotated to a key of his own.
    let forged = tempfile::tempdir().unwrap();
    let (log, _) = open(forged.path());
    append(&log, (50..53).map(|number| record(number, 0)).collect()).unwrap();
    runtime().block_on(log.rotate(other(9), begin(&signer(), &other(9), 3))).unwrap();
    drop(log);
    altered(&verdict(forged.path(), &other(8)), "`vkey`", "it is not the key given");
    // Who trusts the old key still cannot tell: that is why the new one is to be pinned.
    assert_eq!(verdict(forged.path(), &signer()), Verdict::Ok);
}
