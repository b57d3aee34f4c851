//! Power cuts at every operation.

use super::faults::{Fault, Faults, FaultyDisk};
use crate::{
    Log, Verdict,
    fixture::{append, options, record, reopen, signer, vkey},
    verify,
};
use std::sync::Arc;

/// Appends of several records, some of them larger than a segment's rest.
fn appends() -> Vec<Vec<Vec<u8>>> {
    let mut number = 0;
    let mut appends = Vec::new();
    for (count, bytes) in [(1, 0), (3, 700), (2, 50_000), (4, 300), (1, 60_000), (2, 1_500), (3, 40_000), (5, 900)] {
        let next = (0..count).map(|at| record(number + at, bytes)).collect();
        number += count;
        appends.push(next);
    }
    appends
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_operation() {
    let all: Vec<Vec<u8>> = appends().concat();
    let mut cuts = 0;
    let mut torn = 0;
    for seed in 0..3 {
        for at in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::new(at, Fault::PowerCut { seed });
            let disk = Arc::new(FaultyDisk(Arc::clone(&faults)));
            let mut acknowledged = 0;
            if let Ok((log, _)) = Log::open_on(disk, dir.path(), &options(), signer(), &mut |_, _| {}) {
                for records in appends() {
                    match append(&log, records) {
                        Ok(range) => acknowledged = range.end,
                        Err(_) => break,
                    }
                }
            }
            let (log, recovery, found) = reopen(dir.path());
            assert!(recovery.size >= acknowledged, "cut {at}: {} of {acknowledged}", recovery.size);
            assert_eq!(found, all[..found.len()], "cut {at}");
            assert_eq!(append(&log, vec![record(9_000, 0)]), Ok(recovery.size..recovery.size + 1));
            log.close().unwrap();
            let report = verify(dir.path(), Some(&vkey())).unwrap();
            assert_eq!(report.verdict, Verdict::Ok, "cut {at}");
            assert_eq!((report.events, report.unfinished_bytes), (recovery.size + 1, 0));
            torn += u64::from(recovery.dropped_bytes > 0);
            if !faults.happened() {
                assert_eq!(found, all);
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts > 40 && torn > 10, "{cuts} cuts, {torn} torn");
}
