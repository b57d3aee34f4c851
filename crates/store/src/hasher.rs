//! Keyed digests: what the log holds in place of content.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vocab::Secret;

/// HMAC-SHA-256's block; a shorter key is padded with zeros (RFC 2104, section 2).
const BLOCK: usize = 64;

/// Digests arguments, results and purposes under the log's key.
///
/// A bare digest of a short text can be guessed by whoever reads the log; a keyed one cannot. Whoever holds the key can
/// still show that a given text is the one recorded.
#[derive(Clone, Debug)]
pub struct LogHasher {
    key: Secret<[u8; 32]>,
}

impl LogHasher {
    /// A hasher under this key.
    #[must_use]
    pub fn new(key: Secret<[u8; 32]>) -> Self {
        Self { key }
    }

    /// `hmac:` and 64 lower-case hexadecimal digits of HMAC-SHA-256 over `bytes`.
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> String {
        format!("hmac:{}", hex::encode(hmac_sha256(self.key.expose(), &[bytes])))
    }
}

/// HMAC-SHA-256 over the parts, one after the other.
pub(crate) fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = zeroize::Zeroizing::new([0; BLOCK]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_rfc_4231() {
        // Test case 2 with its key `Jefe`: keys of 32 bytes are padded exactly as shorter ones are.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let digest = LogHasher::new(Secret::new(key)).hash(b"what do ya want for nothing?");
        assert_eq!(digest, "hmac:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn another_key_gives_another_digest() {
        let one = LogHasher::new(Secret::new([1; 32])).hash(b"x");
        assert_ne!(one, LogHasher::new(Secret::new([2; 32])).hash(b"x"));
    }
}
