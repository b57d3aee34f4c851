//! Reading the log into the index: a batch at a time, each one transaction.

use super::docs::{self, Space};
use super::error::{Step, Stop};
use super::schema::{State, signed, unsigned, write_mark};
use super::terms::{self, Field};
use crate::read::{LogReader, Position, Record, Records};
use ring::digest::{SHA256, digest};
use roaring::RoaringBitmap;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::collections::{BTreeMap, HashMap};
use vocab::event::Kind;
use vocab::{Event, Verdict};

/// Most records of a batch: as many as a chunk has, so that each set is written about once while an index is made.
const BATCH_RECORDS: u64 = docs::CHUNK;
/// Most bytes of a batch's records. Together they bound what a batch keeps in memory, however long the log is.
const BATCH_BYTES: usize = 64 << 20;
/// Records between two places to read on from: a record is found by reading half as many.
pub(super) const MARK_EVERY: u64 = 64;
/// Records of a row of times.
pub(super) const BLOCK: u64 = 1024;
/// Values whose numbers are remembered between batches.
const MAX_REMEMBERED: usize = 100_000;

/// What is remembered between batches of one run.
#[derive(Default)]
pub(super) struct Memory {
    terms: HashMap<Field, HashMap<Box<str>, i64>>,
    remembered: usize,
    /// What had been forgotten then: forgetting gives numbers back.
    kept: u64,
}

/// The records that are not in the index yet.
///
/// Fails where the last record of the index is not in the log: it was put back, or is another.
pub(super) fn resume(log: &LogReader, state: &State) -> Step<Records> {
    let Some((known, position)) = &state.last else { return Ok(log.iter_from(0)) };
    let gone = || Stop::useless("the log has not the record that the index ends with");
    let mut records = log.iter_at(*position).map_err(|_| gone())?;
    match records.next().transpose()? {
        Some(found) if found.index + 1 == state.next && fingerprint(&found.bytes) == *known => Ok(records),
        _ => Err(gone()),
    }
}

/// Reads one batch. Gives how many records were added, and whether there may be more.
pub(super) fn batch(conn: &mut Connection, log: &LogReader, memory: &mut Memory) -> Step<(u64, bool)> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut state = State::read(&tx)?;
    let mut records = resume(log, &state)?;
    if memory.kept != state.kept || memory.remembered > MAX_REMEMBERED {
        *memory = Memory { kept: state.kept, ..Memory::default() };
    }
    let mut batch = Batch { conn: &tx, memory, sets: HashMap::new(), calls: HashMap::new(), times: BTreeMap::new() };
    let (mut added, mut bytes) = (0, 0);
    let is_full = loop {
        if added == BATCH_RECORDS || bytes >= BATCH_BYTES {
            break true;
        }
        let before = records.place();
        let Some(record) = records.next().transpose()? else { break false };
        added += 1;
        bytes += record.bytes.len();
        batch.add(&record)?;
        let after = records.place();
        state.next = record.index + 1;
        let position = start_of(before, after, &record);
        state.last = position.map(|position| (fingerprint(&record.bytes), position));
        if let Some(position) = position.filter(|position| position.mark.next % MARK_EVERY == 0) {
            write_mark(&tx, position)?;
        }
    };
    if added > 0 {
        batch.write()?;
        state.write(&tx)?;
        tx.commit()?;
    }
    Ok((added, is_full))
}

/// Where a record begins: where the scan was before it, or at the start of the segment it went on to.
fn start_of(before: Option<Position>, after: Option<Position>, record: &Record) -> Option<Position> {
    let after = after?;
    let same = before.filter(|before| before.segment == after.segment && before.mark.next == record.index);
    Some(same.unwrap_or_else(|| {
        let mut position = after;
        position.mark.offset = 0;
        position.mark.next = record.index;
        position.mark.place = None;
        position
    }))
}

pub(super) fn fingerprint(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// One transaction's work, written at its end.
struct Batch<'a> {
    conn: &'a Connection,
    memory: &'a mut Memory,
    sets: HashMap<i64, RoaringBitmap>,
    calls: HashMap<Box<str>, Call>,
    times: BTreeMap<u64, Vec<i64>>,
}

/// A call as far as it was read.
#[derive(Clone)]
struct Call {
    first: u64,
    /// Indices of its events after the first.
    more: Vec<i64>,
    /// Whether it was decided: a call that was approved is decided again, and the first answer is the one listed.
    decided: bool,
    verdict: Option<i64>,
    outcome: Option<i64>,
}

impl Batch<'_> {
    fn add(&mut self, record: &Record) -> Step<()> {
        // What is no event is found by nothing, but keeps its place among the times.
        let event = Event::from_bytes(&record.bytes).ok();
        self.time(record.index, event.as_ref().map_or(0, |event| event.t))?;
        let Some(event) = event else { return Ok(()) };
        let mut found = Vec::new();
        let mut failed = None;
        terms::of(&event, |field, value| match self.term(field, value) {
            Ok(term) => found.push((field, term)),
            Err(stop) => failed = Some(stop),
        });
        if let Some(stop) = failed {
            return Err(stop);
        }
        for (_, term) in &found {
            self.set(*term, Space::Events, record.index)?.insert(docs::split(record.index).1);
        }
        match event.call.as_deref() {
            Some(id) => self.call(terms::clip(id), record.index, &event, &found),
            None => Ok(()),
        }
    }

    fn call(&mut self, id: &str, index: u64, event: &Event<'_>, found: &[(Field, i64)]) -> Step<()> {
        let mut call = match self.calls.get(id) {
            Some(call) => call.clone(),
            None => read_call(self.conn, id)?.unwrap_or(Call {
                first: index,
                more: Vec::new(),
                decided: false,
                verdict: None,
                outcome: None,
            }),
        };
        if call.first != index {
            call.more.push(signed(index));
        }
        for (field, term) in found {
            if !matches!(field, Field::Verdict | Field::Outcome) {
                self.set(*term, Space::Calls, call.first)?.insert(docs::split(call.first).1);
            }
        }
        let term = |wanted: Field| found.iter().find(|(field, _)| *field == wanted).map(|(_, term)| *term);
        let refused = |batch: &mut Self| batch.term(Field::Outcome, vocab::event::Outcome::Refused.as_str()).map(Some);
        let (verdict, outcome) = match event.kind {
            Kind::PolicyDecision if !call.decided => {
                call.decided = true;
                let denied = event.decision == Some(Verdict::Deny);
                (term(Field::Verdict), if denied { refused(self)? } else { call.outcome })
            }
            Kind::ToolResult => (call.verdict, term(Field::Outcome)),
            Kind::ApprovalDenied => (call.verdict, refused(self)?),
            Kind::ApprovalExpired => {
                (call.verdict, Some(self.term(Field::Outcome, vocab::event::Outcome::Expired.as_str())?))
            }
            _ => (call.verdict, call.outcome),
        };
        self.change(call.first, call.verdict, verdict)?;
        self.change(call.first, call.outcome, outcome)?;
        (call.verdict, call.outcome) = (verdict, outcome);
        self.calls.insert(id.into(), call);
        Ok(())
    }

    /// A call has one verdict and one outcome at a time.
    fn change(&mut self, first: u64, from: Option<i64>, to: Option<i64>) -> Step<()> {
        if from == to {
            return Ok(());
        }
        if let Some(term) = from {
            self.set(term, Space::Calls, first)?.remove(docs::split(first).1);
        }
        if let Some(term) = to {
            self.set(term, Space::Calls, first)?.insert(docs::split(first).1);
        }
        Ok(())
    }

    fn set(&mut self, term: i64, space: Space, index: u64) -> Step<&mut RoaringBitmap> {
        use std::collections::hash_map::Entry;
        let key = docs::key(term, space, docs::split(index).0);
        match self.sets.entry(key) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(docs::read(self.conn, key)?)),
        }
    }

    /// The number of a value; a new one where it is new.
    fn term(&mut self, field: Field, value: &str) -> Step<i64> {
        if let Some(term) = self.memory.terms.get(&field).and_then(|terms| terms.get(value)) {
            return Ok(*term);
        }
        let mut select = self.conn.prepare_cached("SELECT id FROM term WHERE field = ?1 AND value = ?2")?;
        let known = select.query_row((field.number(), value), |row| row.get(0)).optional()?;
        let term = match known {
            Some(term) => term,
            None => {
                let mut insert = self.conn.prepare_cached("INSERT INTO term (field, value) VALUES (?1, ?2)")?;
                let term = insert.insert((field.number(), value))?;
                if field.has_words() {
                    let mut insert = self.conn.prepare_cached("INSERT INTO words (rowid, value) VALUES (?1, ?2)")?;
                    insert.execute((term, value))?;
                }
                term
            }
        };
        self.memory.terms.entry(field).or_default().insert(value.into(), term);
        self.memory.remembered += 1;
        Ok(term)
    }

    fn time(&mut self, index: u64, t: i64) -> Step<()> {
        let block = index / BLOCK;
        if !self.times.contains_key(&block) {
            let known = read_times(self.conn, block)?.unwrap_or_default();
            self.times.insert(block, known);
        }
        if let Some(times) = self.times.get_mut(&block) {
            // An index that was told to forget begins in the middle of a block.
            times.resize(usize::try_from(index % BLOCK).unwrap_or_default(), t);
            times.push(t);
        }
        Ok(())
    }

    fn write(&self) -> Step<()> {
        for (key, docs) in &self.sets {
            docs::write(self.conn, *key, docs)?;
        }
        for (id, call) in &self.calls {
            write_call(self.conn, id, call)?;
        }
        for (block, times) in &self.times {
            write_times(self.conn, *block, times)?;
        }
        Ok(())
    }
}

fn read_call(conn: &Connection, id: &str) -> Step<Option<Call>> {
    let mut select = conn.prepare_cached("SELECT first, more, decided, verdict, outcome FROM call WHERE id = ?1")?;
    let found = select.query_row([id], |row| {
        let first: i64 = row.get(0)?;
        let more = docs::unseal(first, row.get_ref(1)?.as_blob()?).map(docs::from_bytes);
        Ok(more.map(|more| -> rusqlite::Result<Call> {
            Ok(Call { first: unsigned(first), more, decided: row.get(2)?, verdict: row.get(3)?, outcome: row.get(4)? })
        }))
    });
    match found.optional()? {
        None => Ok(None),
        Some(Some(call)) => Ok(Some(call?)),
        Some(None) => Err(Stop::useless("a call is not what was written")),
    }
}

fn write_call(conn: &Connection, id: &str, call: &Call) -> Step<()> {
    let mut insert = conn.prepare_cached(
        "INSERT OR REPLACE INTO call (first, id, more, decided, verdict, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let first = signed(call.first);
    let more = docs::seal(first, &docs::to_bytes(&call.more));
    insert.execute((first, id, more, call.decided, call.verdict, call.outcome))?;
    Ok(())
}

/// The times of a block's records, from its first on.
pub(super) fn read_times(conn: &Connection, block: u64) -> Step<Option<Vec<i64>>> {
    let mut select = conn.prepare_cached("SELECT times FROM time WHERE block = ?1")?;
    let block = signed(block);
    let found =
        select.query_row([block], |row| Ok(docs::unseal(block, row.get_ref(0)?.as_blob()?).map(docs::from_bytes)));
    match found.optional()? {
        None => Ok(None),
        Some(Some(times)) => Ok(Some(times)),
        Some(None) => Err(Stop::useless("times are not what was written")),
    }
}

fn write_times(conn: &Connection, block: u64, times: &[i64]) -> Step<()> {
    let (least, greatest) = (times.iter().min(), times.iter().max());
    let mut insert =
        conn.prepare_cached("INSERT OR REPLACE INTO time (block, least, greatest, times) VALUES (?1, ?2, ?3, ?4)")?;
    let block = signed(block);
    insert.execute((block, least, greatest, docs::seal(block, &docs::to_bytes(times))))?;
    Ok(())
}
