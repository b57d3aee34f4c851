//! One record as it lies in a segment.
//!
//! ```text
//! magic u16 | place u16 | length u32 | index u64 | epoch u32 | crc u32 | bytes      little-endian, packed
//! ```
//!
//! `place` counts the frames of one commit from 0. It tells a torn commit from an altered log: the frames of the last,
//! unfinished commit may be missing in any pattern, but no frame of an earlier one may be. `epoch` counts the openings
//! of the log, from 1. `crc` is CRC-32 (ISO-HDLC, as in gzip) over the 20 bytes before it and the record's bytes.

/// Bytes before a record.
pub(crate) const HEADER_BYTES: usize = 24;
/// Bytes of the header under the checksum.
const CHECKED_HEADER: usize = 20;
/// `ML` in a file. Never zero, so a zeroed place in a segment is no frame; another format takes another number.
pub(crate) const MAGIC: [u8; 2] = *b"ML";
/// A record longer than this is no tlog-tiles entry.
pub(crate) const MAX_RECORD_BYTES: usize = vocab::event::MAX_RECORD_BYTES;

/// A frame read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Position within its commit.
    pub(crate) place: u16,
    /// Index of the record in the log.
    pub(crate) index: u64,
    /// Opening of the log that wrote it.
    pub(crate) epoch: u32,
    /// The record.
    pub(crate) bytes: &'a [u8],
}

/// What bytes at a frame's place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// A frame with a good checksum.
    Frame(Frame<'a>),
    /// Nothing was written here.
    Empty,
    /// Something that is no frame, or that ends too early.
    Bad,
}

impl Frame<'_> {
    /// Bytes the frame takes.
    pub(crate) fn size(&self) -> usize {
        HEADER_BYTES + self.bytes.len()
    }

    /// Index of the first record of the same commit.
    pub(crate) fn commit_start(&self) -> u64 {
        self.index.saturating_sub(u64::from(self.place))
    }

    /// Appends the frame to `out`. The record is at most [`MAX_RECORD_BYTES`] long.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.size());
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.place.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        let crc = checksum(out.get(start..).unwrap_or_default(), self.bytes);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(self.bytes);
    }
}

/// Length of the record whose frame begins with these bytes, where they look like a frame at all.
pub(crate) fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(&MAGIC)?.get(2..)?;
    let length = usize::try_from(u32::from_le_bytes(*rest.first_chunk()?)).ok()?;
    (length <= MAX_RECORD_BYTES).then_some(length)
}

/// Reads the frame at the start of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    match bytes.first_chunk::<HEADER_BYTES>() {
        None if bytes.iter().all(|byte| *byte == 0) => Parsed::Empty,
        Some(header) if header.iter().all(|byte| *byte == 0) => Parsed::Empty,
        _ => read(bytes).map_or(Parsed::Bad, Parsed::Frame),
    }
}

fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let length = claimed_length(bytes)?;
    let (checked, rest) = bytes.split_at_checked(CHECKED_HEADER)?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let record = rest.get(..length)?;
    if u32::from_le_bytes(*crc) != checksum(checked, record) {
        return None;
    }
    let fields = checked.get(2..)?;
    let (place, fields) = fields.split_first_chunk::<2>()?;
    let (index, fields) = fields.get(4..)?.split_first_chunk::<8>()?;
    let epoch = fields.first_chunk::<4>()?;
    Some(Frame {
        place: u16::from_le_bytes(*place),
        index: u64::from_le_bytes(*index),
        epoch: u32::from_le_bytes(*epoch),
        bytes: record,
    })
}

fn checksum(header: &[u8], record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(record);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_fixed() {
        let mut out = Vec::new();
        Frame { place: 2, index: 3, epoch: 4, bytes: b"x" }.encode(&mut out);
        assert_eq!(out[..20], [b'M', b'L', 2, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]);
        assert_eq!(out[24..], *b"x");
    }

    #[test]
    fn zeros_are_empty_and_not_bad() {
        assert_eq!(parse(&[]), Parsed::Empty);
        assert_eq!(parse(&[0; 10]), Parsed::Empty);
        assert_eq!(parse(&[0; 100]), Parsed::Empty);
        assert_eq!(parse(&[0, 1]), Parsed::Bad);
    }

    proptest! {
        #[test]
        fn frames_read_back_and_no_changed_byte_passes(
            place: u16, index: u64, epoch: u32, bytes: Vec<u8>, at: prop::sample::Index, flip in 1u8..,
        ) {
            let frame = Frame { place, index, epoch, bytes: &bytes };
            let mut out = Vec::new();
            frame.encode(&mut out);
            prop_assert_eq!(out.len(), frame.size());
            prop_assert_eq!(parse(&out), Parsed::Frame(frame));
            let at = at.index(out.len());
            out[at] ^= flip;
            prop_assert_eq!(parse(&out), Parsed::Bad);
            prop_assert!(at == 0 || parse(&out[..at]) == Parsed::Bad);
        }
    }
}
