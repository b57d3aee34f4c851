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
    /// Held by whoever opens a unit for writing.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Units that are open for writing: one of each class at most.
    written: Vec<PathBuf>,
    /// The unit that is being packed, and how far that is.
    packed: Option<(PathBuf, Phase)>,
    /// How many want nothing to be packed.
    paused: usize,
    is_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A part is made beside the unit's files.
    Made,
    /// It takes the place of what was written: whoever wants to write that very unit waits.
    Placed,
    /// The unit was opened for writing since.
    Spoilt,
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
    /// Opens a unit for writing, alone. Where its files are being replaced, that is over first; those of another unit are no
    /// reason to wait.
    pub(crate) fn open<T, E>(&self, unit: &Path, open: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let is_placed = |state: &mut State| {
            state.packed.as_ref().is_some_and(|(packed, phase)| packed == unit && *phase == Phase::Placed)
        };
        let state = self.0.changed.wait_while(self.state(), is_placed);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some((_, phase)) = state.packed.as_mut().filter(|(packed, _)| packed == unit) {
            *phase = Phase::Spoilt;
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
        state.packed = Some((unit.to_owned(), Phase::Made));
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
        let is_spoilt = state.packed.as_ref().is_some_and(|(_, phase)| *phase == Phase::Spoilt);
        state.paused > 0 || state.is_over || is_spoilt
    }

    /// Puts what was packed in its place, unless that is unwanted by now. Whoever wants to write this unit, or nothing to be
    /// packed, waits until it is done; whoever begins another unit does not.
    pub(crate) fn finish<T>(&self, put: impl FnOnce() -> T) -> Option<T> {
        if !self.enter(Phase::Made, Phase::Placed) {
            return None;
        }
        let done = put();
        self.enter(Phase::Placed, Phase::Made);
        Some(done)
    }

    /// Goes from one phase to the other; false where it is in another, or is to be given up.
    fn enter(&self, from: Phase, to: Phase) -> bool {
        let mut state = self.turn.state();
        if from == Phase::Made && (state.paused > 0 || state.is_over) {
            return false;
        }
        let ours = state.packed.as_mut().filter(|(unit, phase)| *unit == self.unit && *phase == from);
        let Some((_, phase)) = ours else { return false };
        *phase = to;
        self.turn.0.changed.notify_all();
        true
    }
}

impl Drop for Packing {
    fn drop(&mut self) {
        self.turn.state().packed = None;
        self.turn.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{Mutex, mpsc},
        time::Duration,
    };

    /// A first write after midnight begins another unit than the one whose files are being replaced.
    #[test]
    fn another_unit_is_begun_while_files_are_replaced_and_that_very_one_waits() {
        let (turn, unit) = (Turn::default(), PathBuf::from("day"));
        let packing = turn.pack(&unit).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (begun, begins) = mpsc::channel();
        let open = |name: &'static str| {
            let (turn, told, begun) = (turn.clone(), Arc::clone(&told), begun.clone());
            std::thread::spawn(move || {
                let opened: Result<(), ()> = turn.open(Path::new(name), || {
                    told.lock().unwrap().push(name);
                    Ok(())
                });
                begun.send(name).unwrap();
                opened.unwrap();
            })
        };
        let waiting = packing.finish(|| {
            // The very one first, so that it has all the time to be wrong in.
            let waiting = open("day");
            drop(open("next"));
            assert_eq!(begins.recv_timeout(Duration::from_secs(60)), Ok("next"));
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(1));
            }
            told.lock().unwrap().push("placed");
            waiting
        });
        waiting.unwrap().join().unwrap();
        assert_eq!(*told.lock().unwrap(), ["next", "placed", "day"]);
        assert!(packing.is_unwanted(), "it is written again");
    }
}
