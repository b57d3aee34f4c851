//! The keys of one log, one after the other: which of them may sign which sizes.
//!
//! A log begins with one key. A record of the log names the next, and the last size that the key before may sign; so the
//! keys a checkpoint may be signed with follow from the first key and the records under the checkpoint.

use crate::{
    checkpoint::{Checkpoint, OpenError},
    note::{KeyError, Note, Verifier},
    text,
    tree::MAX_TREE_SIZE,
};

/// What the text of a history begins with.
const HEADER: &str = "mortise-log-keys/v1";

/// Most keys of one log: a monthly rotation for eighty years.
pub const MAX_LOG_KEYS: usize = 1000;

/// The keys of one log, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHistory {
    /// INVARIANT: never empty; all of one name, each once; only the last is open-ended.
    spans: Vec<KeySpan>,
}

/// A key, and the sizes whose checkpoints it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpan {
    /// The key.
    pub key: Verifier,
    /// Smallest size it may sign.
    pub from: u64,
    /// Largest size it may sign; none while no other key follows.
    pub until: Option<u64>,
}

/// Why a record does not change the keys of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyChangeError {
    /// It speaks of another key than the one that signs.
    #[error("key `{0}` does not sign the log there")]
    NotPresent(String),
    /// A log does not go back to a key.
    #[error("key `{0}` has been a key of the log before")]
    Used(String),
    /// A key of another log.
    #[error("key `{0}` is not of this log's name")]
    Name(String),
    /// The overlap of the rotation before is not over.
    #[error("the rotation before it is not over: its key still signs")]
    UnderWay,
    /// There is no rotation to be ended.
    #[error("no rotation is under way")]
    NotUnderWay,
    /// More than [`MAX_LOG_KEYS`].
    #[error("a log has at most 1000 keys")]
    TooMany,
}

/// Why a text is no history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// It does not begin as it should, or does not end with a line feed.
    #[error("it is not a list of keys")]
    Form,
    /// A line is not two sizes and a key.
    #[error("line {line} is not two sizes and a key: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with the key, if that is it.
        reason: LineError,
    },
    /// The sizes do not follow one another, or a key is there twice.
    #[error("the keys do not follow one another")]
    Order,
}

/// Why a line is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Not three words, or a size that is none.
    #[error("it has another form")]
    Form,
    /// The key.
    #[error(transparent)]
    Key(KeyError),
}

/// Why a note is not believed to be a checkpoint of the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// No key of the log has signed it, or it is none.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A key of the log signed a size that it may not sign.
    #[error("key `{key}` signed it over {size} records, and may sign {from} to {until}")]
    OutsideSpan {
        /// The key's id.
        key: String,
        /// Size of the checkpoint.
        size: u64,
        /// Smallest size that the key may sign.
        from: u64,
        /// Largest, or `any`.
        until: String,
    },
    /// Signed in the log's name by a key that it has never named.
    #[error("key `{0}` signed it in the name of the log, which has no such key")]
    Unnamed(String),
    /// The key that has to sign a size did not.
    #[error("key `{key}` has to sign checkpoints over {size} records, and did not sign it")]
    NotSigned {
        /// The key's id.
        key: String,
        /// Size of the checkpoint.
        size: u64,
    },
}

impl KeySpan {
    /// Whether the key may sign checkpoints over this many records.
    #[must_use]
    pub fn contains(&self, size: u64) -> bool {
        self.from <= size && self.until.is_none_or(|until| size <= until)
    }
}

impl KeyHistory {
    /// A log that has had one key.
    #[must_use]
    pub fn new(first: Verifier) -> Self {
        Self { spans: vec![KeySpan { key: first, from: 0, until: None }] }
    }

    /// Lets `new` sign from the record at `index` on, which says so, and `old` for `overlap` further records at most.
    ///
    /// # Errors
    /// The log's keys cannot change so.
    pub fn rotate(&mut self, index: u64, old: &Verifier, new: &Verifier, overlap: u64) -> Result<(), KeyChangeError> {
        if self.is_rotating(index) {
            return Err(KeyChangeError::UnderWay);
        }
        if self.spans.len() >= MAX_LOG_KEYS {
            return Err(KeyChangeError::TooMany);
        }
        if self.spans.iter().any(|span| span.key == *new) {
            return Err(KeyChangeError::Used(new.id().to_string()));
        }
        if new.name() != old.name() {
            return Err(KeyChangeError::Name(new.id().to_string()));
        }
        let from = index.saturating_add(1);
        match self.spans.last_mut() {
            Some(last) if last.key == *old && last.from <= index => {
                last.until = Some(from.saturating_add(overlap).min(MAX_TREE_SIZE));
            }
            _ => return Err(KeyChangeError::NotPresent(old.id().to_string())),
        }
        self.spans.push(KeySpan { key: new.clone(), from, until: None });
        Ok(())
    }

    /// Lets `old`, which another key has followed, sign nothing from the record at `index` on.
    ///
    /// # Errors
    /// No other key has just followed this one.
    pub fn retire(&mut self, index: u64, old: &Verifier) -> Result<(), KeyChangeError> {
        let Some([last, present]) = self.spans.last_chunk_mut::<2>() else {
            return Err(KeyChangeError::NotUnderWay);
        };
        if last.key != *old {
            return Err(KeyChangeError::NotPresent(old.id().to_string()));
        }
        // At least one checkpoint has to be signed by both.
        if index < present.from {
            return Err(KeyChangeError::NotUnderWay);
        }
        last.until = last.until.map(|until| until.min(index));
        Ok(())
    }

    /// The keys with the sizes that they sign, oldest first.
    #[must_use]
    pub fn spans(&self) -> &[KeySpan] {
        &self.spans
    }

    /// The key that signs now.
    #[must_use]
    pub fn present(&self) -> Option<&Verifier> {
        self.spans.last().map(|span| &span.key)
    }

    /// Whether two keys sign checkpoints over more than `size` records.
    #[must_use]
    pub fn is_rotating(&self, size: u64) -> bool {
        let before = self.spans.len().checked_sub(2).and_then(|before| self.spans.get(before));
        before.is_some_and(|span| span.until.is_none_or(|until| until > size))
    }

    /// Whether this is, or has been, a key of the log.
    #[must_use]
    pub fn knows(&self, key: &Verifier) -> bool {
        self.spans.iter().any(|span| span.key == *key)
    }

    /// The keys that sign checkpoints over this many records, oldest first. The last has to.
    pub fn signing(&self, size: u64) -> impl Iterator<Item = &Verifier> {
        self.spans.iter().filter(move |span| span.contains(size)).map(|span| &span.key)
    }

    /// Reads the checkpoint of a note: the newest of the keys that may sign its size has signed it, and no key of the log
    /// has signed it that may not, nor any other in its name. Signatures by others, such as witnesses, are left to others.
    ///
    /// # Errors
    /// It is not a checkpoint that this log can have.
    pub fn open(&self, note: &Note) -> Result<Checkpoint, SignedError> {
        let known: Vec<Verifier> = self.spans.iter().map(|span| span.key.clone()).collect();
        let checkpoint = Checkpoint::open_any(note, &known)?;
        let size = checkpoint.size();
        let verified = note.verify(&known).map_err(OpenError::from)?;
        if let Some(other) = verified.unknown.iter().find(|other| other.name().as_str() == checkpoint.origin()) {
            return Err(SignedError::Unnamed(other.id().to_string()));
        }
        for span in &self.spans {
            if verified.signed_by.contains(&&span.key) && !span.contains(size) {
                return Err(SignedError::OutsideSpan {
                    key: span.key.id().to_string(),
                    size,
                    from: span.from,
                    until: span.until.map_or_else(|| "any".to_owned(), |until| until.to_string()),
                });
            }
        }
        match self.signing(size).last() {
            Some(key) if !verified.signed_by.contains(&key) => {
                Err(SignedError::NotSigned { key: key.id().to_string(), size })
            }
            _ => Ok(checkpoint),
        }
    }

    /// The history as text. [`parse`](Self::parse) reads it back.
    #[must_use]
    pub fn format(&self) -> String {
        let line = |span: &KeySpan| {
            let until = span.until.map_or_else(|| "-".to_owned(), |until| until.to_string());
            format!("{} {until} {}\n", span.from, span.key.to_vkey())
        };
        format!("{HEADER}\n{}", self.spans.iter().map(line).collect::<String>())
    }

    /// Reads a history.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, HistoryError> {
        let lines = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or(HistoryError::Form)?;
        let lines = lines.strip_suffix('\n').ok_or(HistoryError::Form)?;
        let mut spans = Vec::new();
        for (line, content) in (2..).zip(lines.split('\n')) {
            spans.push(parse_span(content).map_err(|reason| HistoryError::Line { line, reason })?);
            if spans.len() > MAX_LOG_KEYS {
                return Err(HistoryError::Order);
            }
        }
        let history = Self { spans };
        if history.follows() { Ok(history) } else { Err(HistoryError::Order) }
    }

    /// Whether each key follows the one before as [`rotate`](Self::rotate) lets it.
    fn follows(&self) -> bool {
        let starts = self.spans.first().is_some_and(|first| first.from == 0);
        let ends = self.spans.last().is_some_and(|last| last.until.is_none());
        let steps = self.spans.windows(2).all(|pair| match pair {
            [before, after] => {
                after.from > before.from
                    && before.until.is_some_and(|until| until >= after.from)
                    && before.key.name() == after.key.name()
            }
            _ => false,
        });
        let apart = self.spans.windows(3).all(|three| match three {
            [first, _, third] => first.until.is_some_and(|until| until < third.from),
            _ => false,
        });
        let once = self
            .spans
            .iter()
            .enumerate()
            .all(|(at, span)| !self.spans.iter().skip(at + 1).any(|later| later.key == span.key));
        starts && ends && steps && apart && once
    }
}

fn parse_span(line: &str) -> Result<KeySpan, LineError> {
    let mut words = line.splitn(3, ' ');
    let mut word = || words.next().ok_or(LineError::Form);
    let (from, until, key) = (word()?, word()?, word()?);
    let size = |word| text::decimal(word, MAX_TREE_SIZE).ok_or(LineError::Form);
    let until = if until == "-" { None } else { Some(size(until)?) };
    Ok(KeySpan { key: Verifier::from_vkey(key).map_err(LineError::Key)?, from: size(from)?, until })
}

#[cfg(test)]
mod tests;
