//! How far a sink has come.
//!
//! A digit that changed on disk would have records skipped, so the file has a digest. One that is damaged is as good as none:
//! the sink begins again with the log, and says so.

use serde::{Deserialize, Serialize};
use store::{StateDir, StateError};

/// Version of the file.
const VERSION: u32 = 1;

/// What a sink has sent of which log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    v: u32,
    /// Name of the log.
    origin: String,
    /// The next record to take.
    pub(super) next: u64,
    /// The first record to take again before: that of the first call that was under way.
    pub(super) from: u64,
}

impl Cursor {
    /// The beginning of a log.
    pub(super) fn start(origin: &str) -> Self {
        Self { v: VERSION, origin: origin.to_owned(), next: 0, from: 0 }
    }

    /// Where a sink has come to in this log, which has `size` records; the beginning, where nothing is known of it.
    /// A file that is of another log is the beginning too, and so is one that is damaged, which is said: rather twice than not
    /// at all.
    ///
    /// # Errors
    /// State cannot be read.
    pub(super) fn read(state: &StateDir, sink: &str, origin: &str, size: u64) -> Result<Self, StateError> {
        let known = match state.read_summed(&name(sink)) {
            Err(StateError::Damaged(_)) => Err(()),
            read => read?.map(|bytes| serde_json::from_slice::<Self>(&bytes).map_err(|_| ())).transpose(),
        };
        let known = known.unwrap_or_else(|()| {
            let file = name(sink);
            tracing::error!(sink, file, "the file is damaged: whatever the log has is sent again, from its beginning");
            None
        });
        let is_of_it = |known: &Self| {
            known.v == VERSION && known.origin == origin && known.next <= size && known.from <= known.next
        };
        Ok(known.filter(is_of_it).unwrap_or_else(|| Self::start(origin)))
    }

    /// # Errors
    /// State cannot be written.
    pub(super) fn write(&self, state: &StateDir, sink: &str) -> Result<(), String> {
        let bytes = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        state.write_summed(&name(sink), &bytes).map_err(|error| error.to_string())
    }
}

fn name(sink: &str) -> String {
    format!("sinks/{sink}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_sent_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let start = Cursor::start("a");
        assert_eq!(Cursor::read(&state, "soc", "a", 9).unwrap(), start);
        let there = Cursor { next: 7, from: 5, ..start.clone() };
        there.write(&state, "soc").unwrap();
        assert_eq!(Cursor::read(&state, "soc", "a", 9).unwrap(), there);
        assert_eq!(Cursor::read(&state, "other", "a", 9).unwrap(), start);
        assert_eq!(Cursor::read(&state, "soc", "b", 9).unwrap(), Cursor::start("b"));
        assert_eq!(Cursor::read(&state, "soc", "a", 6).unwrap(), start, "a log that is shorter is another");
        state.write("sinks/soc.json", b"{}").unwrap();
        assert_eq!(Cursor::read(&state, "soc", "a", 9).unwrap(), start);
    }

    #[test]
    fn no_flipped_bit_has_records_skipped_and_earlier_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let start = Cursor::start("a");
        let there = Cursor { next: 6, from: 4, ..start.clone() };
        there.write(&state, "soc").unwrap();
        let whole = state.read("sinks/soc.json").unwrap().unwrap();
        for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            state.write_cache("sinks/soc.json", &flipped).unwrap();
            assert_eq!(Cursor::read(&state, "soc", "a", 9).unwrap(), start, "byte {at}, bit {bit}");
        }
        // As an earlier version wrote it.
        state.write("sinks/soc.json", br#"{"v":1,"origin":"a","next":6,"from":4}"#).unwrap();
        assert_eq!(Cursor::read(&state, "soc", "a", 9).unwrap(), there);
    }
}
