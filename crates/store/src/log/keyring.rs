//! The keys of a log as its directory says them: `vkey`, the first; `keys`, which sizes each signs; and the records that both
//! have to agree with.

use super::{
    checkpoints::{self, Stored, StoredError},
    identity::read_line,
    layout::Layout,
    prune::prefix::Prefix,
    rotation::KeyState,
    walk::{WalkError, walk},
};
use crate::atomic::{self, Durable};
use proof::{KeyHistory, Verifier};
use std::io;

/// Why the keys of a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringError {
    #[error("`vkey` is not a key: {0}")]
    NoKey(String),
    #[error(transparent)]
    Stored(#[from] StoredError),
}

/// The key the log began with.
pub(crate) fn first(layout: &Layout) -> Result<Verifier, KeyringError> {
    let failed = |source| StoredError::Io { path: layout.vkey(), source };
    let vkey = read_line(&layout.vkey()).map_err(failed)?;
    Verifier::from_vkey(&vkey).map_err(|error| KeyringError::NoKey(error.to_string()))
}

/// What `keys` says, if it is of a log that began with this key. A log whose key was never rotated has none.
pub(crate) fn stored(layout: &Layout, first: &Verifier) -> Result<Option<KeyHistory>, String> {
    let text = match std::fs::read_to_string(layout.keys()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| error.to_string())?,
    };
    let history = KeyHistory::parse(&text).map_err(|error| error.to_string())?;
    match history.spans().first() {
        Some(span) if span.key == *first => Ok(Some(history)),
        _ => Err("its first key is not that of the log".to_owned()),
    }
}

/// What `keys` says, or as much as is known without it. To be held against the records.
pub(crate) fn assumed(layout: &Layout, first: &Verifier) -> KeyHistory {
    stored(layout, first).ok().flatten().unwrap_or_else(|| before(layout, first).history)
}

/// The keys before the first record that is there. What is wrong with `pruned` is for others to say.
fn before(layout: &Layout, first: &Verifier) -> KeyState {
    match Prefix::read(layout) {
        Ok(Some(prefix)) => KeyState::after(prefix.keys),
        _ => KeyState::new(first.clone()),
    }
}

/// What the records say, as far as they can be read.
pub(crate) fn derived(layout: &Layout, first: &Verifier) -> KeyHistory {
    let mut state = before(layout, first);
    // What is wrong with the records is for others to say.
    let _ = walk(layout, &mut |frame| {
        let _ = state.take(frame.index, frame.bytes);
        Ok::<(), WalkError>(())
    });
    state.history
}

/// Repeats what the records say, durably, before a checkpoint is signed so.
pub(crate) fn keep(layout: &Layout, history: &KeyHistory) -> io::Result<()> {
    atomic::replace(&layout.keys(), &layout.keys_scratch(), history.format().as_bytes(), Durable::There)
}

/// [`keep`], where the file says something else.
pub(crate) fn keep_if_other(layout: &Layout, history: &KeyHistory) -> io::Result<()> {
    match std::fs::read(layout.keys()) {
        Ok(found) if found == history.format().as_bytes() => Ok(()),
        _ => keep(layout, history),
    }
}

/// Reads a checkpoint with the keys that are assumed; where it is none under them, with those that the records name.
pub(crate) fn read<T>(
    layout: &Layout,
    read: impl Fn(&KeyHistory) -> Result<T, StoredError>,
) -> Result<(T, KeyHistory), KeyringError> {
    let first = first(layout)?;
    let assumed = assumed(layout, &first);
    match read(&assumed) {
        Err(StoredError::Invalid { .. }) => {
            let derived = derived(layout, &first);
            Ok((read(&derived)?, derived))
        }
        done => Ok((done?, assumed)),
    }
}

/// The newest checkpoint, and the keys it was read with.
pub(crate) fn published(layout: &Layout) -> Result<(Option<Stored>, KeyHistory), KeyringError> {
    read(layout, |keys| checkpoints::read(&layout.checkpoint(), keys))
}
