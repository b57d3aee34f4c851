//! C2SP tlog-witness: what a log sends to a witness, and when a witness cosigns.

use crate::{
    checkpoint::{Checkpoint, OpenError},
    hash::Hash,
    note::{MAX_NOTE_BYTES, Note, NoteError, Verifier},
    text,
    tree::{MAX_TREE_SIZE, verify_consistency},
};

/// Most hashes of a consistency proof (tlog-witness, "add-checkpoint").
pub const MAX_CONSISTENCY_HASHES: usize = 63;

/// Longest request: a note, and before it the old size and the hashes, each of at most 45 bytes with its line feed.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 45 * (MAX_CONSISTENCY_HASHES + 2);

/// The body of `POST add-checkpoint`: a checkpoint, and a proof that the log grew to it from the size before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness cosigned last, as the log believes; 0 before the first time.
    pub old: u64,
    /// Consistency proof from the old size to that of the checkpoint; empty when the old size is 0 or the same.
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by the log.
    pub note: Note,
}

/// Why bytes are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// More than [`MAX_REQUEST_BYTES`].
    #[error("the request is too long")]
    TooLong,
    /// No line `old` with a size.
    #[error("the first line is not `old` and a size")]
    Old,
    /// A line before the empty one is no hash.
    #[error("line {line} is not a hash in base64")]
    Hash {
        /// Counted from 1, the line of the old size.
        line: usize,
    },
    /// More than [`MAX_CONSISTENCY_HASHES`].
    #[error("the proof has more than 63 hashes")]
    TooManyHashes,
    /// No empty line before the checkpoint.
    #[error("no empty line stands before the checkpoint")]
    NoCheckpoint,
    /// What follows is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// The size and root a witness cosigned last for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Number of entries.
    pub size: u64,
    /// Root of their tree.
    pub root: Hash,
}

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The log's key did not sign the checkpoint, or it is none.
    #[error(transparent)]
    NotTheLogs(#[from] OpenError),
    /// The old size is beyond the checkpoint's.
    #[error("the old size is larger than that of the checkpoint")]
    OldBeyondNew,
    /// Another size was cosigned last; the log may ask again from there.
    #[error("the size cosigned last is {0}")]
    OtherSize(u64),
    /// The same size with another root: the log shows two histories.
    #[error("another root was cosigned for this size")]
    OtherRoot(u64),
    /// The proof does not show that the log only grew.
    #[error("the consistency proof does not verify")]
    NotGrown,
}

impl AddCheckpoint {
    /// Reads a request. [`format`](Self::format) gives the same bytes again.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLong);
        }
        let line = |rest: &mut &[u8]| -> Option<String> {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let (line, behind) = rest.split_at_checked(end)?;
            *rest = behind.get(1..)?;
            String::from_utf8(line.to_vec()).ok()
        };
        let mut rest = bytes;
        let old = line(&mut rest).and_then(|line| text::decimal(line.strip_prefix("old ")?, MAX_TREE_SIZE));
        let old = old.ok_or(RequestError::Old)?;
        let mut proof = Vec::new();
        loop {
            match line(&mut rest) {
                None => return Err(RequestError::NoCheckpoint),
                Some(empty) if empty.is_empty() => break,
                Some(_) if proof.len() >= MAX_CONSISTENCY_HASHES => return Err(RequestError::TooManyHashes),
                Some(hash) => {
                    let line = proof.len() + 2;
                    proof.push(Hash::from_base64(&hash).map_err(|_| RequestError::Hash { line })?);
                }
            }
        }
        Ok(Self { old, proof, note: Note::parse(rest)? })
    }

    /// The request as bytes.
    #[must_use]
    pub fn format(&self) -> String {
        let mut request = format!("old {}\n", self.old);
        for hash in &self.proof {
            request.push_str(&hash.to_base64());
            request.push('\n');
        }
        request.push('\n');
        request.push_str(&self.note.format());
        request
    }

    /// Whether a witness that saw `seen` last may cosign the checkpoint of the log with these keys, one of which has to
    /// have signed it: a witness sees no records, so it is told of a rotation by whoever runs it.
    ///
    /// # Errors
    /// It may not. The order of the reasons is that of the specification.
    pub fn judge(&self, seen: Option<Seen>, log: &[Verifier]) -> Result<Checkpoint, Refusal> {
        let checkpoint = Checkpoint::open_any(&self.note, log)?;
        let (size, root) = (checkpoint.size(), *checkpoint.root());
        if self.old > size {
            return Err(Refusal::OldBeyondNew);
        }
        let last = seen.map_or(0, |seen| seen.size);
        if self.old != last {
            return Err(Refusal::OtherSize(last));
        }
        match seen {
            Some(seen) if seen.size == size => {
                if seen.root != root {
                    return Err(Refusal::OtherRoot(size));
                }
                if !self.proof.is_empty() {
                    return Err(Refusal::NotGrown);
                }
            }
            // From nothing every log has grown, and nothing is proved.
            Some(Seen { size: 0, .. }) | None => {
                if !self.proof.is_empty() {
                    return Err(Refusal::NotGrown);
                }
            }
            Some(seen) => {
                verify_consistency(seen.size, size, &self.proof, &seen.root, &root).map_err(|_| Refusal::NotGrown)?;
            }
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests;
