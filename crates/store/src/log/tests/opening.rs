//! What is found when a log is opened.

use crate::{
    CallState, Log, LogOptions, OpenError, Unfinished, Verdict,
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
    for path in ["0/000", "0/001", "0/002.p/88", "1/000.p/2", "entries/000", "entries/001", "entries/002.p/88"] {
        assert!(tile(path).exists(), "{path}");
        std::fs::write(tile(path), b"torn").unwrap();
    }
    std::fs::remove_file(tile("0/001")).unwrap();
    drop(reopen(dir.path()).0);
    let report = verify(dir.path(), Some(&vkey())).unwrap();
    assert_eq!((report.verdict, report.derived_missing, report.events), (Verdict::Ok, 0, 600));
}

#[test]
fn calls_without_an_end_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let call = |kind, call: &str| {
        let mut event = event(kind, 0);
        event.call = Some(call.to_owned());
        event.session = Some("s".to_owned());
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
    let unfinished =
        |call: &str, index, state| Unfinished { call: call.to_owned(), session: Some("s".to_owned()), index, state };
    let expected = [unfinished("asked", 0, CallState::NotRun), unfinished("sent", 4, CallState::Unknown)];
    assert_eq!(reopen(dir.path()).1.unfinished, expected);
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.verdict, report.unknown, report.not_run), (Verdict::Ok, 1, 1));
}
