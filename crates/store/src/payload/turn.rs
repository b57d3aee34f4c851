//! Who may change the files of a unit: whoever writes it, whoever packs it, whoever removes it. One after the other, and packing
//! gives way.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// The files of one log's payloads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Held by whoever opens a unit for writing, and while a packed part takes the place of what was written.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Units that are open for writing: one of each class at most.
    written: Vec<PathBuf>,
    /// The unit that is being packed, and whether it was opened for writing since.
    packed: Option<(PathBuf, bool)>,
    /// How many want nothing to be packed.
    paused: usize,
    is_over: bool,
}

/// As long as this is there, nothing is packed.
#[derive(Debug)]
pub struct Paused(Turn);

/// The right to pack a unit.
pub(crate) struct Packing {
    turn: Turn,
    unit: PathBuf,
}

impl Turn {
    /// Opens a unit for writing, alone.
    pub(crate) fn open<T, E>(&self, unit: &Path, open: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut state = self.state();
        if let Some((_, is_spoilt)) = state.packed.as_mut().filter(|(packed, _)| packed == unit) {
            *is_spoilt = true;
        }
        let opened = open()?;
        state.written.push(unit.to_owned());
        Ok(opened)
    }

    /// A unit is not written any more.
    pub(crate) fn closed(&self, unit: &Path) {
        self.state().written.retain(|written| written != unit);
    }

    /// The right to pack a unit, unless it is being written, or somebody wants nothing to be packed.
    pub(crate) fn pack(&self, unit: &Path) -> Option<Packing> {
        let mut state = self.state();
        let may = !state.is_over && state.paused == 0 && state.packed.is_none();
        if !may || state.written.iter().any(|written| written == unit) {
            return None;
        }
        state.packed = Some((unit.to_owned(), false));
        Some(Packing { turn: self.clone(), unit: unit.to_owned() })
    }

    /// From now on nothing is packed; what is being packed is given up first, which takes milliseconds.
    pub(crate) fn pause(&self) -> Paused {
        let mut state = self.state();
        state.paused += 1;
        drop(self.0.changed.wait_while(state, |state| state.packed.is_some()));
        Paused(self.clone())
    }

    /// As [`pause`](Self::pause), for good.
    pub(crate) fn end(&self) {
        self.state().is_over = true;
        drop(self.pause());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.0.state().paused -= 1;
    }
}

impl Packing {
    /// Whether somebody wants this to be given up.
    pub(crate) fn is_unwanted(&self) -> bool {
        let state = self.turn.state();
        let is_spoilt = state.packed.as_ref().is_some_and(|(_, is_spoilt)| *is_spoilt);
        state.paused > 0 || state.is_over || is_spoilt
    }

    /// Puts what was packed in its place, alone, unless that is unwanted by now.
    pub(crate) fn finish<T>(&self, put: impl FnOnce() -> T) -> Option<T> {
        let state = self.turn.state();
        let is_ours = state.packed.as_ref().is_some_and(|(unit, is_spoilt)| *unit == self.unit && !is_spoilt);
        (is_ours && state.paused == 0 && !state.is_over).then(put)
    }
}

impl Drop for Packing {
    fn drop(&mut self) {
        self.turn.state().packed = None;
        self.turn.0.changed.notify_all();
    }
}
