//! Strings: RFC 8259 section 7, with lone surrogates refused (they are no Unicode text, and readers differ on them).

use std::borrow::Cow;

use super::cursor::Cursor;
use super::error::{JsonError, JsonErrorKind};

/// A string that was read: where its content lies between the quotes, and whether it must be unescaped.
pub(super) struct Raw {
    pub(super) start: usize,
    pub(super) end: usize,
    escaped: bool,
}

impl Raw {
    /// The text that is meant, borrowed when nothing is escaped.
    pub(super) fn unescape<'a>(&self, cursor: &Cursor<'a>) -> Result<Cow<'a, str>, JsonError> {
        if !self.escaped {
            return cursor.between(self.start, self.end).map(Cow::Borrowed);
        }
        let quoted = cursor.between(self.start.saturating_sub(1), self.end.saturating_add(1))?;
        serde_json::from_str(quoted)
            .map(Cow::Owned)
            .map_err(|_| JsonError::new(JsonErrorKind::Disagreement, self.start.saturating_sub(1)))
    }
}

/// Reads a string whose opening quote is next.
#[inline]
pub(super) fn string(cursor: &mut Cursor<'_>) -> Result<Raw, JsonError> {
    cursor.expect(b'"')?;
    let start = cursor.at;
    let mut escaped = false;
    loop {
        cursor.at += plain_run(cursor.rest());
        match cursor.peek() {
            Some(b'"') => {
                let end = cursor.at;
                cursor.at += 1;
                return Ok(Raw { start, end, escaped });
            }
            Some(b'\\') => {
                escaped = true;
                escape(cursor)?;
            }
            Some(_) => return Err(cursor.error(JsonErrorKind::ControlCharacter)),
            None => return Err(cursor.unexpected()),
        }
    }
}

/// How many bytes go by before a quote, a backslash or a control character.
///
/// Eight bytes per step, after Mycroft's "has zero byte": in each of the three terms the *lowest* marked byte is exact,
/// because a borrow only travels upwards from a byte that is itself marked.
#[inline]
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;

    let (words, tail) = bytes.as_chunks::<8>();
    let mut run = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = zero_bytes(word ^ (ONES * b'"' as u64));
        let backslash = zero_bytes(word ^ (ONES * b'\\' as u64));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let marked = quote | backslash | control;
        if marked != 0 {
            return run + (marked.trailing_zeros() / 8) as usize;
        }
        run += 8;
    }
    run + tail.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

fn escape(cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
    let start = cursor.at;
    cursor.at += 1;
    match cursor.peek() {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
            cursor.at += 1;
            Ok(())
        }
        Some(b'u') => {
            cursor.at += 1;
            unicode_escape(cursor, start)
        }
        Some(_) => Err(JsonError::new(JsonErrorKind::InvalidEscape, start)),
        None => Err(cursor.unexpected()),
    }
}

fn unicode_escape(cursor: &mut Cursor<'_>, start: usize) -> Result<(), JsonError> {
    let lone = JsonError::new(JsonErrorKind::LoneSurrogate, start);
    match hex4(cursor, start)? {
        0xDC00..=0xDFFF => Err(lone),
        0xD800..=0xDBFF => {
            if !(cursor.eat(b'\\') && cursor.eat(b'u')) {
                return Err(lone);
            }
            if matches!(hex4(cursor, start)?, 0xDC00..=0xDFFF) { Ok(()) } else { Err(lone) }
        }
        _ => Ok(()),
    }
}

fn hex4(cursor: &mut Cursor<'_>, start: usize) -> Result<u32, JsonError> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = cursor.peek().and_then(|byte| char::from(byte).to_digit(16));
        unit = unit * 16 + digit.ok_or(JsonError::new(JsonErrorKind::InvalidEscape, start))?;
        cursor.at += 1;
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow_run(bytes: &[u8]) -> usize {
        bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
    }

    #[test]
    fn every_byte_is_seen_at_every_place_of_a_word() {
        for byte in 0..=255_u8 {
            for place in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[place] = byte;
                assert_eq!(plain_run(&bytes), slow_run(&bytes), "byte {byte:#x} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn eight_at_a_time_is_one_at_a_time(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(plain_run(&bytes), slow_run(&bytes));
        }

        #[test]
        fn long_plain_text_is_passed_whole(text in "[ !#-\\[\\]-~é€😀]{0,80}") {
            prop_assert_eq!(plain_run(text.as_bytes()), text.len());
        }
    }
}
