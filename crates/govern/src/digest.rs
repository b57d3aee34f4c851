//! Digests as the rest of Mortise writes them.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use vocab::id::Digest;

/// `sha256:` and the hexadecimal digest of some bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> Digest {
    Digest::new(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
}

/// The digest of a value's RFC 8785 text: what a tool's definition is pinned by.
#[must_use]
pub fn of_json(value: &Value) -> Digest {
    of_bytes(&canon::json::canonical(value))
}
