//! Small files that say themselves whether they are what was written.
//!
//! A digit that a disk turned into another one is still a digit. So after the content comes a line `sha256:` with the digest of
//! what is before it. A file of an earlier version has no such line, and is taken as it is: what is no longer such a line, for
//! it was damaged, is no content that anybody reads either.

use super::{StateDir, StateError};
use ring::digest::{SHA256, digest};

/// What the last line begins with, the end of the line before it included.
const MARK: &str = "\nsha256:";
/// Length of the digest: 64 hexadecimal digits.
const DIGITS: usize = 64;

impl StateDir {
    /// [`write`](Self::write), with a digest that [`read_summed`](Self::read_summed) compares. `content` is one JSON document.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn write_summed(&self, name: &str, content: &[u8]) -> Result<(), StateError> {
        self.write(name, &with_sum(content))
    }

    /// Reads the content of a file that has a digest; `None` where there is no file.
    ///
    /// # Errors
    /// Those of [`read`](Self::read); the content is not what was written.
    pub fn read_summed(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        let content = without_sum(&bytes).ok_or_else(|| StateError::Damaged(self.path().join(name)))?;
        Ok(Some(content.to_vec()))
    }
}

/// Content and its digest.
pub(crate) fn with_sum(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    bytes.extend_from_slice(MARK.as_bytes());
    bytes.extend_from_slice(sum(content).as_bytes());
    bytes.push(b'\n');
    bytes
}

/// The content of bytes with a digest, all of those without one; `None` where the digest is another's.
fn without_sum(bytes: &[u8]) -> Option<&[u8]> {
    let is_mark = |window: &[u8]| window == MARK.as_bytes();
    let Some(at) = bytes.windows(MARK.len()).rposition(is_mark) else { return Some(bytes) };
    summed(bytes, at)
}

/// The content of bytes that have to have a digest.
pub(crate) fn summed_only(bytes: &[u8]) -> Option<&[u8]> {
    summed(bytes, bytes.len().checked_sub(MARK.len() + DIGITS + 1)?)
}

/// The content, which ends at `at`, if the rest is its digest.
fn summed(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (content, _) = bytes.split_at_checked(at)?;
    (with_sum(content) == bytes).then_some(content)
}

fn sum(content: &[u8]) -> String {
    hex::encode(digest(&SHA256, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_bit_passes_for_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let content = br#"{"next":17,"from":12}"#;
        state.write_summed("sinks/a.json", content).unwrap();
        assert_eq!(state.read_summed("sinks/a.json").unwrap().unwrap(), content);
        let whole = state.read("sinks/a.json").unwrap().unwrap();
        for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            state.write_cache("sinks/a.json", &flipped).unwrap();
            match state.read_summed("sinks/a.json") {
                Err(StateError::Damaged(path)) => assert!(path.ends_with("sinks/a.json")),
                // Its last line is none any more: it reads as an earlier version's file, and that as no JSON.
                read => {
                    let read = read.unwrap().unwrap();
                    assert!(serde_json::from_slice::<serde_json::Value>(&read).is_err(), "byte {at}, bit {bit}");
                }
            }
        }
        for cut in 0..whole.len() {
            let cut = &whole[..cut];
            let passes = without_sum(cut).is_some_and(|read| serde_json::from_slice::<serde_json::Value>(read).is_ok());
            // Cut off where the digest begins, the content is whole.
            assert_eq!(passes, cut == content || cut == &whole[..=content.len()], "{cut:?}");
        }
    }

    #[test]
    fn files_of_earlier_versions_are_read_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        assert_eq!(state.read_summed("holds.json").unwrap(), None);
        state.write("holds.json", b"[]").unwrap();
        assert_eq!(state.read_summed("holds.json").unwrap().unwrap(), b"[]");
        assert_eq!(summed_only(b"[]"), None);
        assert_eq!(summed_only(&with_sum(b"[]")).unwrap(), b"[]");
    }
}
