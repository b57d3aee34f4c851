//! Forgetting on schedule, and on demand.
//!
//! What is removed is told first: a payload that is gone without a record that says so counts as missing. A crash between
//! the two leaves something that is there although a record says it is not, which the next look removes.

use super::pruning::RemovedRecords;
use super::{Calendar, Gateway};
use enforce::{Recorder, Room};
use govern::project::Retention;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use store::payload::{self, Day, Month, Owner, PayloadStore, Unit};
use store::prune::PruneError;
use store::{LogError, StateDir, StateError};
use vocab::event::{Kind, PayloadClass};
use vocab::id::UserId;

/// The holds in force, in the state directory.
const HOLDS: &str = "holds.json";
/// An erasure that is under way, in the state directory: made durable before it begins, gone when it has ended.
const ERASING: &str = "erasing.json";
/// Months that an erasure looks back: no payload is kept for longer.
const MONTHS: i32 = 1_212;
/// Holds at once. Each one is a person's decision.
const MAX_HOLDS: usize = 1_000;
/// Months named in one record.
const MONTHS_IN_A_RECORD: usize = 1_000;
/// Keys named in one record: an identifier is 32 digits, and a record holds 65,535 bytes.
const KEYS_IN_A_RECORD: usize = 1_000;

/// Why nothing is removed for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub by: UserId,
    /// When, microseconds since the epoch.
    pub at_us: i64,
}

/// What was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The class.
    pub class: PayloadClass,
    /// Up to and with this day.
    pub through: Day,
    /// How many payloads.
    pub payloads: u64,
    /// Bytes that came free.
    pub bytes: u64,
}

/// What was removed at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Payloads, by class.
    pub payloads: Vec<Removed>,
    /// Records.
    pub records: Option<RemovedRecords>,
}

/// Why something is not forgotten, or not held.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// A hold stands.
    #[error("the legal hold `{0}` stands")]
    Held(String),
    /// There is such a hold.
    #[error("there is a hold `{0}` already")]
    Exists(String),
    /// There is no such hold.
    #[error("there is no hold `{0}`")]
    NoHold(String),
    /// Too many.
    #[error("there are {MAX_HOLDS} holds already")]
    TooMany,
    /// The list of holds, or what an erasure has begun, is not what was written: nothing is removed.
    #[error("`{0}` in the state directory is damaged: nothing is removed or erased")]
    Damaged(&'static str),
    /// Records cannot be pruned: nothing of them is removed.
    #[error(transparent)]
    Records(#[from] PruneError),
    /// State cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The log cannot be written: nothing is removed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Files cannot be removed.
    #[error("what is past its time cannot be removed: {0}")]
    Files(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Erasing {
    keys: Vec<String>,
    by: String,
    reason: String,
}

/// What events say of how long things are kept: by it a verifier judges what was removed.
pub(crate) fn days(retention: &Retention) -> Value {
    json!({
        "decision_input": retention.decision_input_days,
        "records": retention.records_days,
        "trace_text": retention.trace_text_days,
    })
}

/// The holds in force.
pub(crate) fn holds(state: &StateDir) -> Result<Vec<Hold>, RetentionError> {
    Ok(read(state, HOLDS)?.unwrap_or_default())
}

/// A document of the state directory, which has to be what was written.
fn read<T: DeserializeOwned>(state: &StateDir, file: &'static str) -> Result<Option<T>, RetentionError> {
    let bytes = match state.read_summed(file) {
        Err(StateError::Damaged(_)) => return Err(RetentionError::Damaged(file)),
        read => read?,
    };
    bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(|_| RetentionError::Damaged(file))).transpose()
}

fn keep_holds(state: &StateDir, holds: &[Hold]) -> Result<(), RetentionError> {
    let bytes = serde_json::to_vec(holds).map_err(|_| RetentionError::Damaged(HOLDS))?;
    Ok(state.write_summed(HOLDS, &bytes)?)
}

impl Gateway {
    /// Measures how much room the log takes of what it may, if that is limited.
    pub(super) async fn measure_room(&self) {
        let Some(max) = self.shared.pipeline.snapshot().project.settings.max_bytes else {
            return self.shared.pipeline.set_room(Room::Enough);
        };
        let dir = self.state.log();
        let measured = tokio::task::spawn_blocking(move || store::bytes_below(&dir)).await;
        let Ok(Ok(used)) = measured else {
            return tracing::warn!("the room that the log takes cannot be measured");
        };
        let room = Room::left(used, Some(max));
        match room {
            Room::Enough => {}
            Room::NoText => {
                tracing::warn!(used, max, "no text of traces is kept any more: `max_bytes` is nearly reached")
            }
            Room::Nothing => tracing::error!(used, max, "`max_bytes` is reached: no call leaves"),
        }
        self.shared.pipeline.set_room(room);
    }

    /// Removes what is past its time, unless a hold stands. What was begun and interrupted is ended first.
    ///
    /// # Errors
    /// The log, the state or the files fail; what was removed by then is in the log.
    pub async fn keep_to_retention(&self) -> Result<Forgotten, RetentionError> {
        let _turn = self.retention_turn.lock().await;
        if !holds(&self.state)?.is_empty() {
            return Ok(Forgotten::default());
        }
        self.erase_begun().await?;
        let today = self.calendar()?.look(&self.state, self.today())?;
        let payloads = self.prune_payloads(today).await?;
        self.finish_pruning().await?;
        let records = self.prune_records(today).await?;
        Ok(Forgotten { payloads, records })
    }

    /// The days that were seen.
    pub(crate) fn calendar(&self) -> Result<Calendar, RetentionError> {
        Calendar::read(&self.state, self.newest_us.map_or_else(|| self.today(), Day::of))
    }

    fn today(&self) -> Day {
        Day::of(self.shared.pipeline.recorder().clock().now())
    }

    async fn prune_payloads(&self, today: Day) -> Result<Vec<Removed>, RetentionError> {
        let recorder = self.shared.pipeline.recorder();
        let retention = self.shared.pipeline.snapshot().project.settings.retention;
        let log = self.state.log();
        let units = payload::units(&log).map_err(|error| RetentionError::Files(error.to_string()))?;
        let mut removed = Vec::new();
        for class in PayloadClass::ALL {
            let days = retention.of(class);
            let last = today.plus(-i32::try_from(days).unwrap_or(i32::MAX).saturating_add(1));
            let over: Vec<Unit> =
                units.iter().copied().filter(|unit| unit.class == class && unit.day <= last).collect();
            let Some(through) = over.iter().map(|unit| unit.day).max() else { continue };
            let counted = over.iter().map(|unit| payload::count(&log, *unit)).sum::<std::io::Result<u64>>();
            // What cannot be counted is removed all the same.
            let payloads = counted.unwrap_or_default();
            let bytes = over.iter().map(|unit| unit.bytes).sum();
            let mut event = recorder.event(Kind::StorePruned);
            event.text = Some("payloads past their time were removed; no hold stood".into());
            event.detail.insert("class".to_owned(), class.as_str().into());
            event.detail.insert("through".to_owned(), through.to_string().into());
            event.detail.insert("days".to_owned(), days.into());
            event.detail.insert("payloads".to_owned(), payloads.into());
            event.detail.insert("bytes".to_owned(), Value::from(bytes));
            recorder.durable(&[event]).await?;
            let _alone = self.shared.pipeline.payloads().map(|payloads| payloads.pause());
            for unit in over {
                payload::remove(&log, unit).map_err(|error| RetentionError::Files(error.to_string()))?;
            }
            removed.push(Removed { class, through, payloads, bytes });
        }
        if let Some(payloads) = self.shared.pipeline.payloads() {
            self.remove_keys(payloads, today).await?;
        }
        Ok(removed)
    }

    /// Removes the data keys of months of which no payload is left. No hold stands.
    async fn remove_keys(&self, payloads: &PayloadStore, today: Day) -> Result<(), RetentionError> {
        let failed = |error: std::io::Error| RetentionError::Files(error.to_string());
        let units = payload::units(&self.state.log()).map_err(failed)?;
        let mut over = payloads.keys().months_before(needed_from(&units, today)).map_err(failed)?;
        over.truncate(MONTHS_IN_A_RECORD);
        if over.is_empty() {
            return Ok(());
        }
        let recorder = self.shared.pipeline.recorder();
        let mut event = recorder.event(Kind::StorePruned);
        event.text = Some("data keys that nothing is left to be opened with were removed; no hold stood".into());
        let months: Vec<String> = over.iter().map(ToString::to_string).collect();
        event.detail.insert("key_months".to_owned(), months.into());
        recorder.durable(&[event]).await?;
        for month in over {
            payloads.keys().remove(month).map_err(failed)?;
        }
        Ok(())
    }

    /// Packs the days of payloads that are over, in the background, until that is done or the gateway ends.
    pub(super) fn pack_closed_days(&self) -> Option<tokio::task::JoinHandle<()>> {
        let payloads = Arc::clone(self.shared.pipeline.payloads()?);
        let (log, max) = (self.state.log(), self.shared.pipeline.snapshot().project.settings.max_bytes);
        Some(tokio::task::spawn_blocking(move || {
            // While a day is packed it is there twice: half of what is left is left to calls.
            let room = max.map_or(Ok(u64::MAX), |max| Ok(max.saturating_sub(store::bytes_below(&log)?) / 2));
            let packed = room.and_then(|room: u64| {
                payloads.pack(room, &mut |unit, day| {
                    let (class, before, after) = (unit.class.as_str(), day.before, day.after);
                    tracing::info!(class, day = %unit.day, before, after, "a day of payloads was packed");
                })
            });
            if let Err(error) = packed {
                let error: std::io::Error = error;
                tracing::warn!(%error, "a day of payloads cannot be packed: it stays as it is");
            }
        }))
    }

    /// Destroys the data keys of one person: nothing kept of this person can be read any more. How many keys there were.
    ///
    /// # Errors
    /// A hold stands; the log, the state or the keys fail.
    pub async fn erase(&self, user: &str, by: &UserId, reason: &str) -> Result<usize, RetentionError> {
        let _turn = self.retention_turn.lock().await;
        if let Some(hold) = holds(&self.state)?.first() {
            return Err(RetentionError::Held(hold.name.clone()));
        }
        let Some(payloads) = self.shared.pipeline.payloads() else { return Ok(0) };
        let snapshot = self.shared.pipeline.snapshot();
        let owner = Owner { tenant: snapshot.project.settings.tenant.to_string(), subject: user.to_owned() };
        let now = Day::of(self.shared.pipeline.recorder().clock().now()).month();
        let keys: Vec<String> =
            (0..MONTHS).flat_map(|months| payloads.keys().living(&owner, now.minus(months))).collect();
        if keys.is_empty() {
            return Ok(0);
        }
        let erasing = Erasing { keys, by: by.to_string(), reason: reason.to_owned() };
        let bytes = serde_json::to_vec(&erasing).map_err(|_| RetentionError::Damaged(ERASING))?;
        self.state.write_summed(ERASING, &bytes)?;
        self.erase_begun().await
    }

    /// Does what an erasure has begun, also one that a crash interrupted: at the next start, if no hold stands by then.
    ///
    /// # Errors
    /// The log, the state or the keys fail; the next time goes on from there.
    async fn erase_begun(&self) -> Result<usize, RetentionError> {
        let Some(erasing) = read::<Erasing>(&self.state, ERASING)? else { return Ok(0) };
        let recorder = self.shared.pipeline.recorder();
        for keys in erasing.keys.chunks(KEYS_IN_A_RECORD) {
            let mut event = recorder.event(Kind::StoreShredded);
            event.approver = Some(erasing.by.as_str().into());
            event.text = Some(short(&erasing.reason).into());
            event.detail.insert("keys".to_owned(), keys.into());
            recorder.durable(&[event]).await?;
        }
        if let Some(payloads) = self.shared.pipeline.payloads() {
            for key in &erasing.keys {
                payloads.keys().destroy(key).map_err(|error| RetentionError::Files(error.to_string()))?;
            }
        }
        self.state.remove(ERASING)?;
        Ok(erasing.keys.len())
    }

    /// Places a hold: from now on nothing is removed or erased.
    ///
    /// # Errors
    /// There is one of that name; the log or the state fails.
    pub async fn hold(&self, name: &str, by: &UserId, reason: &str) -> Result<(), RetentionError> {
        let _turn = self.retention_turn.lock().await;
        let mut standing = holds(&self.state)?;
        if standing.iter().any(|hold| hold.name == name) {
            return Err(RetentionError::Exists(name.to_owned()));
        }
        if standing.len() >= MAX_HOLDS {
            return Err(RetentionError::TooMany);
        }
        let at_us = self.shared.pipeline.recorder().clock().now();
        standing.push(Hold { name: name.to_owned(), reason: short(reason), by: by.clone(), at_us });
        // It holds before it is told: nothing goes in between.
        keep_holds(&self.state, &standing)?;
        self.tell(Kind::StoreHeld, name, by, reason).await
    }

    /// Ends a hold.
    ///
    /// # Errors
    /// There is none of that name; the log or the state fails.
    pub async fn release(&self, name: &str, by: &UserId, reason: &str) -> Result<(), RetentionError> {
        let _turn = self.retention_turn.lock().await;
        let mut standing = holds(&self.state)?;
        let before = standing.len();
        standing.retain(|hold| hold.name != name);
        if standing.len() == before {
            return Err(RetentionError::NoHold(name.to_owned()));
        }
        self.tell(Kind::StoreReleased, name, by, reason).await?;
        keep_holds(&self.state, &standing)
    }

    async fn tell(&self, kind: Kind, name: &str, by: &UserId, reason: &str) -> Result<(), RetentionError> {
        let recorder: &Recorder = self.shared.pipeline.recorder();
        let mut event = recorder.event(kind);
        event.approver = Some(by.into());
        event.text = Some(short(reason).into());
        event.detail.insert("hold".to_owned(), name.into());
        recorder.durable(&[event]).await?;
        Ok(())
    }
}

/// The first month whose data keys are needed. What a day holds was sealed in its month, or in the minutes before it began;
/// what is sealed now, and not written yet, likewise.
fn needed_from(units: &[Unit], today: Day) -> Month {
    units.iter().map(|unit| unit.day).chain([today]).min().unwrap_or(today).plus(-1).month()
}

/// A reason as far as a record takes it.
fn short(reason: &str) -> String {
    reason.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_bit_lifts_or_changes_a_hold() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let hold = Hold { name: "case-7".to_owned(), reason: "asked for".to_owned(), by: UserId::new("ada"), at_us: 7 };
        keep_holds(&state, std::slice::from_ref(&hold)).unwrap();
        assert_eq!(holds(&state).unwrap(), std::slice::from_ref(&hold));
        let whole = state.read(HOLDS).unwrap().unwrap();
        for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            state.write_cache(HOLDS, &flipped).unwrap();
            assert!(matches!(holds(&state), Err(RetentionError::Damaged(HOLDS))), "byte {at}, bit {bit}");
        }
        // As an earlier version wrote it.
        state.write(HOLDS, &serde_json::to_vec(std::slice::from_ref(&hold)).unwrap()).unwrap();
        assert_eq!(holds(&state).unwrap(), [hold]);
    }

    #[test]
    fn keys_are_needed_from_the_month_before_the_oldest_day_began() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let unit = |text: &str| Unit { class: PayloadClass::TraceText, day: day(text), bytes: 1, packed: 0 };
        for (units, today, month) in [
            (&[][..], "2026-11-02", "2026-11"),
            (&[], "2026-11-01", "2026-10"),
            (&["2026-09-02", "2026-09-30"], "2026-11-02", "2026-09"),
            (&["2026-10-05", "2026-09-01"], "2026-11-02", "2026-08"),
            (&["2026-12-05"], "2026-11-02", "2026-11"),
        ] {
            let units: Vec<Unit> = units.iter().map(|text| unit(text)).collect();
            assert_eq!(needed_from(&units, day(today)).to_string(), month, "{units:?} {today}");
        }
    }
}
