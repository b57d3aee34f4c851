//! Which key signs what, as the records say it on the way.

use super::{Fault, Place};
use crate::log::{
    checkpoints::Stored,
    keyring,
    layout::Layout,
    prune::prefix::Prefix,
    rotation::{KeyState, key_change},
};
use proof::{KeyHistory, Note, Verifier};
use std::{path::PathBuf, slice::from_ref};
use vocab::event::Kind;

/// The keys of the records read so far, and what they have proved.
pub(super) struct Keys {
    state: KeyState,
    /// What `keys` said before the records were read.
    stored: Result<Option<KeyHistory>, String>,
    /// Every history that some of the records gave: what `keys` may say while a gateway writes, or after a crash.
    seen: Vec<KeyHistory>,
    /// Rotations that no checkpoint by both keys has proved yet: the record, the key before and the key behind.
    unproved: Vec<(u64, Verifier, Verifier)>,
    /// The first checkpoint that was signed wrongly. Why is said best when all keys are known.
    wrong: Option<(PathBuf, Note)>,
    /// The key that is trusted, if one was given, and whether it has signed anything.
    pinned: Option<(Verifier, bool)>,
}

impl Keys {
    /// Before the first record that is there. Rotations of records that are gone are proved like others: by a checkpoint
    /// that both keys signed, which is kept.
    pub(super) fn new(layout: &Layout, first: Verifier, pinned: Option<Verifier>, prefix: Option<&Prefix>) -> Self {
        let stored = keyring::stored(layout, &first);
        let state = prefix.map_or_else(|| KeyState::new(first), |prefix| KeyState::after(prefix.keys.clone()));
        let spans = state.history.spans();
        let unproved = spans.iter().zip(spans.iter().skip(1)).map(|(old, new)| {
            let index = new.from.saturating_sub(1);
            (index, old.key.clone(), new.key.clone())
        });
        let unproved = unproved.collect();
        let seen = vec![state.history.clone()];
        Self { state, stored, seen, unproved, wrong: None, pinned: pinned.map(|key| (key, false)) }
    }

    /// Takes the next record.
    pub(super) fn see(&mut self, index: u64, record: &[u8], kind: Kind) -> Result<(), Fault> {
        if kind != Kind::KeyRotated {
            return Ok(());
        }
        let altered = |what: String| Fault::altered(Place::Record(index), what);
        if key_change(record).is_none() {
            return Err(altered("it is about the log's keys, and has another form than such records have".to_owned()));
        }
        let changed = self.state.take(index, record);
        changed.map_err(|reason| altered(format!("it does not change the log's keys as it says: {reason}")))?;
        self.seen.push(self.state.history.clone());
        if let Some(begun) = self.state.rotation.as_ref().filter(|rotation| rotation.index == index) {
            self.unproved.push((index, begun.old.clone(), begun.new.clone()));
        }
        Ok(())
    }

    /// Checks the signatures of a checkpoint over all records read so far.
    pub(super) fn check(&mut self, stored: &Stored) {
        if self.state.history.open(&stored.note).is_err() {
            self.wrong.get_or_insert_with(|| (stored.path.clone(), stored.note.clone()));
        }
        let signed = |key: &Verifier| stored.note.verify(from_ref(key)).is_ok();
        self.unproved.retain(|(_, old, new)| !(signed(old) && signed(new)));
        if let Some((key, has_signed)) = &mut self.pinned {
            *has_signed = *has_signed || signed(key);
        }
    }

    /// Says, behind the last record, which checkpoint was signed wrongly, and checks that each rotation which is `sealed` was
    /// signed by both keys; the number of files that are missing and can be derived.
    pub(super) fn finish(&self, layout: &Layout, sealed: u64) -> Result<u64, Fault> {
        if let Some((path, note)) = &self.wrong {
            let why = self.state.history.open(note).err().map(|error| error.to_string());
            // Keys are named for sizes that come, so that no later record makes a signature good.
            let why = why.unwrap_or_else(|| "it was signed before its key was named".to_owned());
            return Err(Fault::altered(Place::File(path.clone()), why));
        }
        if let Some((index, old, new)) = self.unproved.iter().find(|(index, ..)| *index < sealed) {
            let what =
                format!("record {index} hands over from key `{}` to `{}`, and both have to sign", old.id(), new.id());
            return Err(Fault::missing(Place::File(layout.archived(index.saturating_add(1))), what));
        }
        if let Some((key, has_signed)) = &self.pinned {
            let file = Place::File(layout.vkey());
            if !self.state.history.knows(key) {
                return Err(Fault::altered(file, "it is not the key given, nor was the log rotated to that one"));
            }
            if !has_signed {
                return Err(Fault::altered(
                    file,
                    "the key given is named by the log and has signed no checkpoint of it",
                ));
            }
        }
        let file = || Place::File(layout.keys());
        match &self.stored {
            Ok(None) => Ok(u64::from(self.state.history.spans().len() > 1)),
            Ok(Some(stored)) if self.seen.contains(stored) => Ok(0),
            Ok(Some(stored)) => match stored.spans().iter().find(|span| !self.state.history.knows(&span.key)) {
                Some(span) => Err(Fault::missing(file(), format!("no record names its key `{}`", span.key.id()))),
                None => Err(Fault::altered(file(), "it does not follow from the records")),
            },
            Err(reason) => Err(Fault::altered(file(), reason.clone())),
        }
    }
}
