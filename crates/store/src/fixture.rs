//! Logs for tests.

use crate::{Log, LogOptions, Recovery};
use proof::{KeyName, Signer};
use std::{path::Path, time::Duration};
use vocab::{Event, event::Kind};

pub(crate) const ORIGIN: &str = "mortise.test/log";

pub(crate) fn signer() -> Signer {
    Signer::from_seed(KeyName::parse(ORIGIN).unwrap(), &[7; 32])
}

pub(crate) fn vkey() -> String {
    signer().verifier().to_vkey()
}

/// Small segments; checkpoints only when the log is closed.
pub(crate) fn options() -> LogOptions {
    let mut options = LogOptions::new(ORIGIN);
    options.segment_bytes = crate::log::MIN_SEGMENT_BYTES;
    options.checkpoint_interval = Duration::from_secs(3600);
    options.checkpoint_entries = u64::MAX;
    options
}

pub(crate) fn open(dir: &Path) -> (Log, Recovery) {
    Log::open(dir, &options(), signer(), &mut |_, _| {}).unwrap()
}

pub(crate) fn append(log: &Log, records: Vec<Vec<u8>>) -> Result<std::ops::Range<u64>, crate::LogError> {
    runtime().block_on(log.append(records))
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// An event that tells its number, padded to about `bytes`.
pub(crate) fn record(number: u64, bytes: usize) -> Vec<u8> {
    let mut event = event(Kind::GatewayStarted, number);
    let short = event.to_bytes().unwrap().len();
    event.text = Some("x".repeat(bytes.saturating_sub(short)).into());
    event.to_bytes().unwrap()
}

pub(crate) fn event(kind: Kind, number: u64) -> Event<'static> {
    let time = 1_795_000_000_000_000 + i64::try_from(number).unwrap();
    Event::new(kind, format!("event-{number}"), time, "default")
}

pub(crate) fn records(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|number| record(number, 0)).collect()
}

/// A closed log of `count` records, each its own commit.
pub(crate) fn closed(dir: &Path, count: u64) {
    let (log, _) = open(dir);
    for record in records(count) {
        append(&log, vec![record]).unwrap();
    }
    log.close().unwrap();
}

/// The directory as a process that is killed now would leave it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The log's records, read back on opening.
pub(crate) fn reopen(dir: &Path) -> (Log, Recovery, Vec<Vec<u8>>) {
    let mut found = Vec::new();
    let (log, recovery) = Log::open(dir, &options(), signer(), &mut |index, bytes| {
        assert_eq!(index, found.len() as u64);
        found.push(bytes.to_vec());
    })
    .unwrap();
    (log, recovery, found)
}
