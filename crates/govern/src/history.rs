//! The configurations that were in force, by their digest, so that a decision made under one of them can be made again.
//!
//! Nothing is decided on them: what is in force is [`crate::accepted`]. One that is gone, or was altered, is a decision that
//! cannot be made again and nothing else.

use crate::project::Files;
use serde::{Deserialize, Serialize};
use store::{StateDir, StateError};
use thiserror::Error;
use vocab::id::Digest;

/// The folder in the state directory. A file's name is a number that grows, and the digest: `NUMBER-HEX.json`.
pub const FOLDER: &str = "configurations";
/// Configurations that are kept; the oldest go first. A change a day is most of a year.
pub const MAX_KEPT: usize = 256;
/// Bytes of all of them together. The newest is kept whatever its length, which is bounded by that of a state file.
pub const MAX_KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// Version of a file.
const VERSION: u32 = 1;
/// Digits of the number: microseconds since the epoch, or one more than the one before where the clock was set back.
const NUMBER_DIGITS: usize = 20;

/// Why a configuration is not kept, or not found.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The state directory cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file does not read, or is not what its name says.
    #[error("its file in `{FOLDER}` is damaged")]
    Damaged,
    /// Longer than a state file may be.
    #[error("it is too long to be kept")]
    TooLong,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    v: u32,
    revision: Digest,
    files: Files,
}

/// Keeps what is in force, unless it is the one that was kept last. When this returns it is durable.
///
/// # Errors
/// It is too long, or the state directory cannot be written.
pub fn keep(state: &StateDir, files: &Files, now_us: i64) -> Result<(), HistoryError> {
    keep_within(state, files, now_us, (MAX_KEPT, MAX_KEPT_BYTES))
}

fn keep_within(state: &StateDir, files: &Files, now_us: i64, bounds: (usize, u64)) -> Result<(), HistoryError> {
    let files = files.only_in_force();
    let revision = files.revision();
    let end = end_of(revision.as_str());
    let names = state.list(FOLDER)?;
    let newest = names.last();
    if newest.is_some_and(|newest| newest.ends_with(&end)) {
        return Ok(());
    }
    let before = newest.and_then(|newest| newest.get(..NUMBER_DIGITS)?.parse::<u64>().ok()).unwrap_or_default();
    let number = u64::try_from(now_us).unwrap_or_default().max(before.saturating_add(1));
    let bytes = serde_json::to_vec(&Kept { v: VERSION, revision, files }).map_err(|_| HistoryError::Damaged)?;
    if bytes.len() as u64 > store::state::MAX_STATE_FILE_BYTES {
        return Err(HistoryError::TooLong);
    }
    let name = format!("{number:0NUMBER_DIGITS$}{end}");
    state.write(&format!("{FOLDER}/{name}"), &bytes)?;
    // The same one, in force again: it is as new as this.
    let (again, mut older): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name.ends_with(&end));
    again.iter().try_for_each(|name| state.remove(&format!("{FOLDER}/{name}")))?;
    older.reverse();
    Ok(forget(state, &older, bytes.len() as u64, bounds)?)
}

/// Removes what is beyond the bounds; `older` begins with the newest of them, and `bytes` are those of the one that is newer.
fn forget(state: &StateDir, older: &[String], bytes: u64, (count, most): (usize, u64)) -> Result<(), StateError> {
    let (mut count_left, mut bytes_left) = (count.saturating_sub(1), most.saturating_sub(bytes));
    for name in older {
        let path = state.path().join(FOLDER).join(name);
        let length = std::fs::metadata(path).map_or(0, |found| found.len());
        if count_left > 0 && length <= bytes_left {
            (count_left, bytes_left) = (count_left - 1, bytes_left - length);
        } else {
            // From here on all go, so that it is the newest that stay.
            (count_left, bytes_left) = (0, 0);
            state.remove(&format!("{FOLDER}/{name}"))?;
        }
    }
    Ok(())
}

/// The configuration with this digest; `None` where it is not kept (any more).
///
/// # Errors
/// It is not what its digest says, or the state directory cannot be read.
pub fn find(state: &StateDir, revision: &str) -> Result<Option<Files>, HistoryError> {
    let end = end_of(revision);
    let names = state.list(FOLDER)?;
    let Some(name) = names.iter().rev().find(|name| name.ends_with(&end)) else { return Ok(None) };
    let Some(bytes) = state.read(&format!("{FOLDER}/{name}"))? else { return Ok(None) };
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| HistoryError::Damaged)?;
    let is_it = kept.v == VERSION && kept.files.revision() == kept.revision && kept.revision.as_str() == revision;
    if is_it { Ok(Some(kept.files)) } else { Err(HistoryError::Damaged) }
}

/// What the name of a configuration's file ends with.
fn end_of(revision: &str) -> String {
    format!("-{}.json", revision.trim_start_matches("sha256:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::{put, sample};

    fn state() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        (dir, state)
    }

    /// One of many configurations.
    fn files(number: usize) -> Files {
        let mut files = sample();
        put(&mut files, "mortise/policies/a.cedar", &format!("// {number:09}\n"));
        files
    }

    fn kept(state: &StateDir, numbers: std::ops::Range<usize>) -> Vec<usize> {
        let is_kept = |number: &usize| find(state, files(*number).revision().as_str()).unwrap().is_some();
        numbers.filter(is_kept).collect()
    }

    #[test]
    fn each_is_kept_once_and_found_by_its_digest() {
        let (_dir, state) = state();
        assert!(find(&state, files(1).revision().as_str()).unwrap().is_none());
        let mut with_tests = files(1);
        put(&mut with_tests, "mortise/tests/t.yaml", "x");
        for (files, now_us) in [(&with_tests, 70), (&files(1), 71), (&files(2), 72)] {
            keep(&state, files, now_us).unwrap();
        }
        assert_eq!(state.list(FOLDER).unwrap().len(), 2);
        assert_eq!(find(&state, files(1).revision().as_str()).unwrap().unwrap(), files(1));
        // In force again, with a clock that was set back: it is the newest.
        keep(&state, &files(1), 3).unwrap();
        let names = state.list(FOLDER).unwrap();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[1].ends_with(&end_of(files(1).revision().as_str())), "{names:?}");
        let text = String::from_utf8(state.read(&format!("{FOLDER}/{}", names[0])).unwrap().unwrap()).unwrap();
        assert!(text.contains("000000002"));
        state.write(&format!("{FOLDER}/{}", names[0]), text.replace("000000002", "000000003").as_bytes()).unwrap();
        assert!(matches!(find(&state, files(2).revision().as_str()), Err(HistoryError::Damaged)));
    }

    #[test]
    fn the_newest_stay_within_both_bounds() {
        let (_dir, state) = state();
        let keep = |number: usize, bounds| {
            keep_within(&state, &files(number), i64::try_from(number).unwrap(), bounds).unwrap();
        };
        (0..5).for_each(|number| keep(number, (3, u64::MAX)));
        assert_eq!(kept(&state, 0..5), [2, 3, 4]);
        let name = state.list(FOLDER).unwrap().pop().unwrap();
        let each = std::fs::metadata(state.path().join(FOLDER).join(name)).unwrap().len();
        keep(5, (3, 2 * each));
        assert_eq!(kept(&state, 0..6), [4, 5], "exactly two have room");
        keep(6, (3, 2 * each - 1));
        assert_eq!(kept(&state, 0..7), [6], "and in a byte less one");
        keep(7, (3, 1));
        assert_eq!(kept(&state, 0..8), [7], "the newest stays whatever its length");
    }
}
