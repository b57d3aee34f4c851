//! The records of the bundle that is being read or exported.

use proof::TILE_WIDTH;

/// At most [`TILE_WIDTH`] records, kept as the bytes of their bundle: what is stored is compared with these bytes, and
/// the leaves are slices of them.
#[derive(Default)]
pub(crate) struct Bundle {
    bytes: Vec<u8>,
    /// Where in the bytes each record ends.
    ends: Vec<usize>,
}

impl Bundle {
    /// Takes a record; none that is longer than an entry's prefix can say.
    pub(crate) fn push(&mut self, record: &[u8]) -> Option<()> {
        let length = u16::try_from(record.len()).ok()?;
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
        Some(())
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= usize::from(TILE_WIDTH)
    }

    /// The records from position `from` on.
    pub(crate) fn records(&self, from: usize) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let entries = starts.zip(&self.ends).skip(from);
        entries.map(|(start, end)| self.bytes.get(start + size_of::<u16>()..*end).unwrap_or_default()).collect()
    }

    /// The bytes of the bundle with the first `width` records, where there are as many.
    pub(crate) fn encoded(&self, width: usize) -> Option<&[u8]> {
        self.bytes.get(..*self.ends.get(width.checked_sub(1)?)?)
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proof::encode_bundle;

    #[test]
    fn its_bytes_are_those_of_the_format() {
        let mut bundle = Bundle::default();
        let records: Vec<Vec<u8>> = [3, 0, 65_535, 1].map(|length| vec![7; length]).into();
        for record in &records {
            bundle.push(record).unwrap();
        }
        assert_eq!(bundle.push(&[0; 65_536]), None);
        for width in 1..=records.len() {
            assert_eq!(bundle.encoded(width), Some(&encode_bundle(&records[..width]).unwrap()[..]));
            assert_eq!(bundle.records(width), records[width..]);
        }
        assert_eq!((bundle.encoded(0), bundle.encoded(5)), (None, None));
        bundle.clear();
        assert_eq!((bundle.len(), bundle.encoded(1)), (0, None));
    }

    #[test]
    fn it_is_full_with_the_last_record_of_a_tile() {
        let mut bundle = Bundle::default();
        for _ in 1..TILE_WIDTH {
            bundle.push(b"x").unwrap();
        }
        assert!(!bundle.is_full());
        bundle.push(b"x").unwrap();
        assert!(bundle.is_full());
    }
}
