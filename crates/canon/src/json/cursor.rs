//! A place in a text that is known to be UTF-8, and the steps that can be taken from there.

use super::error::{JsonError, JsonErrorKind};

pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The bytes not yet read.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// `true`, `false` or `null`. What follows is checked by whoever reads on.
    pub(super) fn literal(&mut self, word: &'static str) -> Result<(), JsonError> {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(())
    }

    /// The text between two offsets that this cursor passed.
    pub(super) fn between(&self, start: usize, end: usize) -> Result<&'a str, JsonError> {
        // Offsets are always next to ASCII, so this is never `None`; were it, the text is refused.
        self.text.get(start..end).ok_or(JsonError::new(JsonErrorKind::NotUtf8, start))
    }

    /// The error for whatever stands here.
    #[cold]
    pub(super) fn unexpected(&self) -> JsonError {
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        self.error(found.map_or(JsonErrorKind::UnexpectedEnd, JsonErrorKind::Unexpected))
    }

    #[cold]
    pub(super) const fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError::new(kind, self.at)
    }
}
