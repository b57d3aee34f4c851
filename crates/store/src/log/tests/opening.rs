//! What is found when a log is opened.

use crate::{
    Log, LogOptions, OpenError, Verdict,
    fixture::{ORIGIN, append, closed, copy, event, open, options, record, records, reopen, signer, vkey},
    log::frame::HEADER_BYTES,
    verify,
};
use proof::{KeyName, Signer};
use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};
use vocab::event::{Kind, Outcome};

fn try_open(dir: &Path) -> Result<(), OpenError> {
    Log::open(dir, &options(), signer(), &mut |_, _| {}).map(|_| ())
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("seg/00000000000000000000.log")
}

/// Changes a byte of the first segment.
fn flip(dir: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(segment(dir)).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn a_second_gateway_is_told_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let error = try_open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { pid: Some(pid) } if pid == std::process::id()), "{error}");
    drop(log);
    try_open(dir.path()).unwrap();
}

#[test]
fn a_log_is_only_its_own() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 1);
    let other = |name: &str, seed| Signer::from_seed(KeyName::parse(name).unwrap(), &[seed; 32]);
    let try_as = |origin: &str, signer| Log::open(dir.path(), &LogOptions::new(origin), signer, &mut |_, _| {});
    assert!(matches!(try_as("other", other("other", 7)), Err(OpenError::Origin { .. })));
    assert!(matches!(try_as(ORIGIN, other("other", 7)), Err(OpenError::Key { .. })));
    assert!(matches!(try_as(ORIGIN, other(ORIGIN, 8)), Err(OpenError::Key { .. })));
    assert!(try_as(ORIGIN, signer()).is_ok());
}

#[test]
fn segment_sizes_are_checked_at_their_edges() {
    let dir = tempfile::tempdir().unwrap();
    for (bytes, good) in [(128 * 1024 - 1, false), (128 * 1024, true), (1 << 30, true), ((1 << 30) + 1, false)] {
        let mut options = options();
        options.segment_bytes = bytes;
        let opened = Log::open(dir.path(), &options, signer(), &mut |_, _| {});
        assert_eq!(opened.is_ok(), good, "{bytes}");
    }
}

#[test]
fn damage_to_the_last_commit_is_torn_and_to_an_earlier_one_altered() {
    let dir = tempfile::tempdir().unwrap();
    let (log_dir, killed) = (dir.path().join("log"), dir.path().join("killed"));
    let (log, _) = open(&log_dir);
    append(&log, records(2)).unwrap();
    append(&log, (2..5).map(|number| record(number, 0)).collect()).unwrap();
    let frame = (HEADER_BYTES + record(0, 0).len()) as u64;
    for (at, expected) in [(2, Ok(2)), (3, Ok(3)), (4, Ok(4)), (0, Err(0)), (1, Err(1))] {
        let _ = std::fs::remove_dir_all(&killed);
        copy(&log_dir, &killed);
        flip(&killed, at * frame + frame / 2);
        match (expected, try_open(&killed)) {
            (Ok(size), Ok(())) => {
                let (_, recovery, found) = reopen(&killed);
                assert_eq!((recovery.size, recovery.dropped_bytes), (size, 0), "{at}");
                assert_eq!(found, records(size));
            }
            (Err(index), Err(OpenError::Altered { index: found })) => assert_eq!(found, index),
            (expected, found) => panic!("{at}: {expected:?} {found:?}"),
        }
    }
    copy(&log_dir, &killed.join("again"));
    flip(&killed.join("again"), 4 * frame);
    assert_eq!(reopen(&killed.join("again")).1.dropped_bytes, frame);
}

#[test]
fn what_was_sealed_must_be_there_and_the_same() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 5);
    let frame = (HEADER_BYTES + record(0, 0).len()) as u64;
    let whole = std::fs::read(segment(dir.path())).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        std::fs::write(segment(dir.path()), bytes).unwrap();
        try_open(dir.path())
    };
    let last = 4 * frame as usize;
    assert!(with(&|_| {}).is_ok());
    let cut = with(&|bytes| bytes.truncate(last));
    assert!(matches!(cut, Err(OpenError::Missing { index: 4, sealed: 5 })), "{cut:?}");
    let zeroed = with(&|bytes| bytes[last..].fill(0));
    assert!(matches!(zeroed, Err(OpenError::Missing { index: 4, sealed: 5 })), "{zeroed:?}");
    let torn = with(&|bytes| bytes[last + 30] ^= 1);
    assert!(matches!(torn, Err(OpenError::Altered { index: 4 })), "{torn:?}");
    let forged = with(&|bytes| {
        let mut frame = Vec::new();
        let bytes_of = record(7, 0);
        crate::log::frame::Frame { place: 0, index: 4, epoch: 1, bytes: &bytes_of }.encode(&mut frame);
        bytes.splice(last.., frame);
    });
    assert!(matches!(forged, Err(OpenError::Rewritten { size: 5 })), "{forged:?}");
    let shifted = with(&|bytes| drop(bytes.drain(..frame as usize)));
    assert!(matches!(shifted, Err(OpenError::Altered { index: 0 })), "{shifted:?}");
    std::fs::remove_file(segment(dir.path())).unwrap();
    let removed = try_open(dir.path());
    assert!(matches!(removed, Err(OpenError::Missing { index: 0, sealed: 5 })), "{removed:?}");
}

#[test]
fn a_missing_segment_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    for number in 0..12 {
        append(&log, vec![record(number, 40_000)]).unwrap();
    }
    log.close().unwrap();
    let second = dir.path().join("seg/00000000000000000003.log");
    assert!(second.exists());
    std::fs::remove_file(second).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Gap { index: 3 })));
    std::fs::remove_file(segment(dir.path())).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Gap { index: 0 })));
}

#[test]
fn a_checkpoint_of_somebody_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 1);
    let path = dir.path().join("checkpoint");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\n1\n", "\n0\n", 1)).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Checkpoint { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Io { .. })));
}

#[test]
fn tiles_are_derived_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    for chunk in records(600).chunks(100) {
        append(&log, chunk.to_vec()).unwrap();
    }
    log.close().unwrap();
    let tile = |path: &str| dir.path().join("tile").join(path);
    for path in ["0/000", "0/001", "0/002.p/88", "1/000.p/2"] {
        assert!(tile(path).exists(), "{path}");
        std::fs::write(tile(path), b"torn").unwrap();
    }
    std::fs::remove_file(tile("0/001")).unwrap();
    drop(reopen(dir.path()).0);
    let report = verify(dir.path(), Some(&vkey())).unwrap();
    assert_eq!((report.verdict, report.derived_missing, report.events), (Verdict::Ok, 0, 600));
    // Every record once more is nothing that a log keeps.
    assert!(!tile("entries").exists());
}

#[test]
fn calls_without_an_end_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let call = |kind, call: &str| {
        let mut event = event(kind, 0);
        event.call = Some(call.to_owned().into());
        event.session = Some("s".into());
        event
    };
    let mut withheld = call(Kind::ToolResult, "done");
    withheld.outcome = Some(Outcome::Withheld);
    let mut denied = call(Kind::PolicyDecision, "denied");
    denied.decision = Some(vocab::Verdict::Deny);
    let events = [
        call(Kind::PolicyDecision, "asked"),
        call(Kind::PolicyDecision, "sent"),
        call(Kind::PolicyDecision, "done"),
        denied,
        call(Kind::ToolDispatch, "sent"),
        call(Kind::ToolDispatch, "done"),
        withheld,
        call(Kind::PolicyDecision, "refused"),
        call(Kind::ApprovalDenied, "refused"),
    ];
    append(&log, events.iter().map(|event| event.to_bytes().unwrap()).collect()).unwrap();
    drop(log);
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.verdict, report.unknown, report.not_run), (Verdict::Ok, 1, 1));
}

/// A closed log of so many records, in commits of 100.
fn long(dir: &Path, count: u64) {
    let (log, _) = open(dir);
    for chunk in records(count).chunks(100) {
        append(&log, chunk.to_vec()).unwrap();
    }
    log.close().unwrap();
}

/// Puts another record in the place of this one, with a good checksum. All are of one length.
fn forge(dir: &Path, index: u64) {
    let path = segment(dir);
    let mut bytes = std::fs::read(&path).unwrap();
    let mut at = 0;
    for _ in 0..index {
        let crate::log::frame::Parsed::Frame(frame) = crate::log::frame::parse(&bytes[at..]) else { panic!("{index}") };
        at += frame.size();
    }
    let crate::log::frame::Parsed::Frame(frame) = crate::log::frame::parse(&bytes[at..]) else { panic!("{index}") };
    let (place, epoch, size) = (frame.place, frame.epoch, frame.size());
    let mut record = frame.bytes.to_vec();
    let last = record.iter().rposition(|byte| byte.is_ascii_digit()).unwrap();
    record[last] ^= 1;
    let mut forged = Vec::new();
    crate::log::frame::Frame { place, index, epoch, bytes: &record }.encode(&mut forged);
    assert_eq!(forged.len(), size);
    bytes[at..at + size].copy_from_slice(&forged);
    std::fs::write(&path, bytes).unwrap();
}

/// What opening hashes: the last sealed records and those after them. What it leaves to `verify`: a sealed record before
/// them that was replaced with its checksum while the tiles stayed. Whatever is wrong with the tiles, all are hashed.
#[test]
fn a_replaced_record_is_found_by_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    let forged = |index: u64, change: &dyn Fn(&Path)| {
        let log = dir.path().join("log");
        let _ = std::fs::remove_dir_all(&log);
        long(&log, 600);
        forge(&log, index);
        change(&log);
        try_open(&log).map(|()| verify(&log, Some(&vkey())).unwrap().verdict)
    };
    let nothing = |_: &Path| {};
    for index in [512, 599] {
        let found = forged(index, &nothing);
        assert!(matches!(found, Err(OpenError::Rewritten { size: 600 })), "{index} {found:?}");
    }
    for index in [0, 511] {
        let found = forged(index, &nothing);
        assert!(matches!(found, Ok(Verdict::Altered { .. })), "{index} {found:?}");
        let remove = |path: &'static str| move |log: &Path| std::fs::remove_file(log.join("tile").join(path)).unwrap();
        for path in ["1/000.p/2", "0/000", "0/001"] {
            let found = forged(index, &remove(path));
            assert!(matches!(found, Err(OpenError::Rewritten { size: 600 })), "{index} {path} {found:?}");
        }
        let short = |log: &Path| std::fs::write(log.join("tile/0/001"), b"short").unwrap();
        assert!(matches!(forged(index, &short), Err(OpenError::Rewritten { size: 600 })), "{index}");
    }
}

/// A checkpoint that ends with a full tile: the tile alone must not stand for its records.
#[test]
fn at_least_one_sealed_record_is_hashed() {
    let dir = tempfile::tempdir().unwrap();
    long(dir.path(), 512);
    forge(dir.path(), 511);
    let found = try_open(dir.path());
    assert!(matches!(found, Err(OpenError::Rewritten { size: 512 })), "{found:?}");
}

#[test]
fn an_edge_that_does_not_give_the_root_is_derived_again() {
    let dir = tempfile::tempdir().unwrap();
    long(dir.path(), 600);
    let edge = dir.path().join("tile/1/000.p/2");
    let mut hashes = std::fs::read(&edge).unwrap();
    hashes[40] ^= 1;
    std::fs::write(&edge, hashes).unwrap();
    let (log, recovery, found) = reopen(dir.path());
    assert_eq!((recovery.size, recovery.sealed, found), (600, 600, records(600)));
    drop(log);
    assert_eq!(verify(dir.path(), Some(&vkey())).unwrap().verdict, Verdict::Ok);
}

#[test]
fn an_older_checkpoint_of_other_records_is_found() {
    let dir = tempfile::tempdir().unwrap();
    long(dir.path(), 600);
    std::fs::remove_file(dir.path().join("checkpoints/600")).unwrap();
    for (size, byte) in [(300, 1), (256, 2)] {
        let older = proof::Checkpoint::new(ORIGIN, size, proof::leaf_hash(&[byte])).unwrap();
        let path = dir.path().join("checkpoints").join(size.to_string());
        std::fs::write(&path, older.sign(&[&signer()]).unwrap().format()).unwrap();
        let found = try_open(dir.path());
        assert!(matches!(found, Err(OpenError::Rewritten { size: at }) if at == size), "{found:?}");
        std::fs::remove_file(path).unwrap();
    }
    let mut tree = proof::Frontier::new();
    records(300).iter().for_each(|record| tree.append(proof::leaf_hash(record)).unwrap());
    let older = proof::Checkpoint::new(ORIGIN, 300, tree.root()).unwrap();
    std::fs::write(dir.path().join("checkpoints/300"), older.sign(&[&signer()]).unwrap().format()).unwrap();
    try_open(dir.path()).unwrap();
}

/// Frames are read from the first to the last, whatever the tiles say.
#[test]
fn a_long_log_shows_its_gaps() {
    let dir = tempfile::tempdir().unwrap();
    long(dir.path(), 600);
    let whole = std::fs::read(segment(dir.path())).unwrap();
    let at = |index: u64| records(index).iter().map(|record| HEADER_BYTES + record.len()).sum::<usize>();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        std::fs::write(segment(dir.path()), bytes).unwrap();
        try_open(dir.path())
    };
    assert!(with(&|_| {}).is_ok());
    let flipped = with(&|bytes| bytes[at(10) + 30] ^= 1);
    assert!(matches!(flipped, Err(OpenError::Altered { index: 10 })), "{flipped:?}");
    let zeroed = with(&|bytes| bytes[at(10)..at(11)].fill(0));
    assert!(matches!(zeroed, Err(OpenError::Altered { index: 10 })), "{zeroed:?}");
    let cut = with(&|bytes| bytes.truncate(at(599)));
    assert!(matches!(cut, Err(OpenError::Missing { index: 599, sealed: 600 })), "{cut:?}");
    let cut = with(&|bytes| bytes.truncate(at(3)));
    assert!(matches!(cut, Err(OpenError::Missing { index: 3, sealed: 600 })), "{cut:?}");
    let torn = with(&|bytes| bytes[at(599) + 30] ^= 1);
    assert!(matches!(torn, Err(OpenError::Altered { index: 599 })), "{torn:?}");
}

#[test]
fn a_log_goes_on_from_its_tiles_as_from_its_records() {
    for count in [255, 256, 257, 511, 512, 513, 700] {
        let dir = tempfile::tempdir().unwrap();
        long(dir.path(), count);
        for more in [0, 1, 255, 300] {
            let (log, recovery, found) = reopen(dir.path());
            let size = found.len() as u64;
            assert_eq!((recovery.size, recovery.sealed), (size, size));
            append(&log, (size..size + more).map(|number| record(number, 0)).collect()).unwrap();
            log.close().unwrap();
            let report = verify(dir.path(), Some(&vkey())).unwrap();
            let expected = (Verdict::Ok, 0, size + more);
            assert_eq!((report.verdict, report.derived_missing, report.events), expected, "{count} {more}");
        }
    }
}
