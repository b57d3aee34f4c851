//! The bytes of an entry bundle: entries with big-endian u16 length prefixes (tlog-tiles, "Log entries").

use super::{BundleId, TILE_WIDTH};

/// Longest entry, in bytes: what a u16 prefix can say.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Why entries make no bundle, or bytes are not the bundle they are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// A bundle holds 1 to 256 entries.
    #[error("a bundle holds 1 to 256 entries, not {found}")]
    Count {
        /// Number of entries given.
        found: usize,
    },
    /// An entry does not fit its length prefix.
    #[error("entry {position} of the bundle has {length} bytes, more than 65535")]
    EntryTooLong {
        /// Position within the bundle.
        position: usize,
        /// Bytes of the entry.
        length: usize,
    },
    /// The bytes end before the bundle's last entry does.
    #[error("the bundle ends within entry {position}")]
    Truncated {
        /// Position within the bundle.
        position: u16,
    },
    /// Bytes follow the last entry.
    #[error("{length} bytes follow the last entry of the bundle")]
    Trailing {
        /// Bytes too many.
        length: usize,
    },
}

/// The bytes of a bundle with these entries, 1 to 256.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    if entries.is_empty() || entries.len() > usize::from(TILE_WIDTH) {
        return Err(BundleError::Count { found: entries.len() });
    }
    let mut bytes = Vec::new();
    for (position, entry) in entries.iter().map(AsRef::as_ref).enumerate() {
        let length =
            u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong { position, length: entry.len() })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Reads the entries of `bundle`: exactly as many as its width, and nothing behind them.
pub fn decode_bundle(bundle: BundleId, bytes: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::with_capacity(usize::from(bundle.width()));
    let mut rest = bytes;
    for position in 0..bundle.width() {
        let (entry, behind) = split_entry(rest).ok_or(BundleError::Truncated { position })?;
        entries.push(entry);
        rest = behind;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::Trailing { length: rest.len() }) }
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_big_endian() {
        assert_eq!(encode_bundle(&[&b""[..], b"ab"]), Ok(vec![0, 0, 0, 2, b'a', b'b']));
        assert_eq!(encode_bundle(&[vec![7; 258]]).unwrap()[..3], [1, 2, 7]);
    }

    #[test]
    fn limits_hold_at_their_edges() {
        assert_eq!(encode_bundle::<&[u8]>(&[]), Err(BundleError::Count { found: 0 }));
        assert!(encode_bundle(&[[0u8; 0]; 256]).is_ok());
        assert_eq!(encode_bundle(&[[0u8; 0]; 257]), Err(BundleError::Count { found: 257 }));
        assert!(encode_bundle(&[vec![0; MAX_ENTRY_BYTES]]).is_ok());
        let too_long = [vec![], vec![0; MAX_ENTRY_BYTES + 1]];
        assert_eq!(encode_bundle(&too_long), Err(BundleError::EntryTooLong { position: 1, length: 65_536 }));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let two = BundleId::new(0, 2).unwrap();
        assert_eq!(decode_bundle(two, &[0, 0, 0, 2, 1]), Err(BundleError::Truncated { position: 1 }));
        assert_eq!(decode_bundle(two, &[0, 0, 0]), Err(BundleError::Truncated { position: 1 }));
        assert_eq!(decode_bundle(two, &[]), Err(BundleError::Truncated { position: 0 }));
        assert_eq!(decode_bundle(two, &[0, 0, 0, 0, 0]), Err(BundleError::Trailing { length: 1 }));
    }

    proptest! {
        #[test]
        fn bundles_read_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256)) {
            let bytes = encode_bundle(&entries).unwrap();
            let bundle = BundleId::new(3, entries.len() as u16).unwrap();
            prop_assert_eq!(decode_bundle(bundle, &bytes).unwrap(), entries);
        }

        #[test]
        fn what_parses_encodes_to_the_same_bytes(width in 1u16..4, bytes in prop::collection::vec(0u8..3, 0..20)) {
            if let Ok(entries) = decode_bundle(BundleId::new(0, width).unwrap(), &bytes) {
                prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes);
            }
        }
    }
}
