//! The tree's hash: SHA-256 with the domain separation of RFC 6962, section 2.1 (the same tree as RFC 9162).

mod compress;
mod lanes;
mod many;

use ring::digest::{Context, SHA256};
use std::fmt;

use crate::text;

pub use many::leaf_hashes;
pub(crate) use many::node_hashes;

/// Root of the tree without leaves: SHA-256 of the empty string (RFC 6962, section 2.1).
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// Without the two prefixes a leaf of 64 bytes could pass for an inner node (second preimage).
const LEAF_PREFIX: [u8; 1] = [0x00];
const NODE_PREFIX: [u8; 1] = [0x01];

/// A Merkle tree hash: 32 bytes of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(
    /// The raw digest.
    pub [u8; Hash::LEN],
);

/// Why a text is no [`Hash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashTextError {
    /// Not exactly 64 lower-case hexadecimal digits.
    #[error("a hash is 64 lower-case hexadecimal digits")]
    Hex,
    /// Not the one padded base64 spelling of 32 bytes.
    #[error("a hash is 32 bytes in padded base64 (44 characters)")]
    Base64,
}

/// Hash of a leaf: SHA-256(0x00 || data).
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&LEAF_PREFIX, data])
}

/// Hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&NODE_PREFIX, &left.0, &right.0])
}

/// SHA-256 over the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; Hash::LEN];
    // The digest of this algorithm has exactly this length.
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    Hash(hash)
}

impl Hash {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// The raw digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]).collect()
    }

    /// Reads [`to_hex`](Self::to_hex) back; upper case is refused.
    pub fn from_hex(hex: &str) -> Result<Self, HashTextError> {
        let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
        if pairs.len() != Self::LEN || !rest.is_empty() {
            return Err(HashTextError::Hex);
        }
        let mut bytes = [0; Self::LEN];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = hex_value(*high).zip(hex_value(*low)).map(|(h, l)| h << 4 | l).ok_or(HashTextError::Hex)?;
        }
        Ok(Self(bytes))
    }

    /// 44 characters of padded base64, the spelling of checkpoints and proofs.
    #[must_use]
    pub fn to_base64(&self) -> String {
        text::to_base64(&self.0)
    }

    /// Reads [`to_base64`](Self::to_base64) back; unpadded or non-canonical spellings are refused.
    pub fn from_base64(base64: &str) -> Result<Self, HashTextError> {
        text::from_base64(base64).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(HashTextError::Base64)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({})", self.to_hex())
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + (nibble & 15) - 10 })
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn empty_root_is_the_digest_of_nothing() {
        assert_eq!(EMPTY_ROOT, sha256(&[]));
    }

    #[test]
    fn leaf_and_node_hashes_match_the_ct_vectors() {
        let empty_leaf = leaf_hash(b"");
        assert_eq!(empty_leaf.to_hex(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        let root_of_two = node_hash(&empty_leaf, &leaf_hash(&[0]));
        assert_eq!(root_of_two.to_hex(), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    #[test]
    fn a_leaf_that_spells_a_node_has_another_hash() {
        let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
        assert_ne!(leaf_hash(&[left.0, right.0].concat()), node_hash(&left, &right));
    }

    #[test]
    fn other_spellings_are_refused() {
        let hash = leaf_hash(b"x");
        assert_eq!(Hash::from_hex(&hash.to_hex().to_uppercase()), Err(HashTextError::Hex));
        assert_eq!(Hash::from_hex(&format!("{}0", hash.to_hex())), Err(HashTextError::Hex));
        assert_eq!(Hash::from_base64(hash.to_base64().trim_end_matches('=')), Err(HashTextError::Base64));
        assert_eq!(Hash::from_base64(&format!("{}\n", hash.to_base64())), Err(HashTextError::Base64));
        // 32 bytes leave two spare bits in the last character; they have to be zero.
        assert!(Hash::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").is_ok());
        assert!(Hash::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=").is_err());
    }

    proptest! {
        #[test]
        fn texts_read_back(bytes: [u8; 32]) {
            prop_assert_eq!(Hash::from_hex(&Hash(bytes).to_hex()), Ok(Hash(bytes)));
            prop_assert_eq!(Hash::from_base64(&Hash(bytes).to_base64()), Ok(Hash(bytes)));
        }

        #[test]
        fn no_text_panics(text in ".{0,70}") {
            let _ = Hash::from_hex(&text);
            let _ = Hash::from_base64(&text);
        }
    }
}
