//! Records that change the log's keys, and what follows from them.
//!
//! A rotation is two records of type `key.rotated`: one begins it and names both keys and how long both sign, one ends it.
//! Whoever has the first key and the records knows which key signs which sizes; the file `keys` only repeats it.

use proof::{KeyHistory, Signer, Verifier};
use std::sync::LazyLock;
use vocab::{
    Event,
    event::{Kind, VERSION},
};

/// How long two keys sign after a rotation, whichever ends first: a week, in which whoever pins keys can be told.
pub const DEFAULT_OVERLAP: Overlap = Overlap { entries: 1_000_000, seconds: 7 * 24 * 60 * 60 };

/// Most records and seconds of an overlap: a key that is to be given up in a year is not rotated yet.
pub const MAX_OVERLAP: Overlap = Overlap { entries: 1_000_000_000_000, seconds: 366 * 24 * 60 * 60 };

/// How long both keys sign: until this many records have come, or for so long, whichever is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Records behind the one that begins the rotation.
    pub entries: u64,
    /// Seconds, by the gateway's clock.
    pub seconds: u64,
}

/// A rotation that was begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The record that began it.
    pub index: u64,
    /// When, in microseconds since the epoch.
    pub began: i64,
    /// How long both keys sign.
    pub overlap: Overlap,
    /// The key that goes.
    pub old: Verifier,
    /// The key that comes.
    pub new: Verifier,
}

/// What a record says of the log's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and rarely one")]
pub(crate) enum KeyChange {
    Begun { old: Verifier, new: Verifier, overlap: Overlap, t: i64 },
    Ended { old: Verifier },
}

/// The keys after some records, and the rotation under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyState {
    pub(crate) history: KeyHistory,
    pub(crate) rotation: Option<Rotation>,
}

impl Rotation {
    /// Whether the old key has signed for long enough, in a log of `size` records at the time `now`.
    #[must_use]
    pub fn is_over(&self, size: u64, now: i64) -> bool {
        let until = self.index.saturating_add(1).saturating_add(self.overlap.entries);
        let seconds = i64::try_from(self.overlap.seconds).unwrap_or(i64::MAX);
        size >= until || now >= self.began.saturating_add(seconds.saturating_mul(1_000_000))
    }
}

/// Makes the event one that begins a rotation.
pub fn begin_rotation(event: &mut Event<'_>, old: &Verifier, new: &Verifier, overlap: Overlap) {
    event.kind = Kind::KeyRotated;
    event.detail.insert("new".to_owned(), new.to_vkey().into());
    event.detail.insert("old".to_owned(), old.to_vkey().into());
    event.detail.insert("overlap_entries".to_owned(), overlap.entries.into());
    event.detail.insert("overlap_s".to_owned(), overlap.seconds.into());
    event.detail.insert("step".to_owned(), "begun".into());
}

/// Makes the event one that ends a rotation: the old key signs nothing that this record is in.
pub fn end_rotation(event: &mut Event<'_>, old: &Verifier) {
    event.kind = Kind::KeyRotated;
    event.detail.insert("old".to_owned(), old.to_vkey().into());
    event.detail.insert("step".to_owned(), "ended".into());
}

/// What the record says of the log's keys, if it is about them. An error says what is wrong with one that is.
pub(crate) fn key_change(record: &[u8]) -> Option<Result<KeyChange, String>> {
    // Members stand in order, and these events have none between these two and none behind them. In a text the quotes
    // would be escaped, so nothing that came from outside ends so.
    static ENDING: LazyLock<String> =
        LazyLock::new(|| format!("\"type\":\"{}\",\"v\":{VERSION}}}", Kind::KeyRotated.as_str()));
    record.ends_with(ENDING.as_bytes()).then(|| parse(record))
}

fn parse(record: &[u8]) -> Result<KeyChange, String> {
    let event = Event::from_bytes(record).map_err(|error| error.to_string())?;
    let text =
        |name: &str| event.detail.get(name).and_then(|value| value.as_str()).ok_or(format!("it has no `{name}`"));
    let number =
        |name: &str| event.detail.get(name).and_then(|value| value.as_u64()).ok_or(format!("it has no `{name}`"));
    let key = |name: &str| Verifier::from_vkey(text(name)?).map_err(|error| format!("`{name}`: {error}"));
    match text("step")? {
        "begun" => Ok(KeyChange::Begun {
            old: key("old")?,
            new: key("new")?,
            overlap: Overlap { entries: number("overlap_entries")?, seconds: number("overlap_s")? },
            t: event.t,
        }),
        "ended" => Ok(KeyChange::Ended { old: key("old")? }),
        other => Err(format!("`{other}` is no step of a rotation")),
    }
}

impl KeyState {
    /// A log without records.
    pub(crate) fn new(first: Verifier) -> Self {
        Self { history: KeyHistory::new(first), rotation: None }
    }

    /// A log whose first records are gone, and had left these keys and no rotation under way.
    pub(crate) fn after(history: KeyHistory) -> Self {
        Self { history, rotation: None }
    }

    /// Takes the next record. True: it changed the keys.
    pub(crate) fn take(&mut self, index: u64, record: &[u8]) -> Result<bool, String> {
        match key_change(record).transpose()? {
            None => return Ok(false),
            Some(KeyChange::Begun { old, new, overlap, t }) => {
                let done = self.history.rotate(index, &old, &new, overlap.entries);
                done.map_err(|error| error.to_string())?;
                self.rotation = Some(Rotation { index, began: t, overlap, old, new });
            }
            Some(KeyChange::Ended { old }) => {
                self.history.retire(index, &old).map_err(|error| error.to_string())?;
                self.rotation = None;
            }
        }
        Ok(true)
    }
}

/// The signing keys of a log: the one that signs, and during a rotation the one that comes.
#[derive(Debug)]
pub struct Signers(Vec<Signer>);

impl From<Signer> for Signers {
    fn from(signer: Signer) -> Self {
        Self(vec![signer])
    }
}

impl From<Vec<Signer>> for Signers {
    fn from(signers: Vec<Signer>) -> Self {
        Self(signers)
    }
}

impl Signers {
    pub(crate) fn all(&self) -> &[Signer] {
        &self.0
    }

    fn of(&self, key: &Verifier) -> Option<&Signer> {
        self.0.iter().find(|signer| signer.verifier() == *key)
    }
}

/// What signs checkpoints: the keys that records speak of, and those at hand.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) state: KeyState,
    signers: Signers,
}

impl Ring {
    pub(crate) fn new(state: KeyState, signers: Signers) -> Self {
        Self { state, signers }
    }

    /// The verifying keys of those at hand.
    pub(crate) fn at_hand(&self) -> Vec<String> {
        self.signers.0.iter().map(|signer| signer.verifier().to_vkey()).collect()
    }

    /// Another key is at hand, before a record speaks of it.
    pub(crate) fn add(&mut self, signer: Signer) {
        self.signers.0.push(signer);
    }

    /// Takes the next record. Keys that sign nothing any more are wiped.
    pub(crate) fn take(&mut self, index: u64, record: &[u8]) -> Result<bool, String> {
        let changed = self.state.take(index, record)?;
        if changed {
            let Self { state, signers } = self;
            let size = index.saturating_add(1);
            signers.0.retain(|signer| state.history.signing(size).any(|key| *key == signer.verifier()));
        }
        Ok(changed)
    }

    /// Who signs a checkpoint over this many records, oldest first; the key that has to and is not at hand.
    ///
    /// The older key may be lost while two sign. The checkpoint by which it hands over is signed by both.
    pub(crate) fn signing(&self, size: u64, is_handover: bool) -> Result<Vec<&Signer>, String> {
        let keys: Vec<&Verifier> = self.state.history.signing(size).collect();
        let mut signing = Vec::new();
        for key in &keys {
            match self.signers.of(key) {
                Some(signer) => signing.push(signer),
                None if !is_handover && keys.last() != Some(key) => {}
                None => return Err(format!("the signing key `{}` is not at hand", key.id())),
            }
        }
        Ok(signing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{event, record, signer};

    fn other() -> Verifier {
        Signer::from_seed(signer().name().clone(), &[8; 32]).verifier()
    }

    #[test]
    fn records_of_rotations_read_back() {
        let (old, new) = (signer().verifier(), other());
        let overlap = Overlap { entries: 5, seconds: 60 };
        let mut begun = event(Kind::GatewayStarted, 3);
        begun.text = Some("\"type\":\"key.rotated\",\"v\":1}".into());
        begin_rotation(&mut begun, &old, &new, overlap);
        let found = key_change(&begun.to_bytes().unwrap()).unwrap().unwrap();
        assert_eq!(found, KeyChange::Begun { old: old.clone(), new, overlap, t: begun.t });
        let mut ended = event(Kind::GatewayStarted, 4);
        end_rotation(&mut ended, &old);
        assert_eq!(key_change(&ended.to_bytes().unwrap()), Some(Ok(KeyChange::Ended { old })));
        for wrong in ["old", "step"] {
            let mut ended = ended.clone();
            ended.detail.insert(wrong.to_owned(), "x".into());
            assert!(key_change(&ended.to_bytes().unwrap()).unwrap().is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_that_an_agent_says_is_such_a_record() {
        let mut said = event(Kind::MessageRefused, 0);
        said.text = Some("\",\"type\":\"key.rotated\",\"v\":1}".into());
        said.user = Some("\"type\":\"key.rotated\",\"v\":1}".into());
        assert_eq!(key_change(&said.to_bytes().unwrap()), None);
        assert_eq!(key_change(&record(0, 100)), None);
    }

    #[test]
    fn an_overlap_ends_by_size_or_by_time() {
        let overlap = Overlap { entries: 10, seconds: 60 };
        let rotation = Rotation { index: 4, began: 1_000, overlap, old: signer().verifier(), new: other() };
        assert!(!rotation.is_over(14, 60_000_999));
        assert!(rotation.is_over(15, 0));
        assert!(rotation.is_over(5, 60_001_000));
    }
}
