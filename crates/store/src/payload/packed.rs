//! Payloads of many calls, sealed together under the one data key that all of them are under.
//!
//! ```text
//! "MP" | format u8 = 2 | stored u8 | key id (16) | count u32 | length u32 | tag (16) * count
//!      | sealed( salt (32) * count | stored( length u32 * count | bytes... ) )
//! ```
//!
//! As in a block of one call, with the first half of each digest in the head: the whole one is in the record. `length` is of
//! what `stored` says how it is kept: 0 as it is, 1 as a frame of Zstandard (RFC 8878). Salts are left out of that, since no
//! random bytes shrink, and they would spoil what is beside them.
//!
//! INVARIANT: what is compressed together is under one data key, so of one tenant, person and month. How long a block is says
//! something of what is in it (as CRIME does), and what it says is then of one person's texts alone.

use super::{
    block::{Block, MAGIC, MAX_PAYLOAD_BYTES, Opened, SALT, Tag, digest, tag},
    data_keys::DataKey,
};
use crate::seal::SealError;
use zeroize::Zeroizing;

pub(super) const FORMAT: u8 = 2;
const HEAD: usize = 28;
const TAG: usize = 16;
/// A block is full with so many bytes of texts: 128 KiB. Larger ones save a few hundredths more, and take longer to open.
pub(super) const FULL: usize = 128 * 1024;
/// Most payloads in a block.
pub(super) const MAX_COUNT: usize = 4_096;
/// Longest plain text: full but for one byte, then the longest payload. More is not unpacked, whatever is declared.
const MAX_LENGTH: usize = FULL + 4 + MAX_PAYLOAD_BYTES;
/// Of Zstandard. Higher ones take four times as long for a few hundredths.
const LEVEL: i32 = 3;

/// How the plain text is kept, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    is_compressed: bool,
    length: usize,
}

/// Payloads of one data key that are to become a block.
#[derive(Default)]
pub(super) struct Pile {
    tags: Vec<Tag>,
    salts: Zeroizing<Vec<u8>>,
    lengths: Vec<u8>,
    texts: Zeroizing<Vec<u8>>,
}

impl Pile {
    /// Takes in a payload. Nothing is taken in when it [is full](Self::is_full).
    pub(super) fn add(&mut self, salt: &[u8], text: &[u8]) {
        self.tags.push(tag(&digest(salt, text)));
        self.salts.extend_from_slice(salt);
        self.lengths.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.texts.extend_from_slice(text);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes() >= FULL || self.tags.len() >= MAX_COUNT
    }

    /// Bytes in memory.
    pub(super) fn memory(&self) -> usize {
        self.salts.len() + self.bytes()
    }

    /// Bytes of lengths and texts.
    fn bytes(&self) -> usize {
        self.lengths.len() + self.texts.len()
    }

    /// The block.
    pub(super) fn seal(&self, key: &DataKey) -> Result<Vec<u8>, SealError> {
        let mut text = Zeroizing::new(Vec::with_capacity(self.bytes()));
        text.extend_from_slice(&self.lengths);
        text.extend_from_slice(&self.texts);
        let small = zstd::bulk::compress(&text, LEVEL).ok().map(Zeroizing::new);
        let small = small.filter(|small| small.len() < text.len());
        let number = |number: usize| u32::try_from(number).map(u32::to_le_bytes).map_err(|_| SealError::TooLong);
        let mut head = Vec::with_capacity(HEAD + TAG * self.tags.len());
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&[FORMAT, u8::from(small.is_some())]);
        head.extend_from_slice(&key.id_bytes());
        head.extend_from_slice(&number(self.tags.len())?);
        head.extend_from_slice(&number(text.len())?);
        head.extend_from_slice(self.tags.as_flattened());
        let stored = small.as_ref().unwrap_or(&text);
        let mut plain = Zeroizing::new(Vec::with_capacity(self.salts.len() + stored.len()));
        plain.extend_from_slice(&self.salts);
        plain.extend_from_slice(stored);
        let sealed = key.sealer().seal(&plain, &head)?;
        head.extend_from_slice(&sealed);
        Ok(head)
    }

    /// Whether a block has these payloads, and nothing else: asked before what it replaces may go.
    pub(super) fn is_in(&self, block: &[u8], key: &DataKey) -> bool {
        let opened = super::block::parse(block).and_then(|block| block.open(key).ok());
        let Some(opened) = opened.filter(|opened| opened.count() == self.tags.len()) else { return false };
        let mut texts = self.texts.as_slice();
        let expected = self.salts.as_chunks::<SALT>().0.iter().zip(self.lengths.as_chunks::<4>().0);
        expected.enumerate().all(|(place, (salt, length))| {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some((text, behind)) = texts.split_at_checked(length) else { return false };
            texts = behind;
            opened.at(place) == Some((salt, text))
        })
    }
}

/// Reads a block; `None` for what is none.
pub(super) fn parse(bytes: &[u8]) -> Option<Block<'_>> {
    let (stored, rest) = bytes.get(3..)?.split_first()?;
    let is_compressed = match stored {
        0 => false,
        1 => true,
        _ => return None,
    };
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if count == 0 || count > MAX_COUNT || length > MAX_LENGTH {
        return None;
    }
    let (tags, sealed) = rest.split_at_checked(TAG * count)?;
    let context = bytes.get(..HEAD + TAG * count)?;
    let tags = tags.as_chunks::<TAG>().0.to_vec();
    Some(Block { key: hex::encode(key), tags, context, sealed, packed: Some(Stored { is_compressed, length }) })
}

/// What was sealed, unpacked. No more is written than was declared.
pub(super) fn open(plain: &[u8], stored: Stored, count: usize) -> Option<Opened> {
    let (salts, kept) = plain.split_at_checked(SALT * count)?;
    let unpacked = match stored.is_compressed {
        true => Zeroizing::new(zstd::bulk::decompress(kept, stored.length).ok()?),
        false => Zeroizing::new(kept.to_vec()),
    };
    if unpacked.len() != stored.length {
        return None;
    }
    let lengths = unpacked.get(..4 * count)?.as_chunks::<4>().0;
    let mut at = salts.len() + 4 * count;
    let mut places = Vec::with_capacity(count);
    for (place, length) in lengths.iter().enumerate() {
        let end = at.checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        places.push((place * SALT..(place + 1) * SALT, at..end));
        at = end;
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(salts.len() + unpacked.len()));
    whole.extend_from_slice(salts);
    whole.extend_from_slice(&unpacked);
    Opened::new(whole, places)
}

#[cfg(test)]
mod tests;
