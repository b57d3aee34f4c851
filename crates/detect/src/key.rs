//! The key that pseudonyms are made with.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// HMAC-SHA-256 pads shorter keys with zeros to this many bytes (RFC 2104 section 2).
const BLOCK: usize = 64;

/// A secret of 32 bytes. Equal values have equal pseudonyms under one key and unrelated ones under another; whoever
/// holds the key can test a guess. Wiped from memory when dropped.
pub struct PseudonymKey(Hmac<Sha256>);

impl PseudonymKey {
    /// Takes the key's bytes, which must come from a source of secret randomness.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let mut block = Zeroizing::new([0; BLOCK]);
        for (to, from) in block.iter_mut().zip(bytes.iter()) {
            *to = *from;
        }
        Self(Hmac::new((&*block).into()))
    }

    /// HMAC-SHA-256 over `domain` and `text`, in hexadecimal.
    pub(crate) fn tag(&self, domain: &[u8], text: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(domain);
        mac.update(text);
        hex::encode(mac.finalize().into_bytes())
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", PseudonymKey::new([7; 32])), "PseudonymKey(..)");
    }

    #[test]
    fn the_tag_is_hmac_sha_256() {
        // RFC 4231 test case 2, key "Jefe", which zeros pad to the same block whether given as 4 bytes or as 32.
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            PseudonymKey::new(bytes).tag(b"what do ya want ", b"for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
