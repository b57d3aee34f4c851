//! The spellings all formats share: strict decimals, canonical base64, lines without control characters.
//!
//! Each value has exactly one accepted spelling. Two texts for one value would let two parties sign "the same"
//! checkpoint with different bytes.

use base64::{Engine, engine::general_purpose::STANDARD};

/// Reads an ASCII decimal without sign and leading zeros, at most `max`.
pub(crate) fn decimal(text: &str, max: u64) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    // An empty text passes the check above and fails to parse.
    plain.then(|| text.parse().ok()).flatten().filter(|value| *value <= max)
}

/// RFC 4648, section 4, with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64 with its padding and zero spare bits; anything else is refused.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Whether a text has an ASCII control character other than a line feed (signed-note, "Format"); carriage returns are.
pub(crate) fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(decimal("0", 9), Some(0));
        assert_eq!(decimal("10", 10), Some(10));
        assert_eq!(decimal("18446744073709551615", u64::MAX), Some(u64::MAX));
        for refused in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "٣", "11", "18446744073709551616"] {
            assert_eq!(decimal(refused, 10), None, "{refused:?}");
        }
    }

    #[test]
    fn only_line_feeds_pass_as_control_characters() {
        assert!(!has_control("a\nb — \u{7f}"));
        assert!(has_control("a\r\n"));
        assert!(has_control("a\tb"));
        assert!(has_control("a\0b"));
    }
}
