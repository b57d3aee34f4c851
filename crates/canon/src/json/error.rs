//! Why a text was refused, and where.

use thiserror::Error;

/// A refused text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Where, in bytes from the start. For a key or string it is the opening quote, for a number its first byte.
    pub offset: usize,
}

impl JsonError {
    pub(super) const fn new(kind: JsonErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

/// The ways in which a text can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonErrorKind {
    /// More bytes than [`Limits::bytes`](super::Limits::bytes).
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit in force.
        limit: usize,
    },
    /// More open containers than [`Limits::depth`](super::Limits::depth).
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// The text stops inside a value, or holds none.
    #[error("unexpected end of text")]
    UnexpectedEnd,
    /// A character that the grammar does not allow here.
    #[error("unexpected `{}`", .0.escape_debug())]
    Unexpected(char),
    /// Something follows the value.
    #[error("text after the end of the value")]
    TrailingText,
    /// An object holds one key twice, after unescaping.
    #[error("key given twice in one object")]
    DuplicateKey,
    /// A key that the value builder would read as an instruction instead of as data.
    #[error("reserved key")]
    ReservedKey,
    /// A raw control character inside a string.
    #[error("unescaped control character in a string")]
    ControlCharacter,
    /// An escape sequence that JSON does not have.
    #[error("invalid escape sequence")]
    InvalidEscape,
    /// Half of a surrogate pair.
    #[error("surrogate escape without its other half")]
    LoneSurrogate,
    /// An integer outside -2^63 ..= 2^64 - 1.
    #[error("integer outside the 64-bit range")]
    IntegerRange,
    /// A number too large for a double.
    #[error("number too large for a double")]
    FloatRange,
    /// The scan accepted what the value builder refuses. Never seen; refused all the same.
    #[error("read differently by two parsers")]
    Disagreement,
}
