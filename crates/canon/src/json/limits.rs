//! How much JSON is read before it is refused.

/// Containers open at once. Real tool arguments stay below ten; 64 leaves room and keeps every later walk shallow.
pub const DEFAULT_DEPTH: usize = 64;

/// Bytes of one message: 16 MiB, room for an image in base64.
pub const DEFAULT_BYTES: usize = 16 * 1024 * 1024;

/// The deepest nesting [`parse`](super::parse) builds a value for, whatever [`Limits::depth`] says: one less than the
/// 128 levels at which `serde_json` stops to protect its own stack.
pub const PARSE_DEPTH: usize = 127;

/// The limits of one reading. Both are inclusive: exactly the limit is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Containers open at once.
    pub depth: usize,
    /// Bytes in total, white space included.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: DEFAULT_DEPTH, bytes: DEFAULT_BYTES }
    }
}
