//! Encryption of what must not lie on disk in the clear: AES-256-GCM.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Nonce, Payload},
};
use vocab::Secret;
use zeroize::Zeroizing;

/// First byte of sealed bytes: the format below, AES-256-GCM.
const FORMAT: u8 = 1;
/// Random nonces of 96 bits: one key may seal 2^32 times before a collision is likelier than 2^-32
/// (NIST SP 800-38D, section 8.3).
const NONCE_BYTES: usize = 12;

/// Seals and opens bytes for one purpose.
///
/// Sealed bytes are `0x01 || nonce (12) || ciphertext || tag (16)`. The key is derived from the purpose, so bytes sealed
/// for one purpose never open for another.
pub struct Sealer {
    cipher: Aes256Gcm,
}

/// Why bytes were not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Randomness,
    /// Over what one message of AES-GCM holds.
    #[error("too long to be sealed")]
    TooLong,
    /// Not sealed by this key, for this purpose, with this context; or altered since.
    #[error("sealed content does not open: it was altered, or belongs elsewhere")]
    Refused,
}

impl Sealer {
    /// A sealer for `purpose`, a word of the program.
    #[must_use]
    pub fn new(key: &Secret<[u8; 32]>, purpose: &str) -> Self {
        let derived = Zeroizing::new(derive(key.expose(), purpose));
        Self { cipher: Aes256Gcm::new((&*derived).into()) }
    }

    /// Encrypts `plain`. `context` is not stored: opening needs the same one.
    ///
    /// # Errors
    /// No randomness, or more than 64 GiB.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Randomness)?;
        let payload = Payload { msg: plain, aad: context };
        let text = self.cipher.encrypt(&Nonce::<Aes256Gcm>::from(nonce), payload).map_err(|_| SealError::TooLong)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + text.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// Decrypts what [`seal`](Self::seal) made with the same context.
    ///
    /// # Errors
    /// Anything else than exactly that.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let Some((&FORMAT, rest)) = sealed.split_first() else {
            return Err(SealError::Refused);
        };
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Refused)?;
        let payload = Payload { msg: text, aad: context };
        let plain = self.cipher.decrypt(&Nonce::<Aes256Gcm>::from(*nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| SealError::Refused)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// Key separation: one stored key, one derived key for each purpose.
fn derive(key: &[u8; 32], purpose: &str) -> [u8; 32] {
    crate::hasher::hmac_sha256(key, &[b"mortise/seal/v1/", purpose.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealer(key: u8, purpose: &str) -> Sealer {
        Sealer::new(&Secret::new([key; 32]), purpose)
    }

    #[test]
    fn sealing_twice_never_gives_the_same_bytes() {
        let sealer = sealer(1, "approvals");
        assert_ne!(sealer.seal(b"x", b"").unwrap(), sealer.seal(b"x", b"").unwrap());
    }

    #[test]
    fn another_key_purpose_or_context_does_not_open() {
        let sealed = sealer(1, "approvals").seal(b"arguments", b"call 1").unwrap();
        assert_eq!(sealer(1, "approvals").open(&sealed, b"call 1").unwrap().as_slice(), b"arguments");
        assert_eq!(sealer(2, "approvals").open(&sealed, b"call 1"), Err(SealError::Refused));
        assert_eq!(sealer(1, "payloads").open(&sealed, b"call 1"), Err(SealError::Refused));
        assert_eq!(sealer(1, "approvals").open(&sealed, b"call 2"), Err(SealError::Refused));
    }

    proptest! {
        #[test]
        fn every_changed_byte_is_refused(plain: Vec<u8>, context: Vec<u8>, at: prop::sample::Index, flip in 1u8..) {
            let sealer = sealer(7, "test");
            let mut sealed = sealer.seal(&plain, &context).unwrap();
            let opened = sealer.open(&sealed, &context).unwrap();
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert_eq!(sealer.open(&sealed, &context), Err(SealError::Refused));
            sealed.truncate(at);
            prop_assert_eq!(sealer.open(&sealed, &context), Err(SealError::Refused));
        }
    }
}
