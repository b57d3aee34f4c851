//! Keyed digests: what the log holds in place of content.

use ring::hmac::{Context, HMAC_SHA256, Key};
use vocab::Secret;

/// Length of a digest.
const DIGEST_BYTES: usize = 32;
/// What every digest in the log begins with.
const SCHEME: &str = "hmac:";

/// Digests arguments, results and purposes under the log's key.
///
/// A bare digest of a short text can be guessed by whoever reads the log; a keyed one cannot. Whoever holds the key can
/// still show that a given text is the one recorded.
#[derive(Clone)]
pub struct LogHasher {
    /// The key, already run through the first block of both hashes: half the work on texts as short as arguments.
    key: Key,
}

impl LogHasher {
    /// A hasher under this key.
    #[must_use]
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self { key: Key::new(HMAC_SHA256, key.expose()) }
    }

    /// `hmac:` and 64 lower-case hexadecimal digits of HMAC-SHA-256 over `bytes`.
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> String {
        let mut text = [0; SCHEME.len() + 2 * DIGEST_BYTES];
        let (scheme, rest) = text.split_at_mut(SCHEME.len());
        scheme.copy_from_slice(SCHEME.as_bytes());
        let (pairs, _) = rest.as_chunks_mut();
        for (pair, byte) in pairs.iter_mut().zip(mac(&self.key, &[bytes])) {
            *pair = digits(byte);
        }
        // A scheme and digits are text.
        std::str::from_utf8(&text).unwrap_or_default().to_owned()
    }
}

/// A byte as two lower-case hexadecimal digits.
pub(crate) fn digits(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    [digit(byte >> 4), digit(byte & 15)]
}

impl std::fmt::Debug for LogHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogHasher(..)")
    }
}

/// HMAC-SHA-256 over the parts, one after the other.
pub(crate) fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    mac(&Key::new(HMAC_SHA256, key), parts)
}

fn mac(key: &Key, parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut context = Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let mut mac = [0; DIGEST_BYTES];
    // The tag of this algorithm has exactly this length.
    for (to, from) in mac.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_rfc_4231() {
        // Test case 2 with its key `Jefe`: keys of 32 bytes are padded exactly as shorter ones are.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let digest = LogHasher::new(&Secret::new(key)).hash(b"what do ya want for nothing?");
        assert_eq!(digest, "hmac:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn another_key_gives_another_digest() {
        let one = LogHasher::new(&Secret::new([1; 32])).hash(b"x");
        assert_ne!(one, LogHasher::new(&Secret::new([2; 32])).hash(b"x"));
    }
}
