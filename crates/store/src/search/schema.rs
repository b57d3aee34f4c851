//! The tables, and whose they are.

use super::error::{Step, Stop};
use crate::log::scan::Mark;
use crate::read::Position;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Another layout, or another meaning of a value, is another version: an index of another version is made anew.
pub(super) const VERSION: i64 = 1;

/// `Mrts`: a file that says something else is not ours.
const APPLICATION: i64 = 0x4d72_7473;

/// Pages kept in memory, in KiB: what a batch touches of the sets of the newest chunk. Four times as much made an index no faster,
/// and took memory that grows with the log until it is full.
const CACHE_KIB: i64 = 8 * 1024;

/// - `state`: which log, and how far it was read. `last` is the digest of the last record read, and the position before
///   it: whether the log still has it is looked at on each use.
/// - `term`: every value of every field once.
/// - `words`: the words of a term's value; its rows are terms, not events, so it stays small.
/// - `posting`: for a term and a chunk of the log, the set of records that have it.
/// - `call`: a call by the index of its first event, and where its further events are.
/// - `time`: the times of 1,024 records.
/// - `mark`: places in the segments to read on from.
const TABLES: &str = "
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), origin TEXT NOT NULL, vkey TEXT NOT NULL,
    kept INTEGER NOT NULL, next INTEGER NOT NULL, last BLOB,
    segment INTEGER, offset INTEGER, before INTEGER, place INTEGER, epoch INTEGER
) STRICT;
CREATE TABLE term (id INTEGER PRIMARY KEY, field INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE (field, value)) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (
    value, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE posting (key INTEGER PRIMARY KEY, docs BLOB NOT NULL) STRICT;
CREATE TABLE call (
    first INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, more BLOB NOT NULL, decided INTEGER NOT NULL,
    verdict INTEGER, outcome INTEGER
) STRICT;
CREATE TABLE time (block INTEGER PRIMARY KEY, least INTEGER NOT NULL, greatest INTEGER NOT NULL, times BLOB NOT NULL) STRICT;
CREATE TABLE mark (
    next INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, place INTEGER, epoch INTEGER NOT NULL
) STRICT;
";

/// How far the log was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Records before this one were forgotten.
    pub(super) kept: u64,
    /// Index of the next record to read.
    pub(super) next: u64,
    /// Digest of the record before, and where it is.
    pub(super) last: Option<(Vec<u8>, Position)>,
}

/// Opens the database in a file that is there, and makes the tables where it is empty.
pub(super) fn open(path: &Path, wait: Duration, origin: &str, vkey: &str) -> Step<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.busy_timeout(wait)?;
    // A rollback journal, not a write-ahead log: that one has a file of shared memory, which does not survive that
    // somebody deletes the index and another process makes a new one. Before the journal is written, SQLite looks
    // whether the file still is where it was.
    conn.pragma_update_and_check(None, "journal_mode", "TRUNCATE", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    // What was forgotten is not left in free pages.
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // What somebody else put into the file is not run.
    conn.pragma_update(None, "trusted_schema", false)?;
    if version(&conn)? == (0, 0) {
        create(&mut conn, origin, vkey)?;
    }
    if version(&conn)? != (APPLICATION, VERSION) {
        return Err(Stop::useless("the index has another version"));
    }
    let log = conn.query_row("SELECT origin, vkey FROM state", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    match log.optional()? {
        Some((its_origin, its_vkey)) if its_origin == origin && its_vkey == vkey => Ok(conn),
        _ => Err(Stop::useless("the index is one of another log")),
    }
}

fn version(conn: &Connection) -> Step<(i64, i64)> {
    let application = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok((application, conn.pragma_query_value(None, "user_version", |row| row.get(0))?))
}

fn create(conn: &mut Connection, origin: &str, vkey: &str) -> Step<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been first.
    if version(&tx)? == (0, 0) {
        tx.execute_batch(TABLES)?;
        tx.execute("INSERT INTO state (one, origin, vkey, kept, next) VALUES (1, ?1, ?2, 0, 0)", (origin, vkey))?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", VERSION)?;
    }
    tx.commit()?;
    Ok(())
}

impl State {
    pub(super) fn read(conn: &Connection) -> Step<Self> {
        let mut select = conn.prepare_cached(
            "SELECT kept, next, last, segment, offset, before, place, epoch FROM state WHERE one = 1",
        )?;
        let state = select.query_row([], |row| {
            let last: Option<Vec<u8>> = row.get(2)?;
            let last = match last {
                None => None,
                Some(digest) => {
                    Some((digest, position(row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?)))
                }
            };
            Ok(Self { kept: unsigned(row.get(0)?), next: unsigned(row.get(1)?), last })
        });
        Ok(state?)
    }

    pub(super) fn write(&self, conn: &Connection) -> Step<()> {
        let place = self.last.as_ref().map(|(_, position)| *position);
        let mut update = conn.prepare_cached(
            "UPDATE state SET kept = ?1, next = ?2, last = ?3, segment = ?4, offset = ?5, before = ?6, place = ?7, \
             epoch = ?8 WHERE one = 1",
        )?;
        update.execute((
            signed(self.kept),
            signed(self.next),
            self.last.as_ref().map(|(digest, _)| digest),
            place.map(|place| signed(place.segment)),
            place.map(|place| signed(place.mark.offset)),
            place.map(|place| signed(place.mark.next)),
            place.and_then(|place| place.mark.place),
            place.map(|place| place.mark.epoch),
        ))?;
        Ok(())
    }
}

/// Remembers a place to read on from.
pub(super) fn write_mark(conn: &Connection, position: Position) -> Step<()> {
    let Position { segment, mark } = position;
    let mut insert = conn.prepare_cached(
        "INSERT OR REPLACE INTO mark (next, segment, offset, place, epoch) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute((signed(mark.next), signed(segment), signed(mark.offset), mark.place, mark.epoch))?;
    Ok(())
}

/// The last place to read on from to get at a record.
pub(super) fn read_mark(conn: &Connection, index: u64) -> Step<Option<Position>> {
    let mut select = conn.prepare_cached(
        "SELECT segment, offset, next, place, epoch FROM mark WHERE next <= ?1 ORDER BY next DESC LIMIT 1",
    )?;
    let found = select.query_row([signed(index)], |row| {
        Ok(position(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    });
    Ok(found.optional()?)
}

fn position(segment: i64, offset: i64, next: i64, place: Option<u16>, epoch: u32) -> Position {
    Position { segment: unsigned(segment), mark: Mark { offset: unsigned(offset), next: unsigned(next), place, epoch } }
}

/// Indices are far below 2^63; a row that says otherwise is one that nothing is found by.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
