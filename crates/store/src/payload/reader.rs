//! What is found again.

use super::{
    Place,
    block::{self, Altered, Digest, Opened},
    blocks::{self, At, Blocks, Damage, steadily},
    data_keys::{DataKeyError, DataKeys},
    day::Day,
    parts::{self, Part},
};
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};
use vocab::event::{Payload, PayloadClass};
use zeroize::Zeroizing;

/// Payloads of one unit whose places are remembered: 48 MiB at most. Those behind them are looked for one by one.
const MAX_INDEXED: usize = 1_000_000;
/// Opened blocks that are remembered: payloads of one call, and of calls one after the other, lie in few.
const MAX_OPENED: usize = 16;
/// Bytes in these.
const MAX_OPENED_BYTES: usize = 4 * 1024 * 1024;

/// What became of a payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Its text.
    Text(Zeroizing<Vec<u8>>),
    /// It is there, and its key was destroyed.
    Shredded,
    /// It is there, and is not what the record says.
    Altered,
    /// It is not there.
    Absent,
}

/// Reads the payloads of a log, from wherever it lies, also while it is written and packed.
pub struct PayloadReader {
    place: Place,
    /// The places of what was read last, for each class.
    units: HashMap<PayloadClass, Indexed>,
    /// Packed blocks that were opened last, sealed and in the clear, the newest last.
    opened: Vec<(Vec<u8>, Opened)>,
    /// Places remembered of a unit.
    max_indexed: usize,
}

struct Indexed {
    dir: PathBuf,
    places: HashMap<[u8; 8], At>,
    /// Whether there are more than `places` knows.
    is_partial: bool,
    /// Which segments there were, and how long all of them.
    state: (Vec<(Part, u64)>, u64),
    damaged: Option<Damage>,
}

impl PayloadReader {
    /// The payloads of the log in this directory.
    #[must_use]
    pub fn new(log: &Path) -> Self {
        Self { place: Place::of_log(log), units: HashMap::new(), opened: Vec::new(), max_indexed: MAX_INDEXED }
    }

    /// One that remembers fewer places of a unit.
    #[cfg(test)]
    pub(super) fn remembering(log: &Path, places: usize) -> Self {
        Self { max_indexed: places, ..Self::new(log) }
    }

    /// Whether the payload of a record of this time is there, as far as can be told without its key.
    ///
    /// # Errors
    /// The file system failed.
    pub fn is_there(&mut self, payload: &Payload<'_>, t_us: i64) -> io::Result<bool> {
        Ok(self.block(payload, t_us)?.is_some())
    }

    /// The payload of a record of this time.
    ///
    /// # Errors
    /// The file system failed, or its data key cannot be read.
    pub fn read(&mut self, payload: &Payload<'_>, t_us: i64, keys: &DataKeys) -> Result<Found, DataKeyError> {
        self.open(payload, t_us, keys, Opened::text)
    }

    /// The payload of a record of this time with its salt before it: what the record's digest is the SHA-256 of.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn disclose(&mut self, payload: &Payload<'_>, t_us: i64, keys: &DataKeys) -> Result<Found, DataKeyError> {
        self.open(payload, t_us, keys, Opened::salted)
    }

    fn open(
        &mut self,
        payload: &Payload<'_>,
        t_us: i64,
        keys: &DataKeys,
        take: impl Fn(&Opened, usize, &Digest) -> Result<Zeroizing<Vec<u8>>, Altered>,
    ) -> Result<Found, DataKeyError> {
        let found = self.block(payload, t_us);
        let found = found.map_err(|source| DataKeyError::Io { path: self.place.class(payload.class), source })?;
        let Some((bytes, digest)) = found else { return Ok(Found::Absent) };
        let Some(block) = block::parse(&bytes).filter(|block| block.key == payload.key) else {
            return Ok(Found::Altered);
        };
        let Some(place) = block.place(&digest) else { return Ok(Found::Absent) };
        let Some(key) = keys.with_id(&block.key)? else { return Ok(Found::Shredded) };
        let remembered = self.opened.iter().find(|(sealed, _)| *sealed == bytes);
        let taken = match remembered {
            Some((_, opened)) => take(opened, place, &digest),
            None => block.open(&key).and_then(|opened| {
                let taken = take(&opened, place, &digest);
                if block.is_packed() {
                    self.remember(bytes.clone(), opened);
                }
                taken
            }),
        };
        Ok(taken.map_or(Found::Altered, Found::Text))
    }

    fn remember(&mut self, sealed: Vec<u8>, opened: Opened) {
        self.opened.push((sealed, opened));
        let bytes = |opened: &[(Vec<u8>, Opened)]| {
            opened.iter().map(|(sealed, opened)| sealed.len() + opened.bytes()).sum::<usize>()
        };
        while self.opened.len() > MAX_OPENED || bytes(&self.opened) > MAX_OPENED_BYTES {
            self.opened.remove(0);
        }
    }

    /// What cannot be read of the units where the payload of a record of this time would be.
    ///
    /// # Errors
    /// The file system failed.
    pub fn damage(&mut self, class: PayloadClass, t_us: i64) -> io::Result<Option<Damage>> {
        let day = Day::of(t_us);
        for day in [day, day.plus(1), day.plus(-1)] {
            let dir = self.place.unit(class, day);
            if dir.exists()
                && let Some(damage) = &self.indexed(class, &dir)?.damaged
            {
                return Ok(Some(damage.clone()));
            }
        }
        Ok(None)
    }

    /// The block that says it has the payload.
    fn block(&mut self, payload: &Payload<'_>, t_us: i64) -> io::Result<Option<(Vec<u8>, Digest)>> {
        let Some(digest) = block::of_text(&payload.digest) else { return Ok(None) };
        // It is written when its record is; a record made at the end of a day may be written on the next.
        let day = Day::of(t_us);
        for day in [day, day.plus(1), day.plus(-1)] {
            let dir = self.place.unit(payload.class, day);
            if let Some(block) = steadily(|| self.in_unit(payload.class, &dir, &digest))? {
                return Ok(Some((block, digest)));
            }
        }
        Ok(None)
    }

    fn in_unit(&mut self, class: PayloadClass, dir: &Path, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        if !dir.exists() {
            return Ok(None);
        }
        let unit = self.indexed(class, dir)?;
        if let Some(block) = unit.block(digest)? {
            return Ok(Some(block));
        }
        let is_partial = unit.is_partial;
        if state_of(dir)? != unit.state {
            // More was written since, or it was packed.
            self.units.remove(&class);
            if let Some(block) = self.indexed(class, dir)?.block(digest)? {
                return Ok(Some(block));
            }
        }
        if !is_partial {
            return Ok(None);
        }
        let mut blocks = Blocks::of(dir)?;
        while let Some((_, block)) = blocks.next()? {
            if has(block, digest) {
                return Ok(Some(block.to_vec()));
            }
        }
        Ok(None)
    }

    /// The unit in this directory, read through once.
    fn indexed(&mut self, class: PayloadClass, dir: &Path) -> io::Result<&Indexed> {
        let unit = match self.units.remove(&class) {
            Some(unit) if unit.dir == dir => unit,
            _ => steadily(|| Indexed::of(dir.to_owned(), self.max_indexed))?,
        };
        Ok(self.units.entry(class).insert_entry(unit).into_mut())
    }
}

impl Indexed {
    fn of(dir: PathBuf, max: usize) -> io::Result<Self> {
        let state = state_of(&dir)?;
        let mut blocks = Blocks::of(&dir)?;
        let (mut places, mut is_partial) = (HashMap::new(), false);
        while let Some((at, block)) = blocks.next()? {
            let Some(block) = block::parse(block) else { continue };
            for tag in &block.tags {
                places.insert(short(tag), at);
            }
            if places.len() >= max {
                is_partial = true;
                break;
            }
        }
        Ok(Self { dir, places, is_partial, state, damaged: blocks.damaged().cloned() })
    }

    fn block(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        let Some(at) = self.places.get(&short(digest)) else { return Ok(None) };
        Ok(blocks::block_at(&self.dir, *at)?.filter(|block| has(block, digest)))
    }
}

/// What tells whether a unit is as it was.
fn state_of(dir: &Path) -> io::Result<(Vec<(Part, u64)>, u64)> {
    Ok((parts::segments(dir)?, parts::bytes_of(dir)?.1))
}

fn has(block: &[u8], digest: &Digest) -> bool {
    block::parse(block).is_some_and(|block| block.place(digest).is_some())
}

/// Enough of a digest to find it by.
fn short(digest: &[u8]) -> [u8; 8] {
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Clock, Keys,
        payload::{Content, Owner, PayloadStore},
    };

    const NOON: i64 = 1_795_867_200_000_000;

    fn owner(subject: &str) -> Owner {
        Owner { tenant: "default".to_owned(), subject: subject.to_owned() }
    }

    #[tokio::test]
    async fn what_was_kept_is_found_until_its_key_is_destroyed() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(&dir.path().join("keys"), "mortise.test/a").unwrap();
        let log = dir.path().join("log");
        let (clock, set) = Clock::manual(NOON);
        let store = PayloadStore::new(&log, &keys, clock, 1024 * 1024);
        let mut kept = Vec::new();
        for number in 0..300_u32 {
            if number == 150 {
                set.advance(86_400_000_000);
            }
            let t = if number < 150 { NOON } else { NOON + 86_400_000_000 };
            let subject = if number % 2 == 0 { "ada" } else { "none" };
            let text = format!("text {number}").repeat(1 + number as usize * 7);
            let contents = [Content { name: "input", bytes: text.as_bytes() }, Content { name: "more", bytes: b"m" }];
            let sealed = store.seal(&owner(subject), PayloadClass::DecisionInput, &contents).unwrap();
            kept.push((sealed.payloads.clone(), t, text));
            if number % 3 == 0 {
                store.write(sealed).await.unwrap();
            } else {
                store.write_soon(sealed).await.unwrap();
            }
        }
        // While the store is open.
        let mut reader = PayloadReader::new(&log);
        let found = reader.read(&kept[0].0[0], kept[0].1, store.keys()).unwrap();
        assert_eq!(found, Found::Text(Zeroizing::new(kept[0].2.clone().into_bytes())));
        store.close();
        for (payloads, t, text) in &kept {
            let found = reader.read(&payloads[0], *t, store.keys()).unwrap();
            assert_eq!(found, Found::Text(Zeroizing::new(text.clone().into_bytes())));
            assert_eq!(
                reader.read(&payloads[1], *t, store.keys()).unwrap(),
                Found::Text(Zeroizing::new(b"m".to_vec()))
            );
        }
        // Of another time, or never kept: not there.
        assert_eq!(reader.read(&kept[0].0[0], NOON - 9 * 86_400_000_000, store.keys()).unwrap(), Found::Absent);
        let mut never = kept[0].0[0].clone();
        never.digest = format!("sha256:{}", "0".repeat(64)).into();
        assert_eq!(reader.read(&never, NOON, store.keys()).unwrap(), Found::Absent);

        for id in store.keys().living(&owner("ada"), Day::of(NOON).month()) {
            store.keys().destroy(&id).unwrap();
        }
        for (number, (payloads, t, _)) in kept.iter().enumerate() {
            let found = reader.read(&payloads[0], *t, store.keys()).unwrap();
            assert_eq!(found == Found::Shredded, number % 2 == 0, "{number}: {found:?}");
            assert!(reader.is_there(&payloads[0], *t).unwrap());
        }
        // In the clear nowhere.
        let mut blocks = Blocks::of(&Place::of_log(&log).unit(PayloadClass::DecisionInput, Day::of(NOON))).unwrap();
        while let Some((_, block)) = blocks.next().unwrap() {
            assert!(!block.windows(5).any(|window| window == b"text "));
        }
    }

    #[test]
    fn what_is_too_long_is_refused_at_the_edge() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(&dir.path().join("keys"), "mortise.test/a").unwrap();
        let store = PayloadStore::new(&dir.path().join("log"), &keys, Clock::system(), 1024 * 1024);
        let longest = vec![0; crate::payload::MAX_PAYLOAD_BYTES];
        let content = [Content { name: "input", bytes: &longest }];
        assert!(store.seal(&owner("a"), PayloadClass::TraceText, &content).is_ok());
        let longer = vec![0; crate::payload::MAX_PAYLOAD_BYTES + 1];
        let content = [Content { name: "input", bytes: &longer }];
        let refused = store.seal(&owner("a"), PayloadClass::TraceText, &content).unwrap_err();
        assert_eq!(refused.to_string(), "`input` of 2097153 bytes is longer than 2 MiB");
    }
}
