//! Some payloads of one call, sealed together under one data key.
//!
//! ```text
//! "MP" | format u8 = 1 | count u8 | key id (16) | digest (32) * count | sealed( (salt (32) | length u32 | bytes) * count )
//! ```
//!
//! Little-endian; `sealed` as [`Sealer`](crate::Sealer) does it, with everything before it as context. The digest is
//! SHA-256 over `mortise/payload/v1\n`, the salt and the bytes: it commits to the text whatever key opens the block, which
//! AES-GCM alone does not, and says nothing about a short text once the salt is gone.

use super::data_keys::DataKey;
use crate::seal::SealError;
use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

/// Longest payload: 2 MiB. With what belongs to it, a block fits an append.
pub const MAX_PAYLOAD_BYTES: usize = 2 * 1024 * 1024;
/// Most payloads in a block.
const MAX_COUNT: usize = 8;

const MAGIC: &[u8; 2] = b"MP";
const FORMAT: u8 = 1;
const HEAD: usize = 20;
const SALT: usize = 32;
const DIGEST: usize = 32;
const DOMAIN: &[u8] = b"mortise/payload/v1\n";

/// A payload's digest.
pub(crate) type Digest = [u8; DIGEST];

/// A block read back, still sealed.
pub(crate) struct Block<'a> {
    /// Which data key, 32 hexadecimal digits.
    pub(crate) key: String,
    pub(crate) digests: Vec<Digest>,
    context: &'a [u8],
    sealed: &'a [u8],
}

/// Why a block does not give a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It does not open under its key, or what is in it is not what the digest says.
    Altered,
    /// It is not in this block.
    Absent,
}

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
    let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&[FORMAT])?;
    let (count, rest) = rest.split_first()?;
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let count = usize::from(*count);
    if count == 0 || count > MAX_COUNT {
        return None;
    }
    let (digests, sealed) = rest.split_at_checked(DIGEST * count)?;
    let digests = digests.as_chunks::<DIGEST>().0.to_vec();
    let context = bytes.get(..HEAD + DIGEST * count)?;
    Some(Block { key: hex::encode(key), digests, context, sealed })
}

impl Block<'_> {
    /// The payload with this digest.
    pub(crate) fn open(&self, key: &DataKey, wanted: &Digest) -> Result<Zeroizing<Vec<u8>>, Refused> {
        self.find(key, wanted, |_, payload| payload.to_vec())
    }

    /// What the digest with this value is the SHA-256 of: the payload, and its salt before it.
    pub(crate) fn disclose(&self, key: &DataKey, wanted: &Digest) -> Result<Zeroizing<Vec<u8>>, Refused> {
        self.find(key, wanted, |salt, payload| [DOMAIN, salt, payload].concat())
    }

    fn find(
        &self,
        key: &DataKey,
        wanted: &Digest,
        take: impl Fn(&[u8], &[u8]) -> Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let place = self.digests.iter().position(|digest| digest == wanted).ok_or(Refused::Absent)?;
        let plain = key.sealer().open(self.sealed, self.context).map_err(|_| Refused::Altered)?;
        let mut rest = plain.as_slice();
        for at in 0..self.digests.len() {
            let (salt, payload, behind) = next(rest).ok_or(Refused::Altered)?;
            if at == place {
                let same = digest(salt, payload) == *wanted;
                return if same { Ok(Zeroizing::new(take(salt, payload))) } else { Err(Refused::Altered) };
            }
            rest = behind;
        }
        Err(Refused::Altered)
    }
}

fn next(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (salt, rest) = rest.split_at_checked(SALT)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (payload, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((salt, payload, rest))
}

fn digest(salt: &[u8], payload: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    context.update(salt);
    context.update(payload);
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(context.finish().as_ref());
    digest
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

    #[test]
    fn payloads_come_back_under_their_key_and_digest_only() {
        let (key, other) = (DataKey::drawn("0123456789abcdef0123456789abcdef"), DataKey::drawn("00"));
        let (block, digests) = seal(&key, &[b"one", b"", b"three"]).unwrap();
        let (again, anew) = seal(&key, &[b"one"]).unwrap();
        assert_ne!(digests[0], anew[0], "equal texts have different digests");
        let parsed = parse(&block).unwrap();
        assert_eq!(parsed.key, "0123456789abcdef0123456789abcdef");
        for (digest, text) in digests.iter().zip([&b"one"[..], b"", b"three"]) {
            assert_eq!(parsed.open(&key, digest).unwrap().as_slice(), text);
            assert_eq!(parsed.open(&other, digest), Err(Refused::Altered));
            assert_eq!(parse(&again).unwrap().open(&key, digest), Err(Refused::Absent));
        }
        assert_eq!(of_text(&to_text(&digests[0])), Some(digests[0]));
        assert_eq!(of_text(&to_text(&digests[0]).to_uppercase()), None);
    }

    #[test]
    fn no_flipped_bit_goes_unseen() {
        let key = DataKey::drawn("0123456789abcdef0123456789abcdef");
        let (block, digests) = seal(&key, &[b"some text"]).unwrap();
        for bit in 0..block.len() * 8 {
            let mut altered = block.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let opened = parse(&altered).map(|block| block.open(&key, &digests[0]));
            assert!(!matches!(opened, Some(Ok(_))), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in any::<bool>()) {
            let key = DataKey::drawn("00");
            let bytes = if head { [&b"MP\x01\x02"[..], &bytes].concat() } else { bytes };
            if let Some(block) = parse(&bytes) {
                prop_assert!(block.open(&key, &[0; 32]).is_err());
            }
        }
    }
}
