//! Gives the value another name: the same for the same value, and not to be turned back without the key.
//!
//! # Why
//!
//! A receiver can still count, join and group ("the same customer again") without knowing who it is. The weakest
//! method: equality is kept on purpose, and a value with few possibilities (`true`, a postcode) can be recognised by
//! whoever sees enough of them. Use `mask` where nothing has to be joined.
//!
//! A pseudonym is `pseudo_` and 16 hexadecimal digits: 12 digits name (HMAC-SHA-256 over the value's canonical text,
//! cut to 48 bits) and 4 digits check (HMAC-SHA-256 over the name, cut to 16). With 48 bits, a million values share a
//! name with a chance of 2 in 1000. The check is why a pseudonym can be told from a text that only looks like one: the
//! first is left alone, so that redacting twice is redacting once; the second is pseudonymised like any other text, so
//! that nothing is carried past in its digits but for one guess in 65536. Under another key it is such a text.
//!
//! | value | becomes |
//! |---|---|
//! | string, number, boolean, object | a pseudonym, as text |
//! | array | each element by itself, so that equal elements can be joined |
//! | null, `[redacted]` | stays |
//!
//! # Example
//!
//! `@redact("result.rows[].email:pseudonymise")` turns `[{"email":"ann@example.org"}]` into
//! `[{"email":"pseudo_<16 digits>"}]`, with the same digits wherever the same address stands.

use canon::json::canonical;
use canon::pointer::Edit;
use serde_json::Value;
use subtle::ConstantTimeEq;
use vocab::redaction::Method;

use super::{Redactor, mask};
use crate::key::PseudonymKey;

/// What every pseudonym starts with.
pub const PREFIX: &str = "pseudo_";

/// The entry in [`REDACTORS`](super::REDACTORS).
pub const REDACTOR: Redactor = Redactor { method: Method::Pseudonymise, redact };

/// Hexadecimal digits of the name.
const NAME_DIGITS: usize = 12;

/// Hexadecimal digits of the check.
const CHECK_DIGITS: usize = 4;

/// Keeps the two uses of the key apart, and both from any other use of the same bytes.
const NAME_DOMAIN: &[u8] = b"mortise/pseudonym/name/v1\0";
const CHECK_DOMAIN: &[u8] = b"mortise/pseudonym/check/v1\0";

/// Whether a text is a pseudonym made with this key.
pub(crate) fn is_pseudonym(text: &str, key: &PseudonymKey) -> bool {
    text.strip_prefix(PREFIX).and_then(|digits| digits.split_at_checked(NAME_DIGITS)).is_some_and(|(name, check)| {
        check.as_bytes().ct_eq(tag(key, CHECK_DOMAIN, name.as_bytes(), CHECK_DIGITS).as_bytes()).into()
    })
}

fn redact(value: &Value, key: &PseudonymKey) -> Edit {
    let new = pseudonymised(value, key);
    if new == *value { Edit::Keep } else { Edit::Replace(new) }
}

fn pseudonymised(value: &Value, key: &PseudonymKey) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Array(items) => items.iter().map(|item| pseudonymised(item, key)).collect(),
        Value::String(text) if mask::is_mask(text) || is_pseudonym(text, key) => value.clone(),
        _ => Value::String(pseudonym(value, key)),
    }
}

fn pseudonym(value: &Value, key: &PseudonymKey) -> String {
    let name = tag(key, NAME_DOMAIN, &canonical(value), NAME_DIGITS);
    let check = tag(key, CHECK_DOMAIN, name.as_bytes(), CHECK_DIGITS);
    format!("{PREFIX}{name}{check}")
}

/// The first digits of the HMAC.
fn tag(key: &PseudonymKey, domain: &[u8], text: &[u8], digits: usize) -> String {
    let mut tag = key.tag(domain, text);
    tag.truncate(digits);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn key() -> PseudonymKey {
        PseudonymKey::new([1; 32])
    }

    fn name_of(value: &Value, key: &PseudonymKey) -> String {
        pseudonymised(value, key).as_str().unwrap().to_owned()
    }

    #[test]
    fn another_key_gives_another_name() {
        let other = PseudonymKey::new([2; 32]);
        let name = name_of(&json!("ann"), &key());
        assert_ne!(name, name_of(&json!("ann"), &other));
        assert!(is_pseudonym(&name, &key()));
        assert!(!is_pseudonym(&name, &other));
    }

    #[test]
    fn a_look_alike_is_not_left_alone() {
        let name = name_of(&json!("ann"), &key());
        let forged = format!("{}0000", name.get(..name.len() - 4).unwrap());
        for text in ["pseudo_", "pseudo_0123456789ab", "pseudo_0123456789abcdef", forged.as_str(), &format!("{name}0")]
        {
            assert!(!is_pseudonym(text, &key()), "{text}");
        }
    }

    #[test]
    fn text_and_number_have_different_names() {
        assert_ne!(name_of(&json!("5"), &key()), name_of(&json!(5), &key()));
        assert_eq!(name_of(&json!(5.0), &key()), name_of(&json!(5), &key()));
    }

    proptest! {
        #[test]
        fn equality_is_kept_and_nothing_else(a in "[a-d]{0,3}", b in "[a-d]{0,3}") {
            let (name_a, name_b) = (name_of(&json!(a), &key()), name_of(&json!(b), &key()));
            prop_assert_eq!(a == b, name_a == name_b);
            prop_assert_eq!(name_a.len(), PREFIX.len() + NAME_DIGITS + CHECK_DIGITS);
        }

        #[test]
        fn its_own_output_is_left_alone(text in ".{0,12}") {
            let once = pseudonymised(&json!(text), &key());
            prop_assert_eq!(pseudonymised(&once, &key()), once);
        }
    }
}
