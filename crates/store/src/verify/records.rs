//! Reading a log once, checking everything on the way.

use super::{
    Fault, MAX_STEP_BACK, Place, PrunedRecords, Report, Verdict,
    growing::{Ended, Growing},
    keys::Keys,
    pruned::Gone,
    tiles::Tiles,
};
use crate::{
    calls::Calls,
    log::{
        checkpoints::{self, Stored},
        frame::Frame,
        identity::read_line,
        keyring,
        layout::Layout,
        prune::prefix::{self, Prefix},
        scan::Tail,
        walk::{End, WalkError, walk},
    },
    prove::StoredTiles,
};
use proof::{KeyError, KeyHistory, Verifier};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::{Path, PathBuf},
};
use vocab::{Event, event::VERSION};

/// Why no verdict was reached.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no log.
    #[error("`{0}` holds no log")]
    NoLog(PathBuf),
    /// The key given is none.
    #[error("the verifying key given is not valid: {0}")]
    Key(#[from] KeyError),
    /// The file system failed.
    #[error("`{path}` cannot be read: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What stands beside the records cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

impl VerifyError {
    pub(crate) fn unreadable(error: impl std::fmt::Display) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Verifies the log in `dir`: every record's checksum, index and schema; every checkpoint's signature and root; every
/// tile, and every bundle that somebody had written; that nothing sealed is missing.
///
/// `vkey` is the key that is trusted: the one the log began with, or one that it was rotated to. It has to have signed a
/// checkpoint; and each key of the log has to have been handed over to by the one before, in a checkpoint that both signed.
/// Without it the key stored beside the log is believed: that finds damage, not a forger who has replaced all of it.
///
/// A beginning that was pruned, as a sealed record says, by the retention in force, is no fault. Its part of the tree is under
/// the checkpoints like the records.
///
/// # Errors
/// No verdict was reached.
pub fn verify(dir: &Path, vkey: Option<&str>) -> Result<Report, VerifyError> {
    let layout = Layout::new(dir);
    let pinned = vkey.map(Verifier::from_vkey).transpose()?;
    match layout.is_there() {
        Ok(true) => {}
        Ok(false) => return Err(VerifyError::NoLog(dir.to_owned())),
        Err(source) => return Err(VerifyError::Io { path: layout.segment_dir(), source }),
    }
    let mut pass = Pass::default();
    let begins = prefix::start(&layout).ok();
    let mut done = pass.run(&layout, pinned.clone());
    // Records that are pruned meanwhile are none that are missing.
    if done.is_err() && prefix::start(&layout).ok() != begins {
        pass = Pass::default();
        done = pass.run(&layout, pinned);
    }
    let verdict = match done {
        Ok(()) => Verdict::Ok,
        Err(Fault::Verdict(verdict)) => relative(verdict, dir),
        Err(Fault::Io(path, source)) => return Err(VerifyError::Io { path, source }),
    };
    Ok(pass.report(verdict))
}

/// What ends the reading of records.
enum Stop {
    Fault(Fault),
    /// The tree says why.
    Tree,
}

/// What is known on the way.
#[derive(Default)]
struct Pass {
    keys: Option<Keys>,
    origin: String,
    /// What is known of records that are gone.
    gone: Option<Gone>,
    pruned: Option<PrunedRecords>,
    /// Records read.
    events: u64,
    /// The same, and those that are gone.
    size: u64,
    /// Checkpoints over more records than read so far, by size.
    ahead: VecDeque<Stored>,
    sealed: u64,
    checkpoints: u64,
    calls: Calls,
    latest: i64,
    steps_back: u64,
    unfinished_bytes: u64,
    derived_missing: u64,
    epochs: u32,
}

impl Pass {
    fn run(&mut self, layout: &Layout, pinned: Option<Verifier>) -> Result<(), Fault> {
        let first = self.identity(layout)?;
        let prefix = prefix(layout)?;
        self.ahead = load(layout, &first)?;
        self.keys = Some(Keys::new(layout, first, pinned, prefix.as_ref()));
        self.sealed = self.ahead.back().map_or(0, |stored| stored.checkpoint.size());
        let tiles = Tiles::list(layout, prefix.as_ref())?;
        if let Some(prefix) = prefix {
            (self.size, self.epochs, self.latest) = (prefix.first, prefix.epoch, prefix.latest);
            self.check_below(layout, &prefix)?;
            self.gone = Some(Gone::new(prefix));
        }
        let (walked, tiles) = self.read(layout, tiles)?;
        let end = walked?;
        if let Some(stored) = self.ahead.front() {
            let sealed = format!("a checkpoint is over {} records", stored.checkpoint.size());
            return Err(match end.tail {
                Tail::Clean | Tail::Cut(_) => Fault::missing(Place::Record(end.size), sealed),
                Tail::Torn(_) | Tail::Altered => Fault::altered(Place::Record(end.size), sealed),
            });
        }
        if let Tail::Torn(bytes) | Tail::Cut(bytes) = end.tail {
            self.unfinished_bytes = bytes;
        }
        if let Some(gone) = self.gone.take() {
            self.pruned = Some(gone.finish(self.sealed)?);
        }
        self.derived_missing = tiles.finish()?;
        if let Some(keys) = &self.keys {
            self.derived_missing += keys.finish(layout, self.sealed)?;
        }
        Ok(())
    }

    /// Reads all records, and grows the tree over them. What contradicts the tree comes before what reading found, which is
    /// further on.
    fn read<'a>(&mut self, layout: &Layout, tiles: Tiles<'a>) -> Result<(Result<End, Fault>, Tiles<'a>), Fault> {
        std::thread::scope(|scope| {
            let growing = Growing::start(scope, tiles, self.size, &self.ahead);
            let mut growing = growing.map_err(|error| Fault::Io(layout.segment_dir(), error))?;
            self.check_signatures();
            let walked = walk(layout, &mut |frame| self.record(frame, &mut growing));
            let tiles = growing.finish().map_err(|stopped| {
                self.events = stopped.records;
                stopped.fault
            })?;
            Ok((walked.map_err(|stop| stop.into_fault(layout)), tiles))
        })
    }

    /// The key the log began with; the file of its origin must agree with it.
    fn identity(&mut self, layout: &Layout) -> Result<Verifier, Fault> {
        self.origin = line(&layout.origin())?;
        let stored = line(&layout.vkey())?;
        let file = || Place::File(layout.vkey());
        let stored = Verifier::from_vkey(&stored).map_err(|error| Fault::altered(file(), error.to_string()))?;
        if stored.name().as_str() != self.origin {
            return Err(Fault::altered(Place::File(layout.origin()), "it is not the name of the key"));
        }
        Ok(stored)
    }

    fn record(&mut self, frame: &Frame<'_>, growing: &mut Growing<'_, '_>) -> Result<(), Stop> {
        self.event(frame)?;
        growing.push(frame.bytes)?;
        self.events += 1;
        self.size += 1;
        self.check_signatures();
        Ok(())
    }

    /// Checks what a record says.
    fn event(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        let place = || Place::Record(frame.index);
        // INVARIANT: every opening that wrote anything is one more than the last that did.
        if frame.epoch > self.epochs.saturating_add(1) {
            let what = format!("it is of opening {}, and of the one before no record is there", frame.epoch);
            return Err(Fault::missing(place(), what));
        }
        self.epochs = frame.epoch;
        let event = Event::from_bytes(frame.bytes).map_err(|error| Fault::altered(place(), error.to_string()))?;
        if event.v != VERSION {
            return Err(Fault::altered(place(), format!("it is of unknown version {}", event.v)));
        }
        self.steps_back += u64::from(event.t < self.latest.saturating_sub(MAX_STEP_BACK));
        self.latest = self.latest.max(event.t);
        self.calls.see(&event);
        if let Some(gone) = &mut self.gone {
            gone.see(frame.index, &event);
        }
        if let Some(keys) = &mut self.keys {
            keys.see(frame.index, frame.bytes, event.kind)?;
        }
        Ok(())
    }

    /// Checks that the log grew to what is known of the records that are gone from each checkpoint that is over fewer.
    fn check_below(&mut self, layout: &Layout, prefix: &Prefix) -> Result<(), Fault> {
        while let Some(stored) = self.ahead.pop_front_if(|stored| stored.checkpoint.size() < prefix.first) {
            let grew = prefix.grew_from(&stored.checkpoint, &StoredTiles(layout));
            grew.map_err(|error| Fault::altered(Place::File(stored.path.clone()), error.to_string()))?;
            if let Some(keys) = &mut self.keys {
                keys.check(&stored);
            }
            self.checkpoints += 1;
        }
        Ok(())
    }

    /// Checks who signed the checkpoints over all records read so far. The tree is compared with them when it has grown as
    /// far.
    fn check_signatures(&mut self) {
        while let Some(stored) = self.ahead.pop_front_if(|stored| stored.checkpoint.size() == self.size) {
            if let Some(keys) = &mut self.keys {
                keys.check(&stored);
            }
            self.checkpoints += 1;
        }
    }

    fn report(self, verdict: Verdict) -> Report {
        Report {
            verdict,
            origin: self.origin,
            events: self.events,
            pruned: self.pruned,
            sealed: self.sealed,
            unsealed: self.size.saturating_sub(self.sealed),
            checkpoints: self.checkpoints,
            unknown: self.calls.unknown(),
            not_run: self.calls.not_run(),
            unfinished_bytes: self.unfinished_bytes,
            derived_missing: self.derived_missing,
            steps_back: self.steps_back,
            epochs: self.epochs,
        }
    }
}

impl Stop {
    fn into_fault(self, layout: &Layout) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            // INVARIANT: a tree that has ended early has a fault, which comes first.
            Self::Tree => Fault::Io(layout.tile_dir(), io::Error::other("the tree ended early")),
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<WalkError> for Stop {
    fn from(error: WalkError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Ended> for Stop {
    fn from(Ended: Ended) -> Self {
        Self::Tree
    }
}

/// All checkpoints that a key of the log has signed, by size. Whether it may sign that size is known when the records before
/// are.
fn load(layout: &Layout, first: &Verifier) -> Result<VecDeque<Stored>, Fault> {
    match load_with(layout, &keyring::assumed(layout, first)) {
        // Where `keys` is missing or wrong, the records say it.
        Err(Fault::Verdict(Verdict::Altered { .. })) => load_with(layout, &keyring::derived(layout, first)),
        loaded => loaded,
    }
}

fn load_with(layout: &Layout, keys: &KeyHistory) -> Result<VecDeque<Stored>, Fault> {
    let read = |path: &Path| checkpoints::read_signed(path, keys);
    let published = read(&layout.checkpoint())?
        .ok_or_else(|| Fault::missing(Place::File(layout.checkpoint()), "every log has one"))?;
    let mut by_size = BTreeMap::from([((published.checkpoint.size(), 1), published)]);
    for size in layout.archived_sizes().map_err(|error| Fault::Io(layout.archive(), error))? {
        let stored = read(&layout.archived(size)).and_then(|stored| checkpoints::of_size(stored, size));
        if let Some(stored) = stored? {
            by_size.insert((size, 0), stored);
        }
    }
    // What a witness cosigned is a checkpoint like the others, and one that nobody could cut off with the log.
    let cosigned = layout.cosigned_files().map_err(|error| Fault::Io(layout.witnesses(), error))?;
    for (number, path) in (2..).zip(cosigned) {
        if let Some(stored) = read(&path)? {
            by_size.insert((stored.checkpoint.size(), number), stored);
        }
    }
    Ok(by_size.into_values().collect())
}

/// What stays known of records that are gone, if some are.
fn prefix(layout: &Layout) -> Result<Option<Prefix>, Fault> {
    Prefix::read(layout).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Fault::altered(Place::File(layout.pruned()), error.to_string()),
        _ => Fault::Io(layout.pruned(), error),
    })
}

fn line(path: &Path) -> Result<String, Fault> {
    read_line(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Fault::missing(Place::File(path.to_owned()), "every log has one"),
        io::ErrorKind::InvalidData => Fault::altered(Place::File(path.to_owned()), "it is not one line of text"),
        _ => Fault::Io(path.to_owned(), error),
    })
}

/// The same verdict with the file named from the log's directory.
fn relative(mut verdict: Verdict, dir: &Path) -> Verdict {
    if let Verdict::Missing { place: Place::File(path), .. } | Verdict::Altered { place: Place::File(path), .. } =
        &mut verdict
        && let Ok(relative) = path.strip_prefix(dir)
    {
        *path = relative.to_owned();
    }
    verdict
}
