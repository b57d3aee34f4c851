//! JSON as `serde_json` writes it, straight into the bytes of a record.

use super::RecordError;
use serde::Serialize;

/// Appends the inside of a string: escaped where it must be, and no further.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    match is_plain(text.as_bytes()) {
        true => out.extend_from_slice(text.as_bytes()),
        false => text.bytes().for_each(|byte| escaped(out, byte)),
    }
}

/// Appends a whole number.
pub(super) fn number(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    natural(out, number.unsigned_abs());
}

/// Appends a number that is not below zero.
pub(super) fn natural(out: &mut Vec<u8>, number: u64) {
    /// Digits of 2^64.
    const MOST: usize = 20;
    let mut digits = [0; MOST];
    let mut rest = number;
    let mut first = MOST;
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        // A digit is below ten.
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = place;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Appends a list of texts.
pub(super) fn texts<'t>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'t str>) {
    out.push(b'[');
    for (place, text) in texts.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.push(b'"');
        self::text(out, text);
        out.push(b'"');
    }
    out.push(b']');
}

/// Appends anything else.
pub(super) fn value(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), RecordError> {
    serde_json::to_writer(out, value).map_err(|error| RecordError::Unwritable(error.to_string()))
}

/// Whether nothing has to be escaped. Sixteen bytes at a time without a branch: a compiler makes one comparison of them.
fn is_plain(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    let is_plain = |bytes: &[u8]| !bytes.iter().fold(false, |special, byte| special | is_special(*byte));
    chunks.iter().all(|chunk| is_plain(chunk)) && is_plain(rest)
}

const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn escaped(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        0..0x20 => {
            let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        _ => return out.push(byte),
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn quoted(content: &str) -> String {
        format!("\"{}\"", written(|out| text(out, content)))
    }

    #[test]
    fn every_character_of_ascii_at_every_place_of_a_chunk() {
        for character in '\0'..='\u{80}' {
            for place in 0..18 {
                let content = format!("{}{character}b", "a".repeat(place));
                assert_eq!(quoted(&content), serde_json::to_string(&content).unwrap());
            }
        }
    }

    #[test]
    fn numbers_at_their_ends() {
        for natural in [0, 9, 10, 99, 1 << 53, u64::MAX] {
            assert_eq!(written(|out| super::natural(out, natural)), natural.to_string());
        }
        for number in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(written(|out| super::number(out, number)), number.to_string());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_writes_it(content in any::<String>()) {
            prop_assert_eq!(quoted(&content), serde_json::to_string(&content).unwrap());
        }

        #[test]
        fn any_number_is_written_as_serde_writes_it(natural in any::<u64>(), number in any::<i64>()) {
            prop_assert_eq!(written(|out| super::natural(out, natural)), natural.to_string());
            prop_assert_eq!(written(|out| super::number(out, number)), number.to_string());
        }
    }
}
