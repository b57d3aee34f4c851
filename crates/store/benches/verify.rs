//! Verifying a whole log, one thread reading it and one growing its tree, beside the least that verification does on the same bytes in the same run (read the
//! segments, hash the leaves, read the events), and beside what a home-made audit table would do: read the same records in
//! order from a database, and compute the chain of their SHA-256 hashes again.
//!
//! A chain says that nothing in it was changed, to somebody who keeps its end. What verification says besides (every checksum,
//! that each event can be read and comes after the one before, the root and signature of every checkpoint, which call has no
//! end) nobody else here does; what reading the events alone costs an audit table is in rows of its own.
//!
//! `cargo bench -p mortise-store --bench verify [-- <directory> [<events>]]`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

mod events;
#[expect(dead_code, reason = "each benchmark uses some of it")]
mod measured;
mod peers;

use events::{ORIGIN, Writer, record, signer};
use measured::{Failure, median, time};
use peers::{Fjall, Peer, Redb, Sqlite};
use proof::{TILE_WIDTH, leaf_hash, leaf_hashes};
use ring::digest::{Context, SHA256};
use std::{cell::RefCell, hint::black_box, path::Path, time::Duration};
use store::{Verdict, verify};
use vocab::Event;

const EVENTS: u64 = 200_000;
const ROUNDS: usize = 5;
/// Records of one transaction of a database.
const BATCH: usize = 512;

/// What is measured: how it is called, and a round of it.
type Measured<'a> = (String, Box<dyn FnMut() -> Result<(), Failure> + 'a>);

fn main() -> Result<(), Failure> {
    let arguments = measured::arguments();
    let events = arguments.get(1).map_or(Ok(EVENTS), |text| text.parse())?;
    measured::in_a_folder(arguments.first(), "verify", |dir| run(dir, events))
}

fn run(dir: &Path, events: u64) -> Result<(), Failure> {
    let log_dir = dir.join("log");
    let log = Writer::open(&log_dir)?;
    let bytes = log.write(0, events, record)?;
    log.close()?;
    let vkey = signer()?.verifier().to_vkey();
    let records = (0..events).map(record).collect::<Result<Vec<_>, _>>()?;
    println!("the log: two threads, all others: one; {}; files in the page cache", measured::conditions());
    println!("{events} events of {} bytes on average; medians of {ROUNDS} rounds\n", bytes / events.max(1));

    let expected = chain(|take| {
        records.iter().for_each(|record| take(record));
        Ok(())
    })?;
    let verified = || {
        let report = verify(&log_dir, Some(&vkey))?;
        match report.verdict {
            Verdict::Ok if report.events == events && report.origin == ORIGIN => Ok(()),
            _ => Err(format!("the log does not verify: {report:?}").into()),
        }
    };
    let alone = || {
        records.iter().for_each(|record| {
            black_box(leaf_hash(record));
        });
        Ok(())
    };
    let together = || {
        records.chunks(usize::from(TILE_WIDTH)).for_each(|bundle| drop(black_box(leaf_hashes(bundle))));
        Ok(())
    };
    let parsed = || {
        for record in &records {
            black_box(Event::from_bytes(record)?);
        }
        Ok(())
    };
    let (sqlite, redb, fjall) = (
        filled::<Sqlite>(&dir.join("sqlite"), &records)?,
        filled::<Redb>(&dir.join("redb"), &records)?,
        filled::<Fjall>(&dir.join("fjall"), &records)?,
    );
    let mut measured: [Measured<'_>; 11] = [
        ("**verify the log**".to_owned(), Box::new(verified)),
        chained(&sqlite, expected, Events::Skipped),
        chained(&redb, expected, Events::Skipped),
        chained(&fjall, expected, Events::Skipped),
        chained(&sqlite, expected, Events::Read),
        chained(&redb, expected, Events::Read),
        chained(&fjall, expected, Events::Read),
        ("read the segments, nothing else".to_owned(), Box::new(|| read_all(&log_dir.join("seg")))),
        ("hash the leaves one by one, nothing else".to_owned(), Box::new(alone)),
        ("hash the leaves of a bundle at once, nothing else".to_owned(), Box::new(together)),
        ("read the events, nothing else".to_owned(), Box::new(parsed)),
    ];
    let mut times = measured.each_ref().map(|_| (Vec::new(), Duration::ZERO));
    for _ in 0..ROUNDS {
        for ((_, work), (times, busy)) in measured.iter_mut().zip(&mut times) {
            let before = measured::processor_time();
            times.push(time(work)?);
            *busy += measured::processor_time().saturating_sub(before);
        }
    }
    report(&measured, &times, events, bytes);
    Ok(())
}

fn report(measured: &[Measured<'_>], times: &[(Vec<Duration>, Duration)], events: u64, bytes: u64) {
    println!("| what | events/s | events/s of processor time | MB/s | verifying the log, as a multiple |");
    println!("|---|---:|---:|---:|---:|");
    let mut of_log = None;
    for ((what, _), (times, busy)) in measured.iter().zip(times) {
        let took = median(times).as_secs_f64();
        let multiple = took / *of_log.get_or_insert(took);
        let (rate, per_core) = (events as f64 / took, events as f64 * times.len() as f64 / busy.as_secs_f64());
        println!("| {what} | {rate:.0} | {per_core:.0} | {:.0} | {multiple:.2} |", bytes as f64 / took / 1e6);
    }
}

/// Whether each event is read as well, as verification does: that its members are in order, and what they say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Events {
    Skipped,
    Read,
}

/// A database with the same records.
fn filled<P: Peer>(dir: &Path, records: &[Vec<u8>]) -> Result<RefCell<P>, Failure> {
    let mut peer = P::open(dir)?;
    for batch in records.chunks(BATCH) {
        peer.append(batch.iter().map(Vec::as_slice))?;
    }
    Ok(RefCell::new(peer))
}

/// Its records, read in order into a chain.
fn chained<P: Peer>(peer: &RefCell<P>, expected: [u8; 32], events: Events) -> Measured<'_> {
    let also = if events == Events::Read { ", each event read" } else { "" };
    let work = move || {
        let (mut peer, mut unread) = (peer.borrow_mut(), 0_u64);
        let found = chain(|take| {
            peer.each(&mut |record| {
                take(record);
                if events == Events::Read {
                    unread += u64::from(black_box(Event::from_bytes(record)).is_err());
                }
            })
        })?;
        if found == expected && unread == 0 { Ok(()) } else { Err("the chain is another one".into()) }
    };
    (format!("{}, a chain of hashes{also}", P::name()), Box::new(work))
}

/// The end of the chain: each link is the SHA-256 of the one before and the record.
fn chain(each: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), Failure>) -> Result<[u8; 32], Failure> {
    let mut link = [0; 32];
    each(&mut |record| {
        let mut hash = Context::new(&SHA256);
        hash.update(&link);
        hash.update(record);
        link.copy_from_slice(hash.finish().as_ref());
    })?;
    Ok(link)
}

fn read_all(dir: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(dir)? {
        black_box(std::fs::read(entry?.path())?);
    }
    Ok(())
}
