//! Signing and verifying keys and their text encodings, those of Go's `golang.org/x/mod/sumdb/note`.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::NoteSignature;
use crate::text;

/// What a key signs, by its signature type byte (signed-note, "Signature types"). It is part of a key's id, so that a key of
/// one kind is never taken for one of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    /// The texts of notes: plain Ed25519.
    Text = 0x01,
    /// Cosignatures of checkpoints (tlog-cosignature, version 1).
    Cosignature = 0x04,
}

/// Type byte and 32 bytes of key.
const ENCODED_KEY_BYTES: usize = 33;

/// What a signing key's text begins with, so that scanners for leaked secrets find it.
const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// Name of a key: not empty, no Unicode space, no plus, no ASCII control character. By convention the log's origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The first four bytes of SHA-256(name || 0x0A || type || public key): tells keys of one name apart, proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) u32);

/// A named Ed25519 signing key. The secret is wiped when dropped and never shown by `Debug`.
pub struct Signer {
    kind: KeyType,
    name: KeyName,
    id: KeyId,
    key: SigningKey,
}

/// A named Ed25519 public key one has decided to trust.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    kind: KeyType,
    name: KeyName,
    pub(super) id: KeyId,
    key: VerifyingKey,
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty or holds a space, a plus or a control character.
    #[error("a key name is not empty and has no spaces, plus signs or control characters")]
    Name,
    /// Not `name+hash+base64`, or for a signing key `PRIVATE+KEY+name+hash+base64`.
    #[error("the key is not of the form name, hash and base64, joined by plus signs")]
    Form,
    /// The key is of another type than is wanted here: a witness's in place of a log's, or an unknown one.
    #[error("the key is of type {found}{}, and one of type {wanted}{} is wanted here", whose(*found), whose(*wanted))]
    Algorithm {
        /// Its type.
        found: u8,
        /// The type that is wanted.
        wanted: u8,
    },
    /// The bytes are no usable Ed25519 public key.
    #[error("the key is not a usable Ed25519 public key")]
    Point,
    /// The hash does not belong to name and key: one of the three was altered.
    #[error("the key's hash does not match its name and bytes")]
    Hash,
}

impl KeyName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, KeyError> {
        let refused = |c: char| c.is_whitespace() || c == '+' || c < ' ';
        if name.is_empty() || name.contains(refused) { Err(KeyError::Name) } else { Ok(Self(name.to_owned())) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyId {
    fn new(kind: KeyType, name: &KeyName, key: &VerifyingKey) -> Self {
        let digest = crate::hash::sha256(&[name.as_str().as_bytes(), &[b'\n', kind as u8], key.as_bytes()]);
        Self(digest.0.first_chunk().copied().map_or(0, u32::from_be_bytes))
    }
}

/// Eight lower-case hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl Signer {
    /// A signer from 32 bytes of good randomness, which the caller draws and wipes.
    #[must_use]
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        Self::of_type(KeyType::Text, name, seed)
    }

    pub(super) fn of_type(kind: KeyType, name: KeyName, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        Self { kind, id: KeyId::new(kind, &name, &key.verifying_key()), name, key }
    }

    /// Reads a signing key `PRIVATE+KEY+name+hash+base64`.
    pub fn from_skey(skey: &str) -> Result<Self, KeyError> {
        Self::of_type_from_skey(KeyType::Text, skey)
    }

    pub(super) fn of_type_from_skey(kind: KeyType, skey: &str) -> Result<Self, KeyError> {
        let (name, id, encoded) = split_key(skey.strip_prefix(SECRET_PREFIX).ok_or(KeyError::Form)?)?;
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(key_bytes(kind, &encoded)?);
        let signer = Self::of_type(kind, name, &seed);
        if signer.id.to_string() == id { Ok(signer) } else { Err(KeyError::Hash) }
    }

    /// The signing key as text; to be stored where nobody else reads it.
    #[must_use]
    pub fn to_skey(&self) -> Zeroizing<String> {
        let mut encoded = Zeroizing::new([self.kind as u8; ENCODED_KEY_BYTES]);
        if let Some((_, seed)) = encoded.split_first_mut() {
            seed.copy_from_slice(self.key.as_bytes());
        }
        let base64 = Zeroizing::new(text::to_base64(&*encoded));
        let public = format!("{SECRET_PREFIX}{}+{}+", self.name, self.id);
        // Sized up front: a string that grows leaves copies of the secret behind.
        let mut skey = Zeroizing::new(String::with_capacity(public.len() + base64.len()));
        skey.push_str(&public);
        skey.push_str(&base64);
        skey
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key that checks this signer's signatures.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier { kind: self.kind, name: self.name.clone(), id: self.id, key: self.key.verifying_key() }
    }

    /// Signs a note's text.
    pub(super) fn sign(&self, text: &str) -> NoteSignature {
        let signature = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        NoteSignature { name: self.name.clone(), id: self.id, signature }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}+{}, secret)", self.name, self.id)
    }
}

impl Verifier {
    /// Reads a verifying key `name+hash+base64`.
    pub fn from_vkey(vkey: &str) -> Result<Self, KeyError> {
        Self::of_type(KeyType::Text, vkey)
    }

    pub(super) fn of_type(kind: KeyType, vkey: &str) -> Result<Self, KeyError> {
        let (name, id, encoded) = split_key(vkey)?;
        let key = VerifyingKey::from_bytes(key_bytes(kind, &encoded)?).map_err(|_| KeyError::Point)?;
        // Under a key of small order one signature fits many texts.
        if key.is_weak() {
            return Err(KeyError::Point);
        }
        let verifier = Self { kind, id: KeyId::new(kind, &name, &key), name, key };
        if verifier.id.to_string() == id { Ok(verifier) } else { Err(KeyError::Hash) }
    }

    /// The verifying key as text, to be pinned by whoever checks the log.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        let encoded: Vec<u8> = std::iter::once(self.kind as u8).chain(*self.key.as_bytes()).collect();
        format!("{}+{}+{}", self.name, self.id, text::to_base64(&encoded))
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether the signature line claims to be by this key: name and id both match.
    pub(super) fn is_named_by(&self, signature: &NoteSignature) -> bool {
        self.name == signature.name && self.id == signature.id
    }

    /// Whether the signature is this key's over `text`.
    pub(super) fn accepts(&self, text: &str, signature: &NoteSignature) -> bool {
        Signature::from_slice(&signature.signature)
            .and_then(|signature| self.key.verify_strict(text.as_bytes(), &signature))
            .is_ok()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.to_vkey())
    }
}

/// Splits `name+hash+base64`; the base64 may itself contain plus signs. The bytes may be a secret.
fn split_key(key: &str) -> Result<(KeyName, &str, Zeroizing<Vec<u8>>), KeyError> {
    let (name, rest) = key.split_once('+').ok_or(KeyError::Form)?;
    let (id, base64) = rest.split_once('+').ok_or(KeyError::Form)?;
    let encoded = text::from_base64(base64).map(Zeroizing::new).ok_or(KeyError::Form)?;
    Ok((KeyName::parse(name)?, id, encoded))
}

/// Whose keys are of a type, for a message.
const fn whose(kind: u8) -> &'static str {
    match kind {
        1 => " (a log's)",
        4 => " (a witness's)",
        _ => "",
    }
}

fn key_bytes(kind: KeyType, encoded: &[u8]) -> Result<&[u8; 32], KeyError> {
    match encoded.split_first() {
        Some((found, key)) if *found == kind as u8 => key.try_into().map_err(|_| KeyError::Form),
        Some((other, _)) => Err(KeyError::Algorithm { found: *other, wanted: kind as u8 }),
        None => Err(KeyError::Form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of Go's `note` package.
    const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn keys_are_those_of_go() {
        let signer = Signer::from_skey(SKEY).unwrap();
        assert_eq!(signer.to_skey().as_str(), SKEY);
        assert_eq!(signer.verifier().to_vkey(), VKEY);
        assert_eq!(signer.verifier(), Verifier::from_vkey(VKEY).unwrap());
        assert_eq!(signer.verifier().id().to_string(), "c74f20a3");
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", Signer::from_skey(SKEY).unwrap());
        assert_eq!(shown, "Signer(PeterNeumann+c74f20a3, secret)");
    }

    #[test]
    fn altered_keys_are_refused() {
        let refused = |vkey: &str| Verifier::from_vkey(vkey).unwrap_err();
        assert_eq!(refused(""), KeyError::Form);
        assert_eq!(refused("PeterNeumann"), KeyError::Form);
        assert_eq!(refused(&VKEY.replace("c7", "c8")), KeyError::Hash);
        assert_eq!(refused(&VKEY.replace("c74f20a3", "C74F20A3")), KeyError::Hash);
        assert_eq!(refused(&VKEY.replace("Peter", "Petra")), KeyError::Hash);
        assert_ne!(refused(&VKEY.replace("+ARpc", "+ARpd")), KeyError::Form);
        assert_eq!(refused(&VKEY.replace("+AR", "+BB")), KeyError::Algorithm { found: 4, wanted: 1 });
        assert_eq!(refused(&VKEY.replace("PeterNeumann", "")), KeyError::Name);
        assert_eq!(refused(&VKEY.replace("PeterNeumann", "a b")), KeyError::Name);
        assert_eq!(refused(&VKEY.replace("PeterNeumann", "a\u{a0}b")), KeyError::Name);
        assert_eq!(refused(&format!("{VKEY}\n")), KeyError::Form);
        assert_eq!(Signer::from_skey(VKEY).unwrap_err(), KeyError::Form);
        assert_eq!(Signer::from_skey(&SKEY.replace("c7", "c8")).unwrap_err(), KeyError::Hash);
        assert_eq!(Signer::from_skey(&SKEY.replace("KDFz", "")).unwrap_err(), KeyError::Form);
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        let mut encoded = vec![KeyType::Text as u8, 1];
        encoded.resize(ENCODED_KEY_BYTES, 0);
        let vkey = format!("n+00000000+{}", text::to_base64(&encoded));
        assert_eq!(Verifier::from_vkey(&vkey), Err(KeyError::Point));
    }

    proptest! {
        #[test]
        fn keys_read_back(name in "[a-z./\u{e9}-]{1,12}", seed: [u8; 32]) {
            let signer = Signer::from_seed(KeyName::parse(&name).unwrap(), &seed);
            prop_assert_eq!(Signer::from_skey(&signer.to_skey()).unwrap().to_skey(), signer.to_skey());
            prop_assert_eq!(Verifier::from_vkey(&signer.verifier().to_vkey()), Ok(signer.verifier()));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}", bytes: Vec<u8>) {
            let _ = Verifier::from_vkey(&text);
            let _ = Signer::from_skey(&format!("PRIVATE+KEY+{text}"));
            let _ = Verifier::from_vkey(&format!("n+00000000+{}", text::to_base64(&bytes)));
        }
    }
}
