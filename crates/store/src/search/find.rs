//! Which records a filter selects: a chunk of the log at a time, newest first, each term a set.

use super::build::{BLOCK, read_times};
use super::docs::{self, CHUNK, Space};
use super::error::{Step, Stop};
use super::filter::{Filter, Key, Pattern, Test};
use super::schema::{State, signed, unsigned};
use super::terms::Field;
use roaring::RoaringBitmap;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// A filter with its words looked up. Valid for one transaction.
pub(super) struct Query<'a> {
    conn: &'a Connection,
    space: Space,
    wanted: Vec<Source>,
    unwanted: Vec<Source>,
    since: Option<i64>,
    until: Option<i64>,
    /// Records before this one were forgotten.
    kept: u64,
    /// One past the newest record.
    next: u64,
}

/// Where the records are that one term selects.
enum Source {
    /// Those that have one of these values, by chunk.
    Terms(BTreeMap<u64, Vec<i64>>),
    /// These.
    Records(BTreeMap<u64, RoaringBitmap>),
}

/// How often each value occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Values with their numbers, greatest first.
    pub values: Vec<(String, u64)>,
    /// How many have none.
    pub without: u64,
    /// How many there are. Where one can have several values, the numbers add up to more.
    pub total: u64,
}

impl<'a> Query<'a> {
    pub(super) fn new(conn: &'a Connection, filter: &Filter, space: Space) -> Step<Self> {
        let State { kept, next, .. } = State::read(conn)?;
        let (mut wanted, mut unwanted) = (vec![everything(conn, space)?], Vec::new());
        for term in &filter.terms {
            let source = match &term.test {
                Test::Is(Key::Call, ids) => calls(conn, ids, space)?,
                Test::Is(key, values) => {
                    let mut terms = Vec::new();
                    for field in key.fields() {
                        for value in values {
                            terms.extend(values_of(conn, *field, value)?);
                        }
                    }
                    Source::of_terms(conn, terms, space)?
                }
                Test::Says(words) => Source::of_terms(conn, terms_that_say(conn, words)?, space)?,
            };
            if term.negated { unwanted.push(source) } else { wanted.push(source) }
        }
        Ok(Self { conn, space, wanted, unwanted, since: filter.since, until: filter.until, kept, next })
    }

    /// The newest records that are selected, at most `limit`, all of them older than `after`. The second is whether there
    /// are more.
    pub(super) fn page(&self, limit: usize, after: Option<u64>) -> Step<(Vec<u64>, bool)> {
        let end = after.map_or(self.next, |after| after.min(self.next));
        let mut found = Vec::new();
        for chunk in self.chunks(end) {
            let mut docs = self.select(chunk)?;
            let (cut, offset) = docs::split(end);
            if chunk == cut {
                docs.remove_range(offset..);
            }
            for doc in docs.iter().rev() {
                if found.len() == limit {
                    return Ok((found, true));
                }
                found.push(chunk * CHUNK + u64::from(doc));
            }
        }
        Ok((found, false))
    }

    /// How often each value of a field occurs among all that is selected.
    pub(super) fn count(&self, field: Field) -> Step<Counts> {
        let every = Pattern { text: String::new(), is_prefix: true };
        let terms = values_of(self.conn, field, &every)?;
        let Source::Terms(by_chunk) = Source::of_terms(self.conn, terms, self.space)? else {
            return Ok(Counts::default());
        };
        let mut numbers: BTreeMap<i64, u64> = BTreeMap::new();
        let mut counts = Counts::default();
        for chunk in self.chunks(self.next) {
            let docs = self.select(chunk)?;
            let mut without = docs.clone();
            for term in by_chunk.get(&chunk).into_iter().flatten() {
                let having = docs::read(self.conn, docs::key(*term, self.space, chunk))?;
                *numbers.entry(*term).or_default() += docs.intersection_len(&having);
                without -= having;
            }
            counts.total += docs.len();
            counts.without += without.len();
        }
        for (term, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
            let mut select = self.conn.prepare_cached("SELECT value FROM term WHERE id = ?1")?;
            counts.values.push((select.query_row([term], |row| row.get(0))?, number));
        }
        counts.values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(counts)
    }

    /// Chunks that may have something, newest first, up to one that a record is in.
    fn chunks(&self, end: u64) -> impl Iterator<Item = u64> + '_ {
        let (first, last) = (self.kept / CHUNK, end.saturating_sub(1) / CHUNK);
        (first..=last).rev().filter(|chunk| self.wanted.iter().all(|source| source.has(*chunk)))
    }

    /// What is selected of a chunk.
    fn select(&self, chunk: u64) -> Step<RoaringBitmap> {
        let mut wanted = self.wanted.iter();
        let mut docs = match wanted.next() {
            Some(first) => self.docs(first, chunk)?,
            None => RoaringBitmap::new(),
        };
        for source in wanted {
            if docs.is_empty() {
                return Ok(docs);
            }
            docs &= self.docs(source, chunk)?;
        }
        for source in self.unwanted.iter().filter(|source| source.has(chunk)) {
            if docs.is_empty() {
                return Ok(docs);
            }
            docs -= self.docs(source, chunk)?;
        }
        if !docs.is_empty() && (self.since.is_some() || self.until.is_some()) {
            self.within_time(&mut docs, chunk)?;
        }
        Ok(docs)
    }

    fn docs(&self, source: &Source, chunk: u64) -> Step<RoaringBitmap> {
        match source {
            Source::Records(records) => Ok(records.get(&chunk).cloned().unwrap_or_default()),
            Source::Terms(terms) => {
                let mut all = RoaringBitmap::new();
                for term in terms.get(&chunk).into_iter().flatten() {
                    all |= docs::read(self.conn, docs::key(*term, self.space, chunk))?;
                }
                Ok(all)
            }
        }
    }

    /// Takes out what is not within the times: whole blocks by their least and greatest time, the others one by one.
    /// Clocks are set back, so times need not rise.
    fn within_time(&self, docs: &mut RoaringBitmap, chunk: u64) -> Step<()> {
        let (since, until) = (self.since.unwrap_or(i64::MIN), self.until.unwrap_or(i64::MAX));
        let first = chunk * CHUNK / BLOCK;
        let mut select =
            self.conn.prepare_cached("SELECT block, least, greatest FROM time WHERE block >= ?1 AND block < ?2")?;
        let rows = select.query_map([signed(first), signed(first + CHUNK / BLOCK)], |row| {
            Ok((unsigned(row.get(0)?), row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })?;
        for row in rows {
            let (block, least, greatest) = row?;
            let (_, start) = docs::split(block * BLOCK);
            let range = start..=start + (BLOCK as u32 - 1);
            if since <= least && greatest < until {
                continue;
            }
            if greatest < since || until <= least {
                docs.remove_range(range);
                continue;
            }
            let times = read_times(self.conn, block)?.unwrap_or_default();
            for (doc, time) in range.zip(times) {
                if time < since || until <= time {
                    docs.remove(doc);
                }
            }
        }
        Ok(())
    }
}

impl Source {
    fn of_terms(conn: &Connection, mut terms: Vec<i64>, space: Space) -> Step<Self> {
        terms.sort_unstable();
        terms.dedup();
        let mut chunks: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        let mut select = conn.prepare_cached("SELECT key FROM posting WHERE key BETWEEN ?1 AND ?2")?;
        for term in terms {
            let mut rows = select.query(docs::keys(term, space))?;
            while let Some(row) = rows.next()? {
                chunks.entry(docs::chunk_of(row.get(0)?)).or_default().push(term);
            }
        }
        Ok(Self::Terms(chunks))
    }

    fn has(&self, chunk: u64) -> bool {
        match self {
            Self::Terms(chunks) => chunks.contains_key(&chunk),
            Self::Records(chunks) => chunks.contains_key(&chunk),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Terms(chunks) => chunks.is_empty(),
            Self::Records(chunks) => chunks.is_empty(),
        }
    }
}

fn everything(conn: &Connection, space: Space) -> Step<Source> {
    Source::of_terms(conn, values_of(conn, Field::Any, &Pattern { text: String::new(), is_prefix: false })?, space)
}

/// Values of a field that are like this.
fn values_of(conn: &Connection, field: Field, value: &Pattern) -> Step<Vec<i64>> {
    let (first, last) = range(value);
    let mut select = conn.prepare_cached("SELECT id FROM term WHERE field = ?1 AND value >= ?2 AND value <= ?3")?;
    let found = select.query_map((field.number(), first, last), |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The least and the greatest text that is like this. Texts are compared by their bytes, and no text has a character
/// above the last one.
fn range(value: &Pattern) -> (&str, String) {
    let last = if value.is_prefix { format!("{}\u{10ffff}", value.text) } else { value.text.clone() };
    (&value.text, last)
}

/// Values whose words contain these, in this order.
fn terms_that_say(conn: &Connection, words: &Pattern) -> Step<Vec<i64>> {
    // The text of a query in FTS5's own language is a value as well: a string of that language, in which a quote is
    // doubled, and nothing else has a meaning.
    let star = if words.is_prefix { " *" } else { "" };
    let phrase = format!("\"{}\"{star}", words.text.replace('"', "\"\"").replace('\0', " "));
    let mut select = conn.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1")?;
    let found = select.query_map([phrase], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Calls by their ids; of events, all of those calls.
fn calls(conn: &Connection, ids: &[Pattern], space: Space) -> Step<Source> {
    let mut chunks: BTreeMap<u64, RoaringBitmap> = BTreeMap::new();
    let mut add = |index: u64| {
        let (chunk, doc) = docs::split(index);
        chunks.entry(chunk).or_default().insert(doc);
    };
    let mut select = conn.prepare_cached("SELECT first, more FROM call WHERE id >= ?1 AND id <= ?2")?;
    for id in ids {
        let (least, greatest) = range(id);
        let mut rows = select.query((least, greatest))?;
        while let Some(row) = rows.next()? {
            let first: i64 = row.get(0)?;
            add(unsigned(first));
            if space == Space::Events {
                more(first, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?.into_iter().for_each(&mut add);
            }
        }
    }
    Ok(Source::Records(chunks))
}

fn more(first: i64, sealed: &[u8]) -> Step<Vec<u64>> {
    let bytes = docs::unseal(first, sealed).ok_or_else(|| Stop::useless("a call is not what was written"))?;
    Ok(docs::from_bytes(bytes).into_iter().map(unsigned).collect())
}

/// The id of the call that began with a record, and the indices of all its events.
pub(super) fn call(conn: &Connection, first: u64) -> Step<(String, Vec<u64>)> {
    let first = signed(first);
    let mut select = conn.prepare_cached("SELECT id, more FROM call WHERE first = ?1")?;
    let found = select.query_row([first], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let (id, sealed) = found.optional()?.ok_or_else(|| Stop::useless("a call is missing"))?;
    let mut indices = vec![unsigned(first)];
    indices.extend(more(first, &sealed)?);
    Ok((id, indices))
}

/// Terms of a filter that nothing recorded has, as they were written, with values that are nearly the same.
pub(super) fn unknown(conn: &Connection, filter: &Filter, space: Space) -> Step<Vec<(String, Vec<String>)>> {
    /// Most values that are compared.
    const COMPARED: i64 = 10_000;
    let mut unknown = Vec::new();
    for term in filter.terms.iter().filter(|term| !term.negated) {
        let alone = Filter { terms: vec![term.clone()], since: None, until: None };
        let query = Query::new(conn, &alone, space)?;
        if query.wanted.iter().all(|source| !source.is_empty()) {
            continue;
        }
        let mut near = Vec::new();
        if let Test::Is(key, values) = &term.test
            && let [value] = values.as_slice()
        {
            let mut select = conn.prepare_cached("SELECT value FROM term WHERE field = ?1 LIMIT ?2")?;
            for field in key.fields() {
                let known = select.query_map((field.number(), COMPARED), |row| row.get::<_, String>(0))?;
                let known = known.collect::<Result<Vec<_>, _>>()?;
                near.extend(super::filter::near(&value.text, known.iter().map(String::as_str)));
            }
        }
        unknown.push((term.text.clone(), near));
    }
    Ok(unknown)
}
