//! Digests as the rest of Mortise writes them.

use ring::digest::{SHA256, digest};
use serde_json::Value;
use vocab::id::Digest;

/// `sha256:` and the hexadecimal digest of some bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> Digest {
    Digest::new(format!("sha256:{}", hex::encode(digest(&SHA256, bytes))))
}

/// The digest of a value's RFC 8785 text: what a tool's definition is pinned by.
#[must_use]
pub fn of_json(value: &Value) -> Digest {
    of_bytes(&canon::json::canonical(value))
}
