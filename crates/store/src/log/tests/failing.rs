//! A disk that says no: the log is dead from then on.

use super::faults::{Fault, Faults, FaultyDisk};
use crate::log::options::LOOK_EVERY;
use crate::{
    Log, LogError,
    fixture::{append, copy, open, options, record, records, reopen, signer},
};
use std::{io::ErrorKind, path::Path, sync::Arc};

/// Appends until the log is dead; the reason, and how many records were acknowledged.
fn run(dir: &Path, at: u64, kind: ErrorKind) -> (String, u64) {
    let disk = Arc::new(FaultyDisk(Faults::new(at, Fault::Error(kind))));
    let (log, _) = Log::open_on(disk, dir, &options(), signer(), &mut |_, _| {}).unwrap();
    for number in 0.. {
        if let Err(error) = append(&log, vec![record(number, 20_000)]) {
            let LogError::Dead(reason) = &error else { panic!("{error}") };
            // No second try, whatever the disk would say now.
            assert_eq!(append(&log, records(1)), Err(error.clone()));
            assert_eq!(log.failure(), Some(error.clone()));
            assert_eq!(log.close(), Err(error.clone()));
            return (reason.to_string(), number);
        }
    }
    unreachable!()
}

#[test]
fn a_full_disk_kills_the_log_and_is_named() {
    // 1: fill, 2: name, then one operation for each record.
    for at in [3, 4] {
        let dir = tempfile::tempdir().unwrap();
        let (reason, acknowledged) = run(dir.path(), at, ErrorKind::StorageFull);
        assert_eq!(reason, "a record cannot be made durable: no space left on the device");
        assert_eq!((reopen(dir.path()).1.size, acknowledged), (at - 3, at - 3));
    }
}

#[test]
fn a_disk_too_full_for_the_next_segment_kills_the_log() {
    let dir = tempfile::tempdir().unwrap();
    // Of 128 KiB, two records are more than a quarter: then the next segment is filled, while the third is written.
    let (reason, acknowledged) = run(dir.path(), 5, ErrorKind::StorageFull);
    assert!(reason.ends_with("no space left on the device"), "{reason}");
    assert!(reopen(dir.path()).1.size >= acknowledged);
}

#[test]
fn after_an_input_output_error_nothing_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let (reason, acknowledged) = run(dir.path(), 4, ErrorKind::Other);
    assert!(reason.starts_with("a record cannot be made durable"), "{reason}");
    assert_eq!(acknowledged, 1);
}

/// Files are looked for no more often than every [`LOOK_EVERY`]: the first append after that is the last.
fn append_until_seen(log: &Log) -> LogError {
    append(log, records(1)).ok();
    std::thread::sleep(LOOK_EVERY);
    append(log, records(1)).unwrap_err()
}

#[test]
fn a_removed_directory_kills_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log_dir = dir.path().join("log");
    let (log, _) = open(&log_dir);
    append(&log, records(1)).unwrap();
    std::fs::remove_dir_all(&log_dir).unwrap();
    let error = append_until_seen(&log);
    assert_eq!(error, LogError::Dead("the log's directory was removed or replaced".into()));
    drop(log);
    assert!(!log_dir.join("checkpoint").exists());
}

#[test]
fn a_replaced_directory_kills_the_log_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (log_dir, away) = (dir.path().join("log"), dir.path().join("away"));
    let (log, _) = open(&log_dir);
    append(&log, records(1)).unwrap();
    std::fs::rename(&log_dir, &away).unwrap();
    copy(&away, &log_dir);
    let before = std::fs::read(log_dir.join("checkpoint")).unwrap();
    assert!(matches!(append_until_seen(&log), LogError::Dead(_)));
    drop(log);
    assert_eq!(std::fs::read(log_dir.join("checkpoint")).unwrap(), before);
}

#[test]
fn a_replaced_lock_kills_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    std::fs::remove_file(dir.path().join("lock")).unwrap();
    assert!(matches!(append_until_seen(&log), LogError::Dead(_)));
}

#[test]
fn a_log_that_cannot_be_sealed_takes_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options();
    options.checkpoint_interval = std::time::Duration::from_millis(1);
    let (log, _) = Log::open(dir.path(), &options, signer(), &mut |_, _| {}).unwrap();
    // A directory in the place of the scratch file: root, too, cannot write it.
    std::fs::create_dir(dir.path().join("checkpoint.unfinished")).unwrap();
    while append(&log, records(1)).is_ok() {}
    let Some(LogError::Dead(reason)) = log.failure() else { panic!("alive") };
    assert!(reason.starts_with("checkpoints or tiles cannot be written"), "{reason}");
}
