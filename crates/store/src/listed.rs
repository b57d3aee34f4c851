//! The keys of a log, for people.

use crate::{
    log::{
        checkpoints::StoredError,
        keyring::{self, KeyringError},
        layout::Layout,
        prune::prefix::Prefix,
        rotation::KeyState,
    },
    prove::ProveError,
    read::LogReader,
};
use proof::KeySpan;
use vocab::Event;

/// A key of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// The key, and the sizes whose checkpoints it signs.
    pub span: KeySpan,
    /// When the record that names it was written, in microseconds since the epoch; the first record for the first key. `None`
    /// where that was pruned.
    pub since: Option<i64>,
    /// What was given as the reason to rotate to it.
    pub why: Option<String>,
}

/// The keys of the log in `dir`, oldest first, as its records say.
///
/// # Errors
/// There is no log; it cannot be read; a record about its keys does not follow from those before.
pub fn log_keys(dir: &std::path::Path) -> Result<Vec<ListedKey>, ProveError> {
    let reader = LogReader::open(dir)?;
    let layout = Layout::new(dir);
    let prefix = Prefix::read(&layout).map_err(|source| StoredError::Io { path: layout.pruned(), source })?;
    let mut state = match prefix {
        Some(prefix) => KeyState::after(prefix.keys),
        None => KeyState::new(keyring::first(&layout)?),
    };
    let mut named = vec![(None, None); state.history.spans().len()];
    for record in reader.iter_from(0) {
        let record = record?;
        if record.index == 0 {
            named = vec![(Event::from_bytes(&record.bytes).ok().map(|event| event.t), None)];
        }
        let unsound = |reason| ProveError::Unsound(format!("record {}: {reason}", record.index));
        let begun = state.take(record.index, &record.bytes).map_err(unsound)?;
        if begun && state.rotation.as_ref().is_some_and(|rotation| rotation.index == record.index) {
            let event = Event::from_bytes(&record.bytes).map_err(|error| unsound(error.to_string()))?;
            named.push((Some(event.t), event.text.map(|why| why.into_owned())));
        }
    }
    let spans = state.history.spans().iter().cloned();
    Ok(spans.zip(named).map(|(span, (since, why))| ListedKey { span, since, why }).collect())
}

impl From<KeyringError> for ProveError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Stored(error) => error.into(),
            no_key @ KeyringError::NoKey(_) => Self::Unsound(no_key.to_string()),
        }
    }
}
