//! The id of a request.

use bytes::Bytes;
use canon::json::Kind;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The longest id token in bytes, quotes included. Ids seen in the field are counters and UUIDs; whatever is longer
/// would be kept once for every open call.
pub const MAX_ID_BYTES: usize = 1024;

/// A request's id: a string or a number, kept as the token that was sent.
///
/// Two ids are equal when they are the same token, or strings that unescape to the same text: some peers echo `"é"` as
/// `"\u00e9"`.
#[derive(Clone)]
pub struct Id {
    raw: Bytes,
    /// The string re-encoded with as few escapes as possible; `None` when `raw` already is that.
    plain: Option<Bytes>,
}

impl Id {
    /// Reads a token that passed a strict scan. `None` for anything but a string or a number of at most
    /// [`MAX_ID_BYTES`].
    #[must_use]
    pub fn from_token(raw: Bytes) -> Option<Self> {
        if raw.len() > MAX_ID_BYTES {
            return None;
        }
        match Kind::of(&raw)? {
            Kind::Number => Some(Self { raw, plain: None }),
            Kind::String => {
                let plain = if raw.contains(&b'\\') { Some(plain_form(&raw)?) } else { None };
                Some(Self { raw, plain })
            }
            _ => None,
        }
    }

    /// A number of our own.
    #[must_use]
    pub fn number(number: u64) -> Self {
        Self { raw: Bytes::from(number.to_string()), plain: None }
    }

    /// The token as sent.
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The number, if this can be one of our own.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        std::str::from_utf8(&self.raw).ok()?.parse().ok()
    }

    fn key(&self) -> &[u8] {
        self.plain.as_ref().unwrap_or(&self.raw)
    }
}

fn plain_form(raw: &[u8]) -> Option<Bytes> {
    let text: String = serde_json::from_slice(raw).ok()?;
    serde_json::to_vec(&text).ok().map(Bytes::from)
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", String::from_utf8_lossy(&self.raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(token: &str) -> Option<Id> {
        Id::from_token(Bytes::copy_from_slice(token.as_bytes()))
    }

    #[test]
    fn strings_and_numbers_only() {
        for token in ["1", "-7", "1.5", "\"a\"", "\"\""] {
            assert_eq!(id(token).unwrap().raw(), token.as_bytes());
        }
        for token in ["null", "true", "[1]", "{}"] {
            assert!(id(token).is_none(), "{token}");
        }
    }

    #[test]
    fn escaping_does_not_make_another_id() {
        assert_eq!(id(r#""é""#), id(r#""\u00e9""#));
        assert_ne!(id(r#""1""#), id("1"));
        assert_ne!(id("1"), id("2"));
    }

    #[test]
    fn the_length_limit_is_inclusive() {
        let token = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        assert!(id(&token(MAX_ID_BYTES)).is_some());
        assert!(id(&token(MAX_ID_BYTES + 1)).is_none());
    }
}
