//! A note: its text, its signatures, and which of them one may believe.

use super::{KeyId, KeyName, Signer, Verifier};
use crate::text;

/// Longest note, in bytes: room for a hundred post-quantum signatures of 5 kB and as much text.
pub const MAX_NOTE_BYTES: usize = 1024 * 1024;

/// Most signature lines of a note; the specification asks for at least 16, Go allows 100.
pub const MAX_SIGNATURES: usize = 100;

/// Em dash and space: what a signature line begins with.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A well-formed note. Nothing in it may be believed before [`verify`](Self::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Ends with a line feed.
    text: String,
    /// 1 to [`MAX_SIGNATURES`].
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    pub(super) name: KeyName,
    pub(super) id: KeyId,
    /// Without the key id; its length depends on a type only the key's owner knows.
    pub(super) signature: Vec<u8>,
}

/// What checking a note's signatures found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'a> {
    /// Known keys with a good signature, each once; never empty.
    pub signed_by: Vec<&'a Verifier>,
    /// Signature lines of keys that are not known. They say nothing.
    pub unknown: Vec<&'a NoteSignature>,
}

/// Why bytes are no note, or a note cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`MAX_NOTE_BYTES`].
    #[error("the note is longer than 1 MiB")]
    TooLong,
    /// Not UTF-8, or a control character other than a line feed (a carriage return is one).
    #[error("the note is not plain UTF-8 text without control characters")]
    Characters,
    /// The text does not end with a line feed.
    #[error("the note's text does not end with a line feed")]
    Text,
    /// No blank line with signature lines behind it.
    #[error("the note has no signatures")]
    NoSignatures,
    /// More than [`MAX_SIGNATURES`].
    #[error("the note has more than 100 signatures")]
    TooManySignatures,
    /// A line is not an em dash, a key name and base64 of a key id and a signature.
    #[error("signature line {line} of the note is malformed")]
    Signature {
        /// Counted from 1.
        line: usize,
    },
}

/// Why a well-formed note is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyNoteError {
    /// A signature claims to be by a known key and is not.
    #[error("the signature of `{name}+{id}` is wrong")]
    BadSignature {
        /// Name of the known key.
        name: KeyName,
        /// Its id.
        id: KeyId,
    },
    /// None of the known keys signed.
    #[error("no known key has signed the note")]
    NoKnownKey,
    /// Two different known keys share name and id: somebody has tampered with the list of keys.
    #[error("two different known keys are called `{name}+{id}`")]
    Ambiguous {
        /// The name both have.
        name: KeyName,
        /// The id both have.
        id: KeyId,
    },
}

impl Note {
    /// Signs a text, which must end with a line feed, with one or more keys.
    pub fn sign(text: &str, signers: &[&Signer]) -> Result<Self, NoteError> {
        if text::has_control(text) {
            return Err(NoteError::Characters);
        }
        if !text.ends_with('\n') {
            return Err(NoteError::Text);
        }
        if signers.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let mut note = Self { text: text.to_owned(), signatures: Vec::new() };
        for signer in signers {
            note.push(signer.sign(text));
        }
        note.check_limits()?;
        Ok(note)
    }

    /// Adds a signature, such as a witness's, in place of an earlier one by the same key. Checks nothing about it.
    pub fn with_signature(mut self, signature: NoteSignature) -> Result<Self, NoteError> {
        self.push(signature);
        self.check_limits()?;
        Ok(self)
    }

    /// Reads a note. [`format`](Self::format) gives the same bytes again.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let note = str::from_utf8(bytes).ok().filter(|note| !text::has_control(note)).ok_or(NoteError::Characters)?;
        // The *last* blank line separates, so a text cannot smuggle in lines that look like signatures.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (line, content) in (1..).zip(lines.split('\n')) {
            if line > MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse(content).ok_or(NoteError::Signature { line })?);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The note as text.
    #[must_use]
    pub fn format(&self) -> String {
        let mut note = format!("{}\n", self.text);
        for signature in &self.signatures {
            note.push_str(&signature.line());
            note.push('\n');
        }
        note
    }

    /// The signed text, with its final line feed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks every signature by a known key; a wrong one refuses the note, those of unknown keys are set aside.
    pub fn verify<'a>(&'a self, known: &'a [Verifier]) -> Result<Verified<'a>, VerifyNoteError> {
        let mut verified = Verified { signed_by: Vec::new(), unknown: Vec::new() };
        for signature in &self.signatures {
            let mut claimed = known.iter().filter(|verifier| verifier.is_named_by(signature));
            let Some(verifier) = claimed.next() else {
                verified.unknown.push(signature);
                continue;
            };
            let (name, id) = (verifier.name().clone(), verifier.id());
            if claimed.any(|other| other != verifier) {
                return Err(VerifyNoteError::Ambiguous { name, id });
            }
            if !verifier.accepts(&self.text, signature) {
                return Err(VerifyNoteError::BadSignature { name, id });
            }
            if !verified.signed_by.contains(&verifier) {
                verified.signed_by.push(verifier);
            }
        }
        if verified.signed_by.is_empty() { Err(VerifyNoteError::NoKnownKey) } else { Ok(verified) }
    }

    fn push(&mut self, signature: NoteSignature) {
        self.signatures.retain(|old| (&old.name, old.id) != (&signature.name, signature.id));
        self.signatures.push(signature);
    }

    fn check_limits(&self) -> Result<(), NoteError> {
        if self.signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        if self.format().len() > MAX_NOTE_BYTES { Err(NoteError::TooLong) } else { Ok(()) }
    }
}

impl NoteSignature {
    /// Name of the key that claims to have signed.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Id of the key that claims to have signed.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The signature's bytes, whose meaning depends on the key's type.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.signature
    }

    /// Reads one signature line, without its line feed.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
        let name = KeyName::parse(name).ok()?;
        let encoded = text::from_base64(base64)?;
        let (id, signature) = encoded.split_first_chunk().filter(|(_, signature)| !signature.is_empty())?;
        Some(Self { name, id: KeyId(u32::from_be_bytes(*id)), signature: signature.to_vec() })
    }

    /// The signature line, without its line feed.
    #[must_use]
    pub fn line(&self) -> String {
        let encoded = [&self.id.0.to_be_bytes(), self.signature.as_slice()].concat();
        format!("{SIGNATURE_PREFIX}{} {}", self.name, text::to_base64(&encoded))
    }
}

#[cfg(test)]
mod tests;
