//! Some payloads of one call, sealed together under one data key.
//!
//! ```text
//! "MP" | format u8 = 1 | count u8 | key id (16) | digest (32) * count | sealed( (salt (32) | length u32 | bytes) * count )
//! ```
//!
//! Little-endian; `sealed` as [`Sealer`](crate::Sealer) does it, with everything before it as context. The digest is
//! SHA-256 over `mortise/payload/v1\n`, the salt and the bytes: it commits to the text whatever key opens the block, which
//! AES-GCM alone does not, and says nothing about a short text once the salt is gone.
//!
//! Format 2 has the payloads of many calls, and is made later: see `packed`.

use super::{
    data_keys::DataKey,
    packed::{self, Stored},
};
use crate::seal::SealError;
use ring::digest::{Context, SHA256};
use std::ops::Range;
use zeroize::Zeroizing;

/// Longest payload: 2 MiB. With what belongs to it, a block fits an append.
pub const MAX_PAYLOAD_BYTES: usize = 2 * 1024 * 1024;
/// Most payloads in a block of one call.
const MAX_COUNT: usize = 8;

pub(super) const MAGIC: &[u8; 2] = b"MP";
const FORMAT: u8 = 1;
const HEAD: usize = 20;
pub(super) const SALT: usize = 32;
const DIGEST: usize = 32;
const DOMAIN: &[u8] = b"mortise/payload/v1\n";

/// A payload's digest.
pub(crate) type Digest = [u8; DIGEST];

/// What a payload is found by: the first half of its digest. Two of one log have the same once in 2^64 payloads; what is
/// found is held against the whole digest.
pub(crate) type Tag = [u8; 16];

/// A block read back, still sealed.
pub(crate) struct Block<'a> {
    /// Which data key, 32 hexadecimal digits.
    pub(crate) key: String,
    pub(crate) tags: Vec<Tag>,
    pub(super) context: &'a [u8],
    pub(super) sealed: &'a [u8],
    /// How the plain text is kept; `None` in a block of one call.
    pub(super) packed: Option<Stored>,
}

/// A block's payloads in the clear.
pub(crate) struct Opened {
    plain: Zeroizing<Vec<u8>>,
    /// Of each, its salt and its text.
    places: Vec<(Range<usize>, Range<usize>)>,
}

/// Why a block does not give a payload: it does not open under its key, or what is in it is not what the digest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Altered;

/// Seals payloads together; their digests.
pub(crate) fn seal(key: &DataKey, payloads: &[&[u8]]) -> Result<(Vec<u8>, Vec<Digest>), SealError> {
    let count = u8::try_from(payloads.len()).ok().filter(|count| usize::from(*count) <= MAX_COUNT);
    let count = count.ok_or(SealError::TooLong)?;
    let mut head = Vec::with_capacity(HEAD + DIGEST * payloads.len());
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&[FORMAT, count]);
    head.extend_from_slice(&key.id_bytes());
    let length = payloads.iter().map(|payload| SALT + 4 + payload.len()).sum();
    let mut plain = Zeroizing::new(Vec::with_capacity(length));
    let mut digests = Vec::with_capacity(payloads.len());
    for payload in payloads {
        let mut salt = Zeroizing::new([0; SALT]);
        getrandom::fill(&mut *salt).map_err(|_| SealError::Randomness)?;
        let bytes = u32::try_from(payload.len()).map_err(|_| SealError::TooLong)?;
        plain.extend_from_slice(&*salt);
        plain.extend_from_slice(&bytes.to_le_bytes());
        plain.extend_from_slice(payload);
        let digest = digest(&*salt, payload);
        head.extend_from_slice(&digest);
        digests.push(digest);
    }
    let sealed = key.sealer().seal(&plain, &head)?;
    head.extend_from_slice(&sealed);
    Ok((head, digests))
}

/// Reads a block; `None` for what is none.
pub(crate) fn parse(bytes: &[u8]) -> Option<Block<'_>> {
    match *bytes.strip_prefix(MAGIC)?.first()? {
        FORMAT => of_one_call(bytes),
        packed::FORMAT => packed::parse(bytes),
        _ => None,
    }
}

fn of_one_call(bytes: &[u8]) -> Option<Block<'_>> {
    let (count, rest) = bytes.get(3..)?.split_first()?;
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let count = usize::from(*count);
    if count == 0 || count > MAX_COUNT {
        return None;
    }
    let (digests, sealed) = rest.split_at_checked(DIGEST * count)?;
    let tags = digests.as_chunks::<DIGEST>().0.iter().map(tag).collect();
    let context = bytes.get(..HEAD + DIGEST * count)?;
    Some(Block { key: hex::encode(key), tags, context, sealed, packed: None })
}

impl Block<'_> {
    /// Which of its payloads has this digest, as far as its head says.
    pub(crate) fn place(&self, wanted: &Digest) -> Option<usize> {
        let wanted = tag(wanted);
        self.tags.iter().position(|tag| *tag == wanted)
    }

    /// Its payloads, none of them held against a digest yet.
    pub(crate) fn open(&self, key: &DataKey) -> Result<Opened, Altered> {
        let plain = key.sealer().open(self.sealed, self.context).map_err(|_| Altered)?;
        let opened = match self.packed {
            Some(stored) => packed::open(&plain, stored, self.tags.len()),
            None => one_by_one(plain, self.tags.len()),
        };
        opened.ok_or(Altered)
    }

    /// Whether it has payloads of many calls.
    pub(super) fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// Whether all its payloads are what its head says.
    pub(super) fn is_as_said(&self, opened: &Opened) -> bool {
        opened.count() == self.tags.len()
            && self
                .tags
                .iter()
                .enumerate()
                .all(|(place, said)| opened.at(place).is_some_and(|(salt, text)| tag(&digest(salt, text)) == *said))
    }
}

fn one_by_one(plain: Zeroizing<Vec<u8>>, count: usize) -> Option<Opened> {
    let mut places = Vec::with_capacity(count);
    let mut at = 0;
    for _ in 0..count {
        let salt = at..at + SALT;
        let length = plain.get(salt.end..)?.first_chunk::<4>()?;
        let text = salt.end + 4..(salt.end + 4).checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        at = text.end;
        places.push((salt, text));
    }
    Opened::new(plain, places)
}

impl Opened {
    /// `None` where something lies outside, or is left over.
    pub(super) fn new(plain: Zeroizing<Vec<u8>>, places: Vec<(Range<usize>, Range<usize>)>) -> Option<Self> {
        (places.last()?.1.end == plain.len()).then_some(Self { plain, places })
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.plain.len()
    }

    /// How many payloads it has.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// The text of a payload with this digest.
    pub(crate) fn text(&self, place: usize, wanted: &Digest) -> Result<Zeroizing<Vec<u8>>, Altered> {
        self.checked(place, wanted).map(|(_, text)| Zeroizing::new(text.to_vec()))
    }

    /// What the digest with this value is the SHA-256 of: the payload, and its salt before it.
    pub(crate) fn salted(&self, place: usize, wanted: &Digest) -> Result<Zeroizing<Vec<u8>>, Altered> {
        self.checked(place, wanted).map(|(salt, text)| Zeroizing::new([DOMAIN, salt, text].concat()))
    }

    /// Salt and text of a payload, whatever its digest.
    pub(crate) fn at(&self, place: usize) -> Option<(&[u8], &[u8])> {
        let (salt, text) = self.places.get(place)?;
        Some((self.plain.get(salt.clone())?, self.plain.get(text.clone())?))
    }

    fn checked(&self, place: usize, wanted: &Digest) -> Result<(&[u8], &[u8]), Altered> {
        let (salt, text) = self.at(place).ok_or(Altered)?;
        if digest(salt, text) == *wanted { Ok((salt, text)) } else { Err(Altered) }
    }
}

pub(super) fn digest(salt: &[u8], payload: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    context.update(salt);
    context.update(payload);
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

pub(super) fn tag(digest: &Digest) -> Tag {
    digest.first_chunk().copied().unwrap_or_default()
}

/// The digest of what was disclosed, as a record has it.
pub(crate) fn digest_of(disclosed: &[u8]) -> String {
    format!("sha256:{}", hex::encode(ring::digest::digest(&SHA256, disclosed)))
}

/// A digest as a record has it.
pub(crate) fn to_text(digest: &Digest) -> String {
    format!("sha256:{}", hex::encode(digest))
}

/// A digest as a record has it, read.
pub(crate) fn of_text(text: &str) -> Option<Digest> {
    let digits = text.strip_prefix("sha256:").filter(|digits| !digits.bytes().any(|byte| byte.is_ascii_uppercase()))?;
    hex::decode(digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn text(block: &[u8], key: &DataKey, digest: &Digest) -> Option<Result<Vec<u8>, Altered>> {
        let block = parse(block)?;
        let place = block.place(digest)?;
        Some(block.open(key).and_then(|opened| opened.text(place, digest)).map(|text| text.to_vec()))
    }

    #[test]
    fn payloads_come_back_under_their_key_and_digest_only() {
        let (key, other) = (DataKey::drawn(ID), DataKey::drawn("00"));
        let (block, digests) = seal(&key, &[b"one", b"", b"three"]).unwrap();
        let (again, anew) = seal(&key, &[b"one"]).unwrap();
        assert_ne!(digests[0], anew[0], "equal texts have different digests");
        assert_eq!(parse(&block).unwrap().key, ID);
        for (digest, expected) in digests.iter().zip([&b"one"[..], b"", b"three"]) {
            assert_eq!(text(&block, &key, digest), Some(Ok(expected.to_vec())));
            assert_eq!(text(&block, &other, digest), Some(Err(Altered)));
            assert_eq!(text(&again, &key, digest), None);
        }
        assert_eq!(of_text(&to_text(&digests[0])), Some(digests[0]));
        assert_eq!(of_text(&to_text(&digests[0]).to_uppercase()), None);
        assert!(seal(&key, &[b"x".as_slice(); MAX_COUNT]).is_ok());
        assert_eq!(seal(&key, &[b"x".as_slice(); MAX_COUNT + 1]).unwrap_err(), SealError::TooLong);
    }

    #[test]
    fn no_flipped_bit_goes_unseen() {
        let key = DataKey::drawn(ID);
        let (block, digests) = seal(&key, &[b"some text"]).unwrap();
        for bit in 0..block.len() * 8 {
            let mut altered = block.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(text(&altered, &key, &digests[0]), Some(Ok(_))), "bit {bit}");
        }
    }

    /// Whoever has the key can seal anything: the digest is in the record, and what is not its text is not taken for it.
    #[test]
    fn another_text_under_the_right_key_is_not_the_one_that_the_digest_is_of() {
        let key = DataKey::drawn(ID);
        let (_, digests) = seal(&key, &[b"one", b"two"]).unwrap();
        let head = [&b"MP\x01\x02"[..], &key.id_bytes(), &digests[0], &digests[1]].concat();
        let part = |text: &[u8]| [&[7; SALT][..], &(text.len() as u32).to_le_bytes(), text].concat();
        let sealed = key.sealer().seal(&[part(b"one"), part(b"two")].concat(), &head).unwrap();
        let forged = [head, sealed].concat();
        let block = parse(&forged).unwrap();
        let opened = block.open(&key).unwrap();
        for (place, digest) in digests.iter().enumerate() {
            assert_eq!(opened.text(place, digest), Err(Altered));
            assert_eq!(opened.salted(place, digest), Err(Altered));
        }
        // What is sealed without one payload, or with more than all of them, is not opened at all.
        for parts in [part(b"one"), [part(b"one"), part(b"two"), vec![0]].concat()] {
            let head = [&b"MP\x01\x02"[..], &key.id_bytes(), &digests[0], &digests[1]].concat();
            let forged = [head.clone(), key.sealer().seal(&parts, &head).unwrap()].concat();
            assert!(parse(&forged).unwrap().open(&key).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), head in 0_u8..3,
        ) {
            let key = DataKey::drawn("00");
            let bytes = match head {
                0 => bytes,
                1 => [&b"MP\x01\x02"[..], &bytes].concat(),
                _ => [&b"MP\x02"[..], &bytes].concat(),
            };
            if let Some(block) = parse(&bytes) {
                prop_assert!(block.open(&key).is_err());
            }
        }
    }
}
