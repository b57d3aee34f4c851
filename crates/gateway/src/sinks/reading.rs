//! From log files to batches.

use super::cursor::Cursor;
use serde_json::{Map, Value};
use std::path::Path;
use store::formats::calls::{Calls, Told};
use store::formats::columns::cells;
use store::{LogReader, ReadError, Records};
use vocab::Event;

/// Bytes of records in one batch at most: what a sink holds in memory.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How records are put together.
pub(super) enum Shape {
    /// Each as a row of its columns.
    Rows,
    /// As calls, each when it has ended.
    Calls(Box<Calls>),
}

/// What is sent at once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) rows: Vec<Value>,
    pub(super) calls: Vec<Told>,
    /// The record after the last one that went into it.
    pub(super) next: u64,
    /// The first record that has to be taken again to go on from there.
    pub(super) from: u64,
    /// Records before it that were pruned before they could be sent.
    pub(super) pruned: u64,
    /// Whether there was no room for more.
    pub(super) is_full: bool,
}

impl Batch {
    /// Rows, or calls.
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.calls.len()
    }
}

impl Shape {
    pub(super) fn calls() -> Self {
        Self::Calls(Box::default())
    }

    fn take(&mut self, index: u64, event: &Event, batch: &mut Batch) {
        match self {
            Self::Rows => batch.rows.push(row(index, event)),
            Self::Calls(calls) => batch.calls.extend(calls.take(index, event, true)),
        }
    }

    fn from(&self) -> Option<u64> {
        match self {
            Self::Rows => None,
            Self::Calls(calls) => calls.from(),
        }
    }
}

/// A log being read for a sink.
pub(super) struct Reading {
    /// Follows the log: a segment is not read from its beginning for every batch.
    records: Records,
    shape: Shape,
    /// The record that is expected next.
    next: u64,
}

impl Reading {
    /// Goes on from a cursor: what was under way there is read again, and nothing comes of it. What was pruned meanwhile is
    /// counted in the next batch.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) fn open(dir: &Path, mut shape: Shape, cursor: &Cursor) -> Result<Self, ReadError> {
        let reader = LogReader::open(dir)?;
        let mut records = reader.iter_from(cursor.from.max(reader.first()?));
        while records.position() < cursor.next {
            let Some(record) = records.next().transpose()? else { break };
            if let Ok(event) = Event::from_bytes(&record.bytes) {
                shape.take(record.index, &event, &mut Batch::default());
            }
        }
        Ok(Self { records, shape, next: cursor.next })
    }

    /// The next batch: at most `most` records, and none that is not durable, which are those from `size` on.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) fn batch(&mut self, most: u64, size: u64) -> Result<Batch, ReadError> {
        let mut batch = Batch::default();
        let (mut bytes, until) = (0, size.min(self.records.position().saturating_add(most)));
        while self.records.position() < until && bytes < BATCH_BYTES {
            let Some(record) = self.records.next().transpose()? else { break };
            bytes += record.bytes.len();
            batch.pruned += record.index.saturating_sub(self.next);
            self.next = record.index + 1;
            // Of another version of Mortise: nothing is known that could be sent.
            let Ok(event) = Event::from_bytes(&record.bytes) else { continue };
            self.shape.take(record.index, &event, &mut batch);
        }
        batch.next = self.records.position().max(self.next);
        batch.from = self.shape.from().unwrap_or(batch.next);
        batch.is_full = batch.next >= until && until < size || bytes >= BATCH_BYTES;
        Ok(batch)
    }
}

/// A record as it leaves: its index and its columns.
fn row(index: u64, event: &Event) -> Value {
    let mut row = Map::new();
    row.insert("index".to_owned(), index.into());
    row.extend(cells(event).map(|(column, cell)| (column.name.to_owned(), cell.to_json())));
    Value::Object(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proof::{KeyName, Signer};
    use std::time::Duration;
    use store::{Log, LogOptions};
    use vocab::event::{Kind, Outcome};

    fn event(kind: Kind, number: u64, call: u64) -> Vec<u8> {
        let mut event = Event::new(kind, format!("event-{number}"), 1_795_000_000_000_000, "default");
        event.call = Some(format!("call-{call}").into());
        event.text = Some("somebody's own words".into());
        event.outcome = (kind == Kind::ToolResult).then_some(Outcome::Ok);
        event.to_bytes().unwrap()
    }

    /// Calls that overlap: call N begins with record 2N, and ends with record 2N + 5.
    async fn log(dir: &Path, calls: u64) -> Log {
        let options =
            LogOptions { checkpoint_interval: Duration::from_secs(3_600), ..LogOptions::new("w.example/log") };
        let signer = Signer::from_seed(KeyName::parse("w.example/log").unwrap(), &[7; 32]);
        let (log, _) = Log::open(dir, &options, signer, &mut |_, _| {}).unwrap();
        let records = (0..2 * calls).map(|index| match (index % 2, index / 2) {
            (0, call) => event(Kind::ToolIntent, index, call),
            (_, call) => event(Kind::ToolResult, index, call.saturating_sub(2)),
        });
        log.append(records.collect()).await.unwrap();
        log
    }

    #[tokio::test]
    async fn a_batch_has_its_bounds_and_ends_where_the_log_is_durable() {
        let dir = tempfile::tempdir().unwrap();
        let _log = log(dir.path(), 10).await;
        let mut reading = Reading::open(dir.path(), Shape::Rows, &Cursor::start("w.example/log")).unwrap();
        for (size, next, is_full) in [(0, 0, false), (3, 3, false), (20, 7, true), (20, 11, true), (12, 12, false)] {
            let batch = reading.batch(4, size).unwrap();
            assert_eq!((batch.next, batch.from, batch.is_full), (next, next, is_full));
            assert!(batch.len() <= 4);
            assert!(batch.rows.iter().all(|row| !row.to_string().contains("words")));
        }
    }

    /// Stopped anywhere and begun again from what was remembered: every call comes once.
    #[tokio::test]
    async fn calls_under_way_are_known_again_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let _log = log(dir.path(), 10).await;
        let whole =
            Reading::open(dir.path(), Shape::calls(), &Cursor::start("w.example/log")).unwrap().batch(99, 20).unwrap();
        let ids = |calls: &[Told]| calls.iter().map(|told| told.call.clone()).collect::<Vec<_>>();
        assert_eq!(whole.calls.len(), 8);
        for most in 1..20 {
            let (mut cursor, mut found) = (Cursor::start("w.example/log"), Vec::new());
            while cursor.next < 20 {
                let batch = Reading::open(dir.path(), Shape::calls(), &cursor).unwrap().batch(most, 20).unwrap();
                (cursor.next, cursor.from) = (batch.next, batch.from);
                found.extend(ids(&batch.calls));
            }
            assert_eq!(found, ids(&whole.calls), "{most} at once");
        }
    }

    #[tokio::test]
    async fn records_that_were_pruned_before_they_were_sent_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes: store::log::MIN_SEGMENT_BYTES, ..LogOptions::new("w.example/log") };
        let signer = || Signer::from_seed(KeyName::parse("w.example/log").unwrap(), &[7; 32]);
        let (log, _) = Log::open(dir.path(), &options, signer(), &mut |_, _| {}).unwrap();
        let long = |number| {
            let mut event =
                Event::new(Kind::ServerStarted, format!("event-{number}"), 1_795_000_000_000_000, "default");
            event.text = Some("x".repeat(40_000).into());
            event.to_bytes().unwrap()
        };
        // Segments begin with 0, 3 and 6.
        log.append((0..8).map(long).collect()).await.unwrap();
        log.close().unwrap();
        drop(log);
        let t = 1_895_000_000_000_000;
        let limits = store::prune::Limits { last: store::payload::Day::of(t), days: 9, t, needed_from: u64::MAX };
        let plan = store::prune::plan(dir.path(), &limits).unwrap().unwrap();
        store::prune::prepare(dir.path(), &plan).unwrap();
        let mut told = Event::new(Kind::StorePruned, "p", t, "default");
        plan.tell(&mut told);
        let (log, _) = Log::open(dir.path(), &options, signer(), &mut |_, _| {}).unwrap();
        // One sink is at work, the other is not.
        let mut following = Reading::open(dir.path(), Shape::Rows, &Cursor::start("w.example/log")).unwrap();
        assert_eq!(following.batch(2, 8).unwrap().next, 2);
        log.append_sealed(told.to_bytes().unwrap()).await.unwrap();
        assert_eq!(store::prune::finish(dir.path()).unwrap(), store::prune::Finished::Done);
        let mut cursor = Cursor::start("w.example/log");
        (cursor.next, cursor.from) = (4, 1);
        let batch = Reading::open(dir.path(), Shape::Rows, &cursor).unwrap().batch(99, 9).unwrap();
        assert_eq!((batch.pruned, batch.len(), batch.next, batch.from), (2, 3, 9, 9));
        let batch = following.batch(99, 9).unwrap();
        // It had the first file open.
        assert_eq!((batch.pruned, batch.rows.len(), batch.rows[1]["index"].as_u64()), (3, 4, Some(6)));
    }
}
