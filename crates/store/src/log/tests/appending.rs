//! Order, limits, laziness.

use crate::{
    Log, LogError, LogReader,
    fixture::{append, open, options, record, records, reopen, runtime, signer},
    log::{
        MAX_APPEND_BYTES,
        frame::HEADER_BYTES,
        queue::{Append, Queue},
    },
};
use std::{collections::HashMap, sync::Arc, time::Duration};

fn contents(dir: &std::path::Path) -> Vec<Vec<u8>> {
    LogReader::open(dir).unwrap().iter_from(0).map(|record| record.unwrap().bytes).collect()
}

#[test]
fn records_of_one_append_stand_together_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let log = Arc::new(log);
    runtime().block_on(async {
        let writers: Vec<_> = (0..20u64)
            .map(|writer| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    for round in 0..10 {
                        let first = (writer * 10 + round) * 3;
                        let three = (first..first + 3).map(|number| record(number, 0)).collect();
                        let range = log.append(three).await.unwrap();
                        assert_eq!(range.end - range.start, 3);
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
    let found = contents(dir.path());
    assert_eq!((found.len(), log.size()), (600, 600));
    let places: HashMap<&[u8], usize> = found.iter().enumerate().map(|(at, bytes)| (bytes.as_slice(), at)).collect();
    let place = |number: u64| places[record(number, 0).as_slice()];
    for writer in 0..20 {
        let places: Vec<_> = (0..30).map(|at| place(writer * 30 + at)).collect();
        assert!(places.is_sorted());
        assert!(places.chunks(3).all(|three| three[2] - three[0] == 2));
    }
}

#[test]
fn lazy_records_keep_their_place_and_ride_on_the_next_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    runtime().block_on(async {
        log.append_lazy(vec![record(0, 0), record(1, 0)]).await.unwrap();
        assert_eq!(log.append(vec![record(2, 0)]).await, Ok(2..3));
        log.append_lazy(vec![record(3, 0)]).await.unwrap();
        log.flush().await.unwrap();
        assert_eq!(log.size(), 4);
        // Alone, a lazy record is committed without anybody asking.
        log.append_lazy(vec![record(4, 0)]).await.unwrap();
        while log.size() < 5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(contents(dir.path()), records(5));
    log.close().unwrap();
    assert_eq!(append(&log, records(1)), Err(LogError::Closed));
    assert_eq!(runtime().block_on(log.append_lazy(records(1))), Err(LogError::Closed));
    assert_eq!(reopen(dir.path()).2, records(5));
}

#[test]
fn closing_commits_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    runtime().block_on(log.append_lazy(records(3))).unwrap();
    log.close().unwrap();
    assert_eq!((log.size(), log.sealed()), (3, 3));
    assert_eq!(contents(dir.path()), records(3));
}

#[test]
fn limits_hold_at_their_edges() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    assert_eq!(append(&log, vec![vec![b'x'; 65_535]]), Ok(0..1));
    assert_eq!(append(&log, vec![vec![b'x'; 65_536]]), Err(LogError::RecordTooLong(65_536)));
    let most = MAX_APPEND_BYTES / (65_536 / 2);
    let mut half: Vec<Vec<u8>> = vec![vec![1; 65_536 / 2 - HEADER_BYTES]; most];
    assert_eq!(append(&log, half.clone()), Ok(1..1 + most as u64));
    half[0].push(1);
    assert_eq!(append(&log, half), Err(LogError::AppendTooLong(MAX_APPEND_BYTES + 1)));
    assert_eq!(append(&log, vec![Vec::new()]), Ok(1 + most as u64..2 + most as u64));
    assert_eq!(log.failure(), None);
    log.close().unwrap();
    assert_eq!(reopen(dir.path()).1.size, 2 + most as u64);
}

#[test]
fn a_full_queue_makes_appends_wait() {
    runtime().block_on(async {
        let queue = Arc::new(Queue::new());
        let big = || Append::new(vec![vec![0; 65_536 / 2 - HEADER_BYTES]; 128], None).unwrap();
        queue.push(big()).await.unwrap();
        queue.push(big()).await.unwrap();
        let third = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.push(big()).await }
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!third.is_finished());
        let taken = queue.take().unwrap();
        assert_eq!(taken.len(), 1);
        queue.release(taken[0].bytes());
        third.await.unwrap().unwrap();
        queue.kill("test".into());
        assert!(queue.take().is_none());
        assert_eq!(queue.push(big()).await, Err(LogError::Dead("test".into())));
    });
}

#[test]
fn checkpoints_come_with_many_records_and_with_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options();
    options.checkpoint_entries = 10;
    let wait_for = |log: &Log, size: u64| {
        while log.sealed() < size {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let (log, _) = Log::open(dir.path(), &options, signer(), &mut |_, _| {}).unwrap();
    append(&log, records(9)).unwrap();
    append(&log, records(1)).unwrap();
    wait_for(&log, 10);
    drop(log);
    options.checkpoint_entries = u64::MAX;
    options.checkpoint_interval = Duration::from_millis(1);
    let (log, recovery) = Log::open(dir.path(), &options, signer(), &mut |_, _| {}).unwrap();
    assert_eq!((recovery.size, recovery.sealed, recovery.epoch), (10, 10, 2));
    append(&log, records(1)).unwrap();
    wait_for(&log, 11);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(8))]
    #[test]
    fn the_log_does_not_depend_on_how_records_are_grouped_and_when_it_is_reopened(
        groups in proptest::collection::vec((0usize..120, proptest::bool::ANY), 1..8),
    ) {
        let total = groups.iter().map(|(count, _)| count).sum::<usize>() as u64;
        let at_once = tempfile::tempdir().unwrap();
        let (log, _) = open(at_once.path());
        append(&log, records(total)).unwrap();
        drop(log);
        let in_groups = tempfile::tempdir().unwrap();
        let mut log = open(in_groups.path()).0;
        let mut rest = records(total);
        for (count, again) in groups {
            let later = rest.split_off(count);
            append(&log, std::mem::replace(&mut rest, later)).unwrap();
            if again {
                drop(log);
                log = open(in_groups.path()).0;
            }
        }
        drop(log);
        let checkpoint = |dir: &tempfile::TempDir| std::fs::read(dir.path().join("checkpoint")).unwrap();
        assert_eq!(checkpoint(&at_once), checkpoint(&in_groups));
        for dir in [&at_once, &in_groups] {
            let report = crate::verify(dir.path(), None).unwrap();
            assert_eq!((report.verdict, report.derived_missing), (crate::Verdict::Ok, 0));
        }
    }
}
