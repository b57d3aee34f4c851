//! C2SP signed-note: a text with Ed25519 signatures by named keys.
//!
//! `key` is who signs and whom one trusts, `signed` the note itself, `cosigner` a witness's signature on a checkpoint.

mod cosigner;
mod key;
mod signed;

pub use cosigner::{CosignatureVerifier, Cosigner};
pub use key::{KeyError, KeyId, KeyName, Signer, Verifier};
pub use signed::{MAX_NOTE_BYTES, MAX_SIGNATURES, Note, NoteError, NoteSignature, Verified, VerifyNoteError};
