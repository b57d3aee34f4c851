//! Finding events and calls in the log.
//!
//! The index beside the log says *which* records a filter selects, and nothing else: what is shown is read from the log.
//! It is disposable. Each use reads what the log has got since, and makes the index anew when it belongs to another log,
//! has another version, is damaged, knows more than the log, or is gone. It holds no argument and no result, for events
//! carry none.
//!
//! Reading order: [`Filter`] (what is asked) → `terms` (what an event can be found by) → `build` (the log read into
//! sets) → `find` (sets joined) → `file` and `schema` (where they are kept).

mod build;
mod docs;
mod error;
mod file;
mod filter;
mod find;
mod forget;
mod schema;
mod terms;
#[cfg(test)]
mod tests;

pub use docs::Space;
pub use error::SearchError;
pub use filter::{Filter, MAX_FILTER_BYTES};
pub use find::Counts;
pub use terms::action;

use crate::read::{LogReader, Record};
use build::{MARK_EVERY, Memory};
use error::{Step, Stop};
use file::IndexFile;
use find::Query;
use rusqlite::{Connection, TransactionBehavior};
use schema::State;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use terms::Field;

/// How often an index is made anew for one operation because it turned out to be of no use.
const MOST_REMADE: usize = 2;
/// The same because somebody removed it meanwhile.
const MOST_REMOVED: usize = 10;

/// The index of one log. Several processes may have it open.
pub struct SearchIndex {
    dir: PathBuf,
    log: LogReader,
    origin: String,
    vkey: String,
    wait: Duration,
    file: Option<IndexFile>,
    memory: Memory,
    rebuilt: Option<String>,
}

/// How the index is held while something is done with it.
#[derive(Clone, Copy)]
enum Hold {
    Shared,
    Alone,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    /// Verdicts.
    Verdict,
    /// Agents.
    Agent,
    /// Tools, as `server/tool`.
    Tool,
    /// Every rule that spoke, permitted or would have spoken.
    Rule,
    /// How calls ended.
    Outcome,
}

/// A page of what was found, newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What was found.
    pub hits: Vec<Hit>,
    /// Where the next page goes on; none where this is the last one. It stays good when the index is made anew.
    pub next: Option<u64>,
}

/// One call with its records in order, or one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The call; none of an event.
    pub call: Option<String>,
    /// Its records, as they are in the log.
    pub records: Vec<Record>,
}

impl SearchIndex {
    /// The index in `dir` of the log in `log`. Nothing is read or made yet.
    ///
    /// # Errors
    /// There is no log.
    pub fn new(dir: &Path, log: &Path) -> Result<Self, SearchError> {
        let log = LogReader::open(log)?;
        let (origin, vkey) = log.identity()?;
        let (dir, memory) = (dir.to_owned(), Memory::default());
        Ok(Self { dir, log, origin, vkey, wait: error::WAIT, file: None, memory, rebuilt: None })
    }

    /// The same, waiting no longer than this for what another process holds.
    #[must_use]
    pub fn wait_at_most(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Why the index was made anew since it was last asked, if it was.
    pub fn take_rebuilt(&mut self) -> Option<String> {
        self.rebuilt.take()
    }

    /// Reads what the log has got since, and forgets what was pruned from it. `progress` is told after each batch how many records are in the index. Gives
    /// how many there are at the end.
    ///
    /// # Errors
    /// The log cannot be read; the index is held by somebody for too long; the file system fails.
    pub fn catch_up(&mut self, progress: &mut dyn FnMut(u64)) -> Result<u64, SearchError> {
        let first = self.log.first()?;
        if self.with(Hold::Shared, |file, _, _| Ok(State::read(&file.conn)?.kept))? < first {
            self.forget(first)?;
        }
        loop {
            // Only who has something to write keeps the others waiting.
            let known = self.with(Hold::Shared, |file, log, _| {
                let state = State::read(&file.conn)?;
                let is_behind = build::resume(log, &state)?.next().transpose()?.is_some();
                Ok((!is_behind).then_some(state.next))
            })?;
            if let Some(next) = known {
                return Ok(next);
            }
            progress(self.with(Hold::Alone, |file, log, memory| {
                build::batch(&mut file.conn, log, memory)?;
                Ok(State::read(&file.conn)?.next)
            })?);
        }
    }

    /// The newest of what a filter selects: at most `limit`, and older than `after`, the `next` of the page before.
    ///
    /// # Errors
    /// Those of [`catch_up`](Self::catch_up); a record of the log cannot be read.
    pub fn search(
        &mut self,
        filter: &Filter,
        space: Space,
        limit: usize,
        after: Option<u64>,
    ) -> Result<Page, SearchError> {
        self.with(Hold::Shared, |file, log, _| {
            let tx = file.conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
            let (found, more) = Query::new(&tx, filter, space)?.page(limit, after)?;
            let mut calls = Vec::new();
            for index in &found {
                calls.push(match space {
                    Space::Events => (None, vec![*index]),
                    Space::Calls => find::call(&tx, *index).map(|(id, indices)| (Some(id), indices))?,
                });
            }
            let wanted = calls.iter().flat_map(|(_, indices)| indices.iter().copied()).collect();
            let records = read(&tx, log, &wanted)?;
            let hit = |(call, indices): (Option<String>, Vec<u64>)| {
                let records = indices
                    .iter()
                    .filter_map(|index| records.get(index).map(|bytes| Record { index: *index, bytes: bytes.clone() }));
                Hit { call, records: records.collect() }
            };
            let next = found.last().copied().filter(|_| more);
            Ok(Page { hits: calls.into_iter().map(hit).collect(), next })
        })
    }

    /// How often each value occurs among all that a filter selects.
    ///
    /// # Errors
    /// Those of [`catch_up`](Self::catch_up).
    pub fn count(&mut self, filter: &Filter, space: Space, by: Facet) -> Result<Counts, SearchError> {
        let field = match by {
            Facet::Verdict => Field::Verdict,
            Facet::Agent => Field::Agent,
            Facet::Tool => Field::Action,
            Facet::Rule => Field::Rule,
            Facet::Outcome => Field::Outcome,
        };
        self.with(Hold::Shared, |file, _, _| {
            let tx = file.conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
            Query::new(&tx, filter, space)?.count(field)
        })
    }

    /// Terms of a filter that nothing recorded has, as they were written, each with values that are nearly the same.
    ///
    /// # Errors
    /// Those of [`catch_up`](Self::catch_up).
    pub fn unknown(&mut self, filter: &Filter, space: Space) -> Result<Vec<(String, Vec<String>)>, SearchError> {
        self.with(Hold::Shared, |file, _, _| {
            let tx = file.conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
            find::unknown(&tx, filter, space)
        })
    }

    /// Forgets the records before `before`, and the calls that began there: their words are in no page of the file any
    /// more. For what was pruned from the log.
    ///
    /// # Errors
    /// Those of [`catch_up`](Self::catch_up).
    pub fn forget(&mut self, before: u64) -> Result<(), SearchError> {
        self.with(Hold::Alone, |file, _, _| forget::forget(&mut file.conn, before))
    }

    /// Does something with the index; where that shows that it is of no use, once more with a new one, which knows
    /// everything that the log has.
    fn with<T>(
        &mut self,
        hold: Hold,
        mut work: impl FnMut(&mut IndexFile, &LogReader, &mut Memory) -> Step<T>,
    ) -> Result<T, SearchError> {
        let (mut remade, mut removed) = (0, 0);
        loop {
            let held = match (hold, &self.file) {
                (Hold::Shared, Some(_)) => file::share(&self.dir, self.wait)?,
                _ => file::hold(&self.dir, self.wait)?,
            };
            let (id, opened) = match self.file.take() {
                Some(file) => (file.id, file.check_in_place(&self.dir).map(|()| file)),
                None => {
                    self.memory = Memory::default();
                    IndexFile::open(&self.dir, self.wait, (&self.origin, &self.vkey))?
                }
            };
            let (log, memory) = (&self.log, &mut self.memory);
            let done = opened.and_then(|mut file| {
                if remade + removed > 0 {
                    fill(&mut file.conn, log, memory)?;
                }
                let done = work(&mut file, log, memory)?;
                Ok((file, done))
            });
            let why = match done {
                Ok((file, done)) => {
                    self.file = Some(file);
                    return Ok(done);
                }
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Useless(why)) => why,
            };
            drop(held);
            match file::remove(&self.dir, self.wait, id)? {
                true => remade += 1,
                false => removed += 1,
            }
            if remade > MOST_REMADE || removed > MOST_REMOVED {
                return Err(SearchError::Index(why));
            }
            tracing::debug!(%why, "search index is made anew");
            self.rebuilt = Some(why);
        }
    }
}

fn fill(conn: &mut Connection, log: &LogReader, memory: &mut Memory) -> Step<()> {
    while build::batch(conn, log, memory)?.1 {}
    Ok(())
}

/// The records with these indices, from the log.
fn read(conn: &Connection, log: &LogReader, wanted: &BTreeSet<u64>) -> Step<BTreeMap<u64, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut records: Option<crate::read::Records> = None;
    for index in wanted {
        let near = records.take().filter(|at| at.position() <= *index && *index - at.position() <= MARK_EVERY);
        let mut at = match near {
            Some(at) => at,
            None => match schema::read_mark(conn, *index)? {
                Some(position) => log.iter_at(position)?,
                None => log.iter_from(*index),
            },
        };
        let record = loop {
            match at.next().transpose()? {
                Some(record) if record.index < *index => {}
                Some(record) if record.index == *index => break record,
                _ => return Err(Stop::Failed(SearchError::Record(*index))),
            }
        };
        found.insert(record.index, record.bytes);
        records = Some(at);
    }
    Ok(found)
}
