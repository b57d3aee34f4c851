//! The keys of all objects that are open, and the check that none comes twice.
//!
//! Small objects are compared key by key as they are read. Larger ones are sorted once when they close: n log n in the
//! worst case, and unlike a hash table with nothing an attacker could choose keys against and no random seed.

use smallvec::SmallVec;
use std::borrow::Cow;

use super::error::{JsonError, JsonErrorKind};

/// Up to this many keys, comparing with each is cheaper than sorting.
const COMPARED: usize = 16;

/// What `serde_json` takes for an instruction: an object with such a key makes it parse the *string inside* as JSON,
/// which no one has checked for duplicate keys or depth.
const RESERVED: &str = "$serde_json::private::";

struct Key<'a> {
    text: Cow<'a, str>,
    offset: usize,
}

/// Where the keys of one object start in [`Keys`].
#[derive(Clone, Copy)]
pub(super) struct Mark(usize);

/// One stack for all levels: the keys of an inner object lie above those of the outer one.
#[derive(Default)]
pub(super) struct Keys<'a> {
    /// As many as most messages have open are kept without an allocation.
    stack: SmallVec<[Key<'a>; 16]>,
}

impl<'a> Keys<'a> {
    pub(super) fn open(&self) -> Mark {
        Mark(self.stack.len())
    }

    pub(super) fn push(&mut self, mark: Mark, text: Cow<'a, str>, offset: usize) -> Result<(), JsonError> {
        if text.starts_with(RESERVED) {
            return Err(JsonError::new(JsonErrorKind::ReservedKey, offset));
        }
        let before = self.stack.get(mark.0..).unwrap_or_default();
        if before.len() < COMPARED && before.iter().any(|key| key.text == text) {
            return Err(JsonError::new(JsonErrorKind::DuplicateKey, offset));
        }
        self.stack.push(Key { text, offset });
        Ok(())
    }

    pub(super) fn close(&mut self, mark: Mark) -> Result<(), JsonError> {
        let own = self.stack.get_mut(mark.0..).unwrap_or_default();
        if own.len() > COMPARED {
            own.sort_unstable_by(|a, b| a.text.cmp(&b.text).then(a.offset.cmp(&b.offset)));
            let again = own.array_windows().filter(|[a, b]| a.text == b.text).map(|[_, b]| b.offset).min();
            if let Some(offset) = again {
                return Err(JsonError::new(JsonErrorKind::DuplicateKey, offset));
            }
        }
        self.stack.truncate(mark.0);
        Ok(())
    }
}
