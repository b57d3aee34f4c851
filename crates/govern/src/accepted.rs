//! The configuration somebody accepted, kept outside the repository, so that editing files and starting again loosens
//! nothing.

use crate::change::{Change, compare};
use crate::project::Files;
use serde::{Deserialize, Serialize};
use store::{StateDir, StateError};
use thiserror::Error;
use vocab::id::{Digest, UserId};

/// The file in the state directory.
pub const ACCEPTED_FILE: &str = "accepted.json";

/// The accepted bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The files in force. Tests are not among them.
    pub files: Files,
    /// Their [`Files::revision`].
    pub revision: Digest,
    /// Who accepted them; `None` for what a first start found and for edits that only tighten.
    pub by: Option<UserId>,
    /// Why.
    pub why: String,
    /// When, microseconds since the epoch.
    pub at_us: i64,
}

/// Whether this state directory has been used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// It is new: there is no log yet.
    None,
    /// It has served before.
    Some,
}

/// Why the accepted bundle cannot be used. The answer is to deny everything, never to accept what is found.
#[derive(Debug, Error)]
pub enum AcceptedError {
    /// The state directory cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file does not read, or is not what its digest says.
    #[error("the accepted configuration in `{ACCEPTED_FILE}` is damaged")]
    Damaged,
    /// The state has a past, but nothing accepted: somebody removed it.
    #[error("the accepted configuration is gone from a state directory that has been used")]
    Gone,
    /// Longer than a state file may be.
    #[error("the configuration is too long to be kept")]
    TooLong,
}

impl Accepted {
    /// A bundle of what is in force among these files.
    #[must_use]
    pub fn new(files: &Files, by: Option<UserId>, why: impl Into<String>, at_us: i64) -> Self {
        let files = files.only_in_force();
        Self { revision: files.revision(), files, by, why: why.into(), at_us }
    }

    /// Reads what was accepted; `None` only on a first start.
    ///
    /// # Errors
    /// When it is gone or damaged, or the state directory cannot be read.
    pub fn load(state: &StateDir, past: Past) -> Result<Option<Self>, AcceptedError> {
        match (state.read(ACCEPTED_FILE)?, past) {
            (Some(bytes), _) => Self::parse(&bytes).map(Some),
            (None, Past::None) => Ok(None),
            (None, Past::Some) => Err(AcceptedError::Gone),
        }
    }

    /// Keeps it. When this returns it is durable.
    ///
    /// # Errors
    /// When it is too long or the state directory cannot be written.
    pub fn save(&self, state: &StateDir) -> Result<(), AcceptedError> {
        let bytes = serde_json::to_vec(self).map_err(|_| AcceptedError::Damaged)?;
        if bytes.len() as u64 > MAX_ACCEPTED_BYTES {
            return Err(AcceptedError::TooLong);
        }
        Ok(state.write(ACCEPTED_FILE, &bytes)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, AcceptedError> {
        let accepted: Self = serde_json::from_slice(bytes).map_err(|_| AcceptedError::Damaged)?;
        if accepted.files.revision() == accepted.revision { Ok(accepted) } else { Err(AcceptedError::Damaged) }
    }
}

/// Longest kept bundle: what the state directory reads back.
pub const MAX_ACCEPTED_BYTES: u64 = store::state::MAX_STATE_FILE_BYTES;

/// What is in force after a start or a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconciliation {
    /// These files: nothing changed, or only towards stricter. Keep them when they differ from what was kept.
    InForce(Files),
    /// The accepted files stay, and the edit waits for a person.
    Waiting {
        /// What stays in force.
        in_force: Files,
        /// What was found.
        candidate: Files,
        /// The difference.
        change: Change,
    },
    /// Nothing was ever accepted: what was found is accepted and recorded.
    FirstUse(Files),
}

/// Decides what is in force, from what was accepted and what was found.
#[must_use]
pub fn reconcile(accepted: Option<Files>, found: Files) -> Reconciliation {
    let Some(accepted) = accepted else {
        return Reconciliation::FirstUse(found);
    };
    let change = compare(&accepted, &found);
    if change.must_wait() {
        Reconciliation::Waiting { in_force: accepted, candidate: found, change }
    } else {
        Reconciliation::InForce(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::{AGENT, put, sample};

    fn state() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        (dir, state)
    }

    #[test]
    fn what_is_saved_is_loaded_without_tests() {
        let (_dir, state) = state();
        let mut files = sample();
        put(&mut files, "mortise/tests/t.yaml", "x");
        let accepted = Accepted::new(&files, Some(UserId::new("ada")), "reviewed", 7);
        accepted.save(&state).unwrap();
        let loaded = Accepted::load(&state, Past::Some).unwrap().unwrap();
        assert_eq!(loaded, accepted);
        assert_eq!((loaded.files.texts.len(), loaded.revision), (5, files.revision()));
    }

    #[test]
    fn gone_is_not_a_first_start() {
        let (_dir, state) = state();
        assert!(Accepted::load(&state, Past::None).unwrap().is_none());
        assert!(matches!(Accepted::load(&state, Past::Some), Err(AcceptedError::Gone)));
    }

    #[test]
    fn damage_is_not_a_first_start() {
        let (_dir, state) = state();
        let accepted = Accepted::new(&sample(), None, "", 0);
        let text = serde_json::to_string(&accepted).unwrap();
        for damaged in ["", "{}", &text.replace("desk/close", "desk/*"), &text.replace("\"why\"", "\"wy\"")] {
            state.write(ACCEPTED_FILE, damaged.as_bytes()).unwrap();
            assert!(matches!(Accepted::load(&state, Past::None), Err(AcceptedError::Damaged)), "{damaged}");
        }
    }

    #[test]
    fn length_is_bounded() {
        let (_dir, state) = state();
        let mut files = sample();
        put(&mut files, "mortise/evals.lock", &"x".repeat(usize::try_from(MAX_ACCEPTED_BYTES).unwrap()));
        assert!(matches!(Accepted::new(&files, None, "", 0).save(&state), Err(AcceptedError::TooLong)));
    }

    #[test]
    fn restarting_loosens_nothing() {
        let accepted = Accepted::new(&sample(), None, "", 0).files;
        assert_eq!(reconcile(None, sample()), Reconciliation::FirstUse(sample()));
        assert_eq!(reconcile(Some(accepted.clone()), sample()), Reconciliation::InForce(sample()));
        let mut less = sample();
        put(&mut less, "mortise/agents/bot.toml", AGENT);
        assert_eq!(reconcile(Some(accepted.clone()), less.clone()), Reconciliation::InForce(less.clone()));
        let kept = Accepted::new(&less, None, "", 0).files;
        let Reconciliation::Waiting { in_force, candidate, change } = reconcile(Some(kept.clone()), sample()) else {
            panic!("taking the tightening back must wait")
        };
        assert_eq!((in_force, candidate, change.must_wait()), (kept, sample(), true));
    }
}
