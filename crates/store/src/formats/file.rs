//! From a log to a file.
//!
//! What is written goes to `FILE.partial`, and beside it `FILE.partial.state` says how far it is known to be good. `FILE`
//! appears whole or not at all. An export that is gone on with ends at the record at which it was to end when it began,
//! and writes what it would have written: the file is the same, byte for byte.

use super::{Encoder, Format, Head, Selection};
use crate::atomic;
use crate::log::checkpoints::StoredError;
use crate::log::{keyring, layout::Layout};
use crate::read::{LogReader, ReadError};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use vocab::Event;

/// Records between two places at which an encoder writes what is complete.
const STEP: u64 = 256;
/// Bytes between two saved states: what is done again after an interruption.
const SAVED_BYTES: u64 = 1024 * 1024;
/// Version of the state file.
const STATE: u32 = 1;

/// A log, a file, and what is to be in it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Directory of the log.
    pub log: PathBuf,
    /// The file. It must not be there yet.
    pub file: PathBuf,
    /// Its format.
    pub format: &'static Format,
    /// Which events are meant.
    pub selection: Selection,
    /// Wrap records with their index, in a format that has the choice.
    pub with_index: bool,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Name of the log.
    pub origin: String,
    /// Records of the log that were read: those with an index below this.
    pub records: u64,
    /// Rows, lines or spans written.
    pub rows: u64,
    /// Records that this Mortise cannot read as events. Only `jsonl` without a selection has them.
    pub unreadable: u64,
    /// Length of the file.
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing is written over.
    #[error("`{0}` is there already")]
    Exists(PathBuf),
    /// An interrupted export is there.
    #[error("`{0}` is what an interrupted export left")]
    Unfinished(PathBuf),
    /// The interrupted export was another one.
    #[error("`{0}` was begun with another format, selection or log")]
    Other(PathBuf),
    /// Somebody else writes it.
    #[error("another process writes `{0}`")]
    Busy(PathBuf),
    /// The log is not all there.
    #[error("the log does not verify: {0}")]
    Unsound(String),
    /// A record has no place in the format.
    #[error("{0}")]
    Record(String),
    /// Whoever was to be told that there will be a file did not agree.
    #[error("{0}")]
    Refused(String),
    /// The file system failed.
    #[error("`{path}` cannot be read or written: {source}")]
    Io {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How far an unfinished file is known to be good.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    v: u32,
    format: String,
    origin: String,
    agent: Option<String>,
    since: Option<i64>,
    until: Option<i64>,
    with_index: bool,
    mortise_version: String,
    /// The first record that is not meant any more.
    end: u64,
    /// The next record to take.
    next: u64,
    /// The first record to take again before, without writing.
    from: u64,
    /// Good bytes of the file.
    bytes: u64,
    rows: u64,
    unreadable: u64,
}

impl Job {
    /// Writes the file. With `resume`, goes on with what an interrupted export left, if it left something.
    ///
    /// `publish` is told what there will be, before there is; when it fails, there will not.
    ///
    /// # Errors
    /// See [`Failure`]. An interrupted file stays, to be gone on with.
    pub fn run(&self, resume: bool, publish: impl FnOnce(&Done) -> Result<(), Failure>) -> Result<Done, Failure> {
        if self.file.symlink_metadata().is_ok() {
            return Err(Failure::Exists(self.file.clone()));
        }
        let layout = Layout::new(&self.log);
        let reader = LogReader::open(&self.log)?;
        let origin = reader.origin()?;
        let fresh = self.begun(origin.clone(), &reader, &layout)?;
        let (mut writing, is_new) = self.open(fresh, resume)?;
        let head = Head { origin, selection: self.selection.clone(), with_index: self.with_index };
        let mut encoder = (self.format.encoder)(&head);
        let mut out = Vec::new();
        if is_new {
            encoder.begin(&mut out).map_err(Failure::Record)?;
        }
        writing.catch_up(encoder.as_mut(), &reader)?;
        writing.go_on(encoder.as_mut(), &reader, &mut out)?;
        writing.state.rows += encoder.finish(&mut out).map_err(Failure::Record)?;
        writing.write(&mut out)?;
        writing.sync()?;
        let done = writing.done(head.origin)?;
        if let Err(refused) = publish(&done) {
            self.remove()?;
            return Err(refused);
        }
        std::fs::rename(&writing.path, &self.file).map_err(failed(&self.file))?;
        atomic::sync_parent(&absolute(&self.file)).map_err(failed(&self.file))?;
        self.remove()?;
        Ok(done)
    }

    /// The state of an export that begins now.
    fn begun(&self, origin: String, reader: &LogReader, layout: &Layout) -> Result<State, Failure> {
        let end = reader.len()?;
        // That they end before what the newest checkpoint is over was said by now. Who signed it is looked at as well.
        keyring::published(layout).map_err(|error| Failure::Unsound(error.to_string()))?;
        let Selection { agent, since, until } = self.selection.clone();
        Ok(State {
            v: STATE,
            format: self.format.name.to_owned(),
            origin,
            agent,
            since,
            until,
            with_index: self.with_index,
            mortise_version: vocab::MORTISE_VERSION.to_owned(),
            end,
            next: 0,
            from: 0,
            bytes: 0,
            rows: 0,
            unreadable: 0,
        })
    }

    /// Opens the unfinished file, at the place from which it goes on. True when it begins there.
    fn open(&self, fresh: State, resume: bool) -> Result<(Writing, bool), Failure> {
        let (path, state_path) = (beside(&self.file, ".partial"), beside(&self.file, ".partial.state"));
        let is_there = path.symlink_metadata().is_ok();
        if is_there && !resume {
            return Err(Failure::Unfinished(path));
        }
        let mut state = if is_there { self.known(&state_path, &fresh)? } else { fresh };
        if !self.format.appends {
            (state.next, state.from, state.bytes, state.rows, state.unreadable) = (0, 0, 0, 0, 0);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600).custom_flags(NO_FOLLOW);
        let opened = if is_there { options.open(&path) } else { options.create_new(true).open(&path) };
        let mut file = opened.map_err(failed(&path))?;
        file.try_lock().map_err(|_| Failure::Busy(path.clone()))?;
        let length = file.metadata().map_err(failed(&path))?.len();
        if length < state.bytes {
            return Err(Failure::Other(path));
        }
        file.set_len(state.bytes).map_err(failed(&path))?;
        file.seek(SeekFrom::End(0)).map_err(failed(&path))?;
        let is_new = state.bytes == 0;
        let saved = state.bytes;
        Ok((Writing { path, state_path, file, state, saved }, is_new))
    }

    /// What is known of an interrupted file. Without a state, nothing of it is known to be good.
    fn known(&self, path: &Path, fresh: &State) -> Result<State, Failure> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(fresh.clone()),
            read => read.map_err(failed(path))?,
        };
        let known: State = serde_json::from_slice(&text).map_err(|_| Failure::Other(path.to_owned()))?;
        let place =
            |state: &State| State { end: 0, next: 0, from: 0, bytes: 0, rows: 0, unreadable: 0, ..state.clone() };
        let is_same = serde_json::to_vec(&place(&known)).ok() == serde_json::to_vec(&place(fresh)).ok();
        // A log that is shorter than it was is another log.
        if is_same && known.end <= fresh.end { Ok(known) } else { Err(Failure::Other(path.to_owned())) }
    }

    /// Removes what is unfinished.
    fn remove(&self) -> Result<(), Failure> {
        for suffix in [".partial", ".partial.state"] {
            let path = beside(&self.file, suffix);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&path)(error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// An unfinished file.
struct Writing {
    path: PathBuf,
    state_path: PathBuf,
    file: File,
    state: State,
    /// Bytes at the last saved state.
    saved: u64,
}

impl Writing {
    /// Takes again what is still under way, without writing it again.
    fn catch_up(&self, encoder: &mut dyn Encoder, reader: &LogReader) -> Result<(), Failure> {
        if self.state.from >= self.state.next {
            return Ok(());
        }
        let mut written_before = Vec::new();
        for record in reader.iter_from(self.state.from) {
            let record = record?;
            if record.index >= self.state.next {
                break;
            }
            let event = Event::from_bytes(&record.bytes).ok();
            encoder.take(&record, event.as_ref(), &mut written_before).map_err(Failure::Record)?;
            encoder.flush(&mut written_before).map_err(Failure::Record)?;
            written_before.clear();
        }
        Ok(())
    }

    fn go_on(&mut self, encoder: &mut dyn Encoder, reader: &LogReader, out: &mut Vec<u8>) -> Result<(), Failure> {
        for record in reader.iter_from(self.state.next) {
            let record = record?;
            if record.index >= self.state.end {
                break;
            }
            let event = Event::from_bytes(&record.bytes).ok();
            self.state.unreadable += u64::from(event.is_none());
            self.state.rows += encoder.take(&record, event.as_ref(), out).map_err(Failure::Record)?;
            self.state.next = record.index + 1;
            #[cfg(test)]
            self.stop_where_told()?;
            if self.state.next.is_multiple_of(STEP) {
                encoder.flush(out).map_err(Failure::Record)?;
                self.write(out)?;
                if self.state.bytes.saturating_sub(self.saved) >= SAVED_BYTES {
                    self.state.from = encoder.from().unwrap_or(self.state.next);
                    self.save()?;
                }
            }
        }
        if self.state.next < self.state.end {
            return Err(Failure::Unsound(format!("record {} is missing or altered", self.state.next)));
        }
        Ok(())
    }

    fn write(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.file.write_all(out).map_err(failed(&self.path))?;
        self.state.bytes += out.len() as u64;
        out.clear();
        Ok(())
    }

    fn sync(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(failed(&self.path))
    }

    /// Says that what is written is good, once it is.
    fn save(&mut self) -> Result<(), Failure> {
        self.sync()?;
        let text = serde_json::to_vec(&self.state).map_err(|error| failed(&self.state_path)(error.into()))?;
        let scratch = beside(&self.state_path, ".new");
        atomic::replace(&self.state_path, &scratch, &text, atomic::Durable::Whole).map_err(failed(&self.state_path))?;
        self.saved = self.state.bytes;
        Ok(())
    }

    fn done(&mut self, origin: String) -> Result<Done, Failure> {
        let mut digest = Context::new(&SHA256);
        let mut bytes = 0;
        self.file.seek(SeekFrom::Start(0)).map_err(failed(&self.path))?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = self.file.read(&mut buffer).map_err(failed(&self.path))?;
            if read == 0 {
                break;
            }
            digest.update(buffer.get(..read).unwrap_or_default());
            bytes += read as u64;
        }
        let (rows, unreadable) = (self.state.rows, self.state.unreadable);
        let sha256 = hex::encode(digest.finish());
        Ok(Done { origin, records: self.state.end, rows, unreadable, bytes, sha256 })
    }
}

#[cfg(test)]
thread_local! {
    /// Bytes after which the next export of this thread stops as if it had been killed.
    static BUDGET: std::cell::Cell<u64> = const { std::cell::Cell::new(u64::MAX) };
}

#[cfg(test)]
impl Writing {
    fn stop_where_told(&self) -> Result<(), Failure> {
        if self.state.bytes < BUDGET.get() { Ok(()) } else { Err(Failure::Record("killed".to_owned())) }
    }
}

#[cfg(test)]
impl Job {
    /// Runs until so many bytes are written. False when there were not so many.
    pub(super) fn run_until(&self, bytes: u64) -> bool {
        BUDGET.set(bytes);
        let stopped = matches!(self.run(false, |_| Ok(())), Err(Failure::Record(_)));
        BUDGET.set(u64::MAX);
        stopped
    }
}

/// `O_NOFOLLOW`: nothing is written through a link that somebody put there.
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// A name without a folder is in the present one.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Failure + use<'_> {
    |source| Failure::Io { path: path.to_owned(), source }
}

impl From<StoredError> for Failure {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Io { path, source } => Self::Io { path, source },
            invalid @ StoredError::Invalid { .. } => Self::Unsound(invalid.to_string()),
        }
    }
}
