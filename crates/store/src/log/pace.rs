//! How far a segment may be filled ahead of time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Lets whoever fills the next segment keep step with whoever uses this one up. Zeros written all at once would keep a
/// core from the commits for as long as that takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that may be filled by now.
    allowed: u64,
    /// What is waited for: whoever fills is woken once for it, not for every commit.
    wanted: u64,
    is_abandoned: bool,
}

/// Nobody wants the segment any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Abandoned;

impl Pace {
    /// As fast as possible.
    pub(crate) fn free() -> Self {
        let pace = Self::default();
        pace.allow(u64::MAX);
        pace
    }

    /// Lets filling go on up to `bytes`. Never takes back what was allowed.
    pub(crate) fn allow(&self, bytes: u64) {
        let mut state = self.state();
        state.allowed = state.allowed.max(bytes);
        if state.allowed >= state.wanted {
            self.0.changed.notify_all();
        }
    }

    /// Stops filling.
    pub(crate) fn abandon(&self) {
        self.state().is_abandoned = true;
        self.0.changed.notify_all();
    }

    /// Waits until `bytes` may have been filled.
    pub(crate) fn wait(&self, bytes: u64) -> Result<(), Abandoned> {
        let mut state = self.state();
        state.wanted = bytes;
        while state.allowed < bytes && !state.is_abandoned {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Nobody waits.
        state.wanted = u64::MAX;
        if state.is_abandoned { Err(Abandoned) } else { Ok(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn filling_waits_until_it_is_allowed_or_abandoned() {
        let pace = Pace::default();
        let (filled, seen) = mpsc::channel();
        let waiting = pace.clone();
        let filler = std::thread::spawn(move || {
            for bytes in 1.. {
                let allowed = waiting.wait(bytes * 10);
                filled.send((bytes * 10, allowed.is_ok())).unwrap();
                if allowed.is_err() {
                    return;
                }
            }
        });
        pace.allow(25);
        pace.allow(5);
        assert_eq!((seen.recv(), seen.recv()), (Ok((10, true)), Ok((20, true))));
        assert!(seen.try_recv().is_err());
        pace.allow(30);
        assert_eq!(seen.recv(), Ok((30, true)));
        pace.abandon();
        assert_eq!(seen.recv(), Ok((40, false)));
        filler.join().unwrap();
        assert_eq!(Pace::free().wait(u64::MAX), Ok(()));
    }
}
