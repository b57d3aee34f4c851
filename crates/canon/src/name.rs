//! Names of tools, servers and agents: compared without regard to case, and only in letters that cannot be confused.
//!
//! A name is `A-Z a-z 0-9 _ . - / #`, up to 128 bytes. Unicode is not folded but refused: Cyrillic `а`, full-width `Ａ`
//! and combining marks would each make a second name that a person reads as the first. Names are labels, not paths:
//! `a/../b` is just a name.

use std::borrow::Cow;

use thiserror::Error;

/// Bytes of a name.
pub const MAX_BYTES: usize = 128;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// No text.
    #[error("empty name")]
    Empty,
    /// More than [`MAX_BYTES`] bytes.
    #[error("name longer than {MAX_BYTES} bytes")]
    TooLong,
    /// A control character, which would not show.
    #[error("control character `{}` in a name", .0.escape_default())]
    Control(char),
    /// Any other character outside ASCII, some of which look like ASCII.
    #[error("character `{}` outside ASCII in a name", .0.escape_default())]
    NotAscii(char),
    /// An ASCII character that names do not have.
    #[error("character `{0}` in a name")]
    NotAllowed(char),
}

/// The form in which names are compared: lower case. Borrowed when it is the text itself.
///
/// # Errors
/// If the text is not a name.
pub fn canonical_name(text: &str) -> Result<Cow<'_, str>, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(NameError::TooLong);
    }
    if let Some(found) = text.chars().find(|c| !is_allowed(*c)) {
        return Err(match found {
            c if c.is_control() => NameError::Control(c),
            c if !c.is_ascii() => NameError::NotAscii(c),
            c => NameError::NotAllowed(c),
        });
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Ok(Cow::Owned(text.to_ascii_lowercase()))
    } else {
        Ok(Cow::Borrowed(text))
    }
}

const fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | '#')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_does_not_matter() {
        assert_eq!(canonical_name("Desk/Run_Script"), Ok(Cow::Borrowed("desk/run_script")));
        assert!(matches!(canonical_name("desk#resources/read-2.0"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn what_could_be_mistaken_is_refused() {
        assert_eq!(canonical_name(""), Err(NameError::Empty));
        assert_eq!(canonical_name("a\u{0}"), Err(NameError::Control('\0')));
        assert_eq!(canonical_name("a\u{85}"), Err(NameError::Control('\u{85}')));
        assert_eq!(canonical_name("p\u{430}y"), Err(NameError::NotAscii('\u{430}')));
        assert_eq!(canonical_name("pay\u{200b}"), Err(NameError::NotAscii('\u{200b}')));
        assert_eq!(canonical_name("\u{212a}ey"), Err(NameError::NotAscii('\u{212a}')));
        assert_eq!(canonical_name("a b"), Err(NameError::NotAllowed(' ')));
        assert_eq!(canonical_name("a*"), Err(NameError::NotAllowed('*')));
        let text = canonical_name("p\u{430}y").unwrap_err().to_string();
        assert_eq!(text, "character `\\u{430}` outside ASCII in a name");
    }

    #[test]
    fn the_limit_is_inclusive() {
        assert!(canonical_name(&"a".repeat(MAX_BYTES)).is_ok());
        assert_eq!(canonical_name(&"a".repeat(MAX_BYTES + 1)), Err(NameError::TooLong));
    }

    proptest! {
        #[test]
        fn canonical_is_its_own_canonical(text in any::<String>()) {
            if let Ok(name) = canonical_name(&text) {
                prop_assert_eq!(canonical_name(&name), Ok(Cow::Borrowed(name.as_ref())));
                prop_assert!(text.eq_ignore_ascii_case(&name));
            }
        }
    }
}
