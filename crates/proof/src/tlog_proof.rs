//! C2SP tlog-proof: everything needed to check offline that an entry is in a log, in one text file.

use crate::{
    checkpoint::{Checkpoint, OpenError},
    hash::{Hash, leaf_hash},
    note::{MAX_NOTE_BYTES, Note, NoteError, Verifier},
    text,
    tree::{MAX_TREE_SIZE, VerifyError, verify_inclusion},
};

/// Most hashes of an inclusion proof: the depth of a tree of 2^63-1 leaves.
pub const MAX_PATH_HASHES: usize = 63;

/// Longest extra data, in bytes before base64.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;

/// Longest proof, in bytes: a note, the extra data (4/3 in base64, 85.3 KiB) and 63 hashes of 45 characters (2.8 KiB).
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + 96 * 1024;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof that an entry is in a log. Nothing in it may be believed before [`verify`](Self::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: Note,
}

/// Why bytes are no proof, or a proof cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofTextError {
    /// More than [`MAX_PROOF_BYTES`].
    #[error("the proof is longer than 1 MiB and 96 KiB")]
    TooLong,
    /// Not UTF-8, or a control character other than a line feed (a carriage return is one).
    #[error("the proof is not plain UTF-8 text without control characters")]
    Characters,
    /// The first line is not that of this version.
    #[error("the proof does not begin with `c2sp.org/tlog-proof@v1`")]
    Header,
    /// The extra data is empty, more than [`MAX_EXTRA_BYTES`], or no base64.
    #[error("the proof's extra data is not 1 to 65536 bytes in base64")]
    Extra,
    /// The index line is missing or no plain decimal below 2^63-1.
    #[error("the proof has no line with the entry's index as a plain decimal below 2^63-1")]
    Index,
    /// A line of the inclusion proof is no hash.
    #[error("hash {line} of the proof is not 32 bytes in base64")]
    Hash {
        /// Counted from 1.
        line: usize,
    },
    /// More than [`MAX_PATH_HASHES`].
    #[error("the proof has more than 63 hashes")]
    TooManyHashes,
    /// No empty line and checkpoint behind the hashes.
    #[error("the proof has no checkpoint")]
    NoCheckpoint,
    /// The checkpoint is no well-formed note.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
}

/// Why a well-formed proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The checkpoint is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] OpenError),
    /// The entry is not at its place in the log.
    #[error(transparent)]
    Inclusion(#[from] VerifyError),
}

impl TlogProof {
    /// A proof for the entry at `index` from its inclusion proof in the tree of the signed checkpoint.
    pub fn new(index: u64, path: Vec<Hash>, checkpoint: Note) -> Result<Self, ProofTextError> {
        if index >= MAX_TREE_SIZE {
            return Err(ProofTextError::Index);
        }
        if path.len() > MAX_PATH_HASHES {
            return Err(ProofTextError::TooManyHashes);
        }
        Ok(Self { extra: None, index, path, checkpoint })
    }

    /// Adds data the proof carries along. It is *not* authenticated.
    pub fn with_extra(self, extra: Vec<u8>) -> Result<Self, ProofTextError> {
        if extra.is_empty() || extra.len() > MAX_EXTRA_BYTES {
            return Err(ProofTextError::Extra);
        }
        Ok(Self { extra: Some(extra), ..self })
    }

    /// Reads a proof. [`format`](Self::format) gives the same bytes again.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofTextError> {
        if bytes.len() > MAX_PROOF_BYTES {
            return Err(ProofTextError::TooLong);
        }
        let proof = str::from_utf8(bytes).ok().filter(|proof| !text::has_control(proof));
        let proof = proof.ok_or(ProofTextError::Characters)?;
        // No line of the proof's own is empty, so the first empty one ends it.
        let (head, checkpoint) = proof.split_once("\n\n").ok_or(ProofTextError::NoCheckpoint)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(ProofTextError::Header);
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra = extra.map(|line| parse_extra(line).ok_or(ProofTextError::Extra)).transpose()?;
        let index = lines.next().and_then(|line| text::decimal(line.strip_prefix("index ")?, MAX_TREE_SIZE));
        let index = index.ok_or(ProofTextError::Index)?;
        let mut path = Vec::new();
        for (line, content) in (1..).zip(lines) {
            if line > MAX_PATH_HASHES {
                return Err(ProofTextError::TooManyHashes);
            }
            path.push(Hash::from_base64(content).map_err(|_| ProofTextError::Hash { line })?);
        }
        let proof = Self::new(index, path, Note::parse(checkpoint.as_bytes())?)?;
        match extra {
            Some(extra) => proof.with_extra(extra),
            None => Ok(proof),
        }
    }

    /// The proof as text, to be stored with the extension `.tlog-proof`.
    #[must_use]
    pub fn format(&self) -> String {
        let extra = self.extra.as_ref().map(|extra| format!("extra {}\n", text::to_base64(extra))).unwrap_or_default();
        let path: String = self.path.iter().map(|hash| hash.to_base64() + "\n").collect();
        format!("{HEADER}\n{extra}index {}\n{path}\n{}", self.index, self.checkpoint.format())
    }

    /// Checks that `entry`, the leaf's exact bytes, is in the log whose key is `log`; returns the checkpoint that says so.
    pub fn verify(&self, entry: &[u8], log: &Verifier) -> Result<Checkpoint, ProofError> {
        self.verify_leaf_hash(leaf_hash(entry), log)
    }

    /// [`verify`](Self::verify) for an entry of which only the leaf hash is at hand.
    pub fn verify_leaf_hash(&self, leaf: Hash, log: &Verifier) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, log)?;
        verify_inclusion(leaf, self.index, checkpoint.size(), &self.path, checkpoint.root())?;
        Ok(checkpoint)
    }

    /// Data the proof carries along, not authenticated.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// Index of the entry, counted from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, from the leaf up.
    #[must_use]
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The signed checkpoint, with any witnesses' signatures.
    #[must_use]
    pub fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }
}

fn parse_extra(line: &str) -> Option<Vec<u8>> {
    text::from_base64(line.strip_prefix("extra ")?)
}

#[cfg(test)]
mod tests;
