//! Transparency log arithmetic and formats: RFC 6962 trees, C2SP tiles, checkpoints, notes and proofs.
//!
//! What this crate does *not* contain: files, sockets, a clock, randomness, threads, or any idea of what a leaf means.
//! Seeds, stored tiles and bytes are arguments; results are values. Whoever writes the log (`store`) and whoever checks
//! it years later on another machine run the same functions.
//!
//! The formats are exactly those of C2SP (tlog-tiles, tlog-checkpoint, signed-note, tlog-proof,
//! tlog-cosignature, tlog-witness), so that verifiers
//! written by others accept a Mortise log; `foreign/` holds two of them. Where a specification leaves room, the
//! stricter reading is taken: every accepted text is the only spelling of its value, and so `format(parse(x)) == x`.
//!
//! Everything parsed here may come from an attacker. Parsers return errors and never panic; nothing is allocated in
//! proportion to a *claimed* size, only to bytes that are really there.
//!
//! Reading order: [`Hash`] → [`TileId`], [`TileBuilder`], [`HashReader`] → [`Frontier`], [`inclusion_proof`],
//! [`verify_inclusion`] → [`Note`], [`Signer`], [`Verifier`] → [`Checkpoint`], [`KeyHistory`] → [`TlogProof`]; [`Cosigner`],
//! [`AddCheckpoint`].

mod checkpoint;
mod hash;
mod key_history;
mod note;
mod text;
mod tile;
mod tlog_proof;
mod tree;
mod witness;

pub use checkpoint::{Checkpoint, CheckpointError, MAX_EXTENSION_LINES, OpenError};
pub use hash::{EMPTY_ROOT, Hash, HashTextError, leaf_hash, leaf_hashes, node_hash};
pub use key_history::{HistoryError, KeyChangeError, KeyHistory, KeySpan, LineError, MAX_LOG_KEYS, SignedError};
pub use note::{
    CosignatureVerifier, Cosigner, KeyError, KeyId, KeyName, MAX_NOTE_BYTES, MAX_SIGNATURES, Note, NoteError,
    NoteSignature, Signer, Verified, Verifier, VerifyNoteError,
};
pub use tile::{
    BundleError, BundleId, HashReader, MAX_ENTRY_BYTES, ReadError, ResumeError, TILE_WIDTH, TileBuilder, TileDataError,
    TileId, TileIdError, TileWrite, decode_bundle, decode_hashes, encode_bundle, encode_hashes,
};
pub use tlog_proof::{MAX_EXTRA_BYTES, MAX_PATH_HASHES, MAX_PROOF_BYTES, ProofError, ProofTextError, TlogProof};
pub use tree::{
    Frontier, FrontierError, MAX_TREE_SIZE, ProveError, TreeFull, VerifyError, consistency_proof, inclusion_proof,
    root_at, verify_consistency, verify_inclusion,
};
pub use witness::{AddCheckpoint, MAX_CONSISTENCY_HASHES, MAX_REQUEST_BYTES, Refusal, RequestError, Seen};
