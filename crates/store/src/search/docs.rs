//! Sets of records, kept a stretch of the log at a time.
//!
//! A chunk is 65,536 records, so that a set of them is one container of a roaring bitmap: at most 8 KiB, and two bytes a
//! record where there are few. Ten million records are 153 chunks, which is the most that a page of any filter reads.

use super::error::{Step, Stop};
use roaring::RoaringBitmap;
use rusqlite::Connection;
use rusqlite::OptionalExtension;

/// Records of a chunk.
pub(super) const CHUNK: u64 = 1 << 16;

/// Bits of a key that number the chunk: enough for 68 thousand million records.
const CHUNK_BITS: u32 = 20;

/// What a set is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Events, by their index in the log.
    Events,
    /// Calls, by the index of their first event.
    Calls,
}

/// The chunk a record is in, and its number in there.
pub(super) fn split(index: u64) -> (u64, u32) {
    (index / CHUNK, (index % CHUNK) as u32)
}

/// The row that holds which records of a chunk have a term.
pub(super) fn key(term: i64, space: Space, chunk: u64) -> i64 {
    let space = i64::from(space == Space::Calls);
    (term << 1 | space) << CHUNK_BITS | (chunk as i64 & ((1 << CHUNK_BITS) - 1))
}

/// The chunk of a key.
pub(super) fn chunk_of(key: i64) -> u64 {
    (key & ((1 << CHUNK_BITS) - 1)) as u64
}

/// The term of a key.
pub(super) fn term_of(key: i64) -> i64 {
    key >> (CHUNK_BITS + 1)
}

/// First and last key of a term.
pub(super) fn keys(term: i64, space: Space) -> (i64, i64) {
    (key(term, space, 0), key(term, space, (1 << CHUNK_BITS) - 1))
}

/// The set in a row; empty where there is no row.
pub(super) fn read(conn: &Connection, key: i64) -> Step<RoaringBitmap> {
    let mut select = conn.prepare_cached("SELECT docs FROM posting WHERE key = ?1")?;
    let row = select.query_row([key], |row| {
        let bytes = row.get_ref(0)?.as_blob()?;
        Ok(unseal(key, bytes).map(|bytes| RoaringBitmap::deserialize_from(bytes).ok()))
    });
    match row.optional()? {
        None => Ok(RoaringBitmap::new()),
        Some(Some(Some(docs))) => Ok(docs),
        Some(_) => Err(Stop::useless("a set of records is not what was written")),
    }
}

/// Writes the set of a row; none when it is empty.
pub(super) fn write(conn: &Connection, key: i64, docs: &RoaringBitmap) -> Step<()> {
    if docs.is_empty() {
        conn.prepare_cached("DELETE FROM posting WHERE key = ?1")?.execute([key])?;
        return Ok(());
    }
    let mut bytes = Vec::with_capacity(docs.serialized_size());
    // Writing to memory does not fail.
    docs.serialize_into(&mut bytes).map_err(|error| Stop::useless(error.to_string()))?;
    let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO posting (key, docs) VALUES (?1, ?2)")?;
    insert.execute((key, seal(key, &bytes)))?;
    Ok(())
}

/// Bytes with a checksum before them that also covers whose they are: `SQLite` would hand out changed or misplaced ones.
pub(super) fn seal(whose: i64, bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(bytes.len() + 4);
    sealed.extend_from_slice(&checksum(whose, bytes).to_le_bytes());
    sealed.extend_from_slice(bytes);
    sealed
}

/// The bytes that were sealed for this owner, if these are they.
pub(super) fn unseal(whose: i64, sealed: &[u8]) -> Option<&[u8]> {
    let (crc, bytes) = sealed.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*crc) == checksum(whose, bytes)).then_some(bytes)
}

fn checksum(whose: i64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&whose.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Numbers as bytes, and back.
pub(super) fn to_bytes(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(super) fn from_bytes(bytes: &[u8]) -> Vec<i64> {
    bytes.as_chunks::<8>().0.iter().map(|number| i64::from_le_bytes(*number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_meet() {
        let places = [(1, Space::Events, 0), (1, Space::Calls, 0), (2, Space::Events, 0), (1, Space::Events, 1 << 19)];
        for (at, (term, space, chunk)) in places.into_iter().enumerate() {
            let found = key(term, space, chunk);
            assert_eq!((term_of(found), chunk_of(found)), (term, chunk));
            let (first, last) = keys(term, space);
            for (other, (term, space, chunk)) in places.into_iter().enumerate() {
                let within = (first..=last).contains(&key(term, space, chunk));
                assert_eq!(within, (term, space) == (places[at].0, places[at].1), "{at} {other}");
            }
        }
        assert_eq!(split(CHUNK * 3 + 7), (3, 7));
    }

    #[test]
    fn no_changed_or_misplaced_byte_passes() {
        let sealed = seal(7, &to_bytes(&[1, -2]));
        assert_eq!(unseal(7, &sealed).map(from_bytes), Some(vec![1, -2]));
        assert_eq!(unseal(8, &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(unseal(7, &changed), None);
        }
        assert_eq!(unseal(7, &[]), None);
    }
}
