//! Whether what records commit to is there, or is rightly gone.
//!
//! A payload that is not there is `pruned` only where a later record of the same log says that it was removed, by a
//! retention that was in force then and let it; erased where one says that its key was destroyed; lost where one says that
//! a crash took it. Otherwise it is missing.

use super::VerifyError;
use crate::{
    log::{
        layout::Layout,
        prune::{Stated, prefix::Prefix},
    },
    payload::{Damage, DataKeyError, DataKeys, Day, Found, PayloadReader},
    read::LogReader,
};
use serde_json::Value;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};
use vocab::{
    Event,
    event::{Kind, Payload, PayloadClass},
};

/// Payloads named in a report; the rest is counted.
const MAX_NAMED: usize = 100;

/// Records that can have been on their way when a crash came: 8 MiB of them wait at most, and a record with a payload has
/// 500 bytes at least.
pub const AT_ONCE: u64 = 16_384;

/// Looks at most, when something went while it was looked for.
const LOOKS: usize = 5;

/// A payload that is not durable after this time, microseconds, never will be.
const UNSETTLED_US: i64 = 10_000_000;

/// What became of the payloads of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadReport {
    /// There. Without their keys, no more than that is known of them.
    pub present: u64,
    /// There, opened, and what their records say.
    pub opened: u64,
    /// Removed, as a record says, when their time was over.
    pub pruned: u64,
    /// Their keys were destroyed, as a record says.
    pub erased: u64,
    /// Never durable, as a record says: a crash came first, and the call had not left.
    pub lost: u64,
    /// Not there yet: of the newest records of a gateway that works, or ended in a crash that its next start will tell of.
    pub unsettled: u64,
    /// Not there, and no record says why.
    pub missing: u64,
    /// Not what their records say.
    pub altered: u64,
    /// Files that cannot be read to their end, where a payload that is altered would lie.
    pub damage: Vec<Damage>,
    /// The first hundred that are missing or altered.
    pub named: Vec<BadPayload>,
    /// Files of data keys that do not open: what they seal is altered, as far as anybody can tell. The first hundred.
    pub bad_keys: Vec<PathBuf>,
    /// What was removed when, as records say: a line for each removal.
    pub removals: Vec<Removal>,
    /// Whose keys were destroyed, as records say: a line for each record.
    pub erasures: Vec<Erasure>,
}

/// A payload that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPayload {
    /// Index of the record.
    pub index: u64,
    /// Which payload of it.
    pub name: String,
    /// Its class.
    pub class: PayloadClass,
    /// Whether it is there, and not what the record says; otherwise it is not there.
    pub is_altered: bool,
}

/// A removal that a record tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Index of the record that tells of it.
    pub index: u64,
    /// When, microseconds since the epoch.
    pub t: i64,
    /// What was removed.
    pub class: PayloadClass,
    /// Everything up to and with this day.
    pub through: Day,
    /// The retention it was removed by.
    pub days: u32,
}

/// An erasure that a record tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Index of the record that tells of it.
    pub index: u64,
    /// When, microseconds since the epoch.
    pub t: i64,
    /// The approver who had it done.
    pub by: Option<String>,
    /// The reason given.
    pub why: Option<String>,
    /// Data keys that were destroyed.
    pub keys: u64,
}

impl PayloadReport {
    /// Whether nothing is missing or altered.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.missing == 0 && self.altered == 0
    }
}

/// What records say of payloads.
#[derive(Default)]
pub(crate) struct Told {
    removals: Vec<Removal>,
    erasures: Vec<Erasure>,
    /// Keys, and the record that says so.
    destroyed: HashMap<String, u64>,
    /// Record and payload, and the record that says so.
    lost: HashMap<(u64, String), u64>,
    /// Days of each class, as last configured.
    stated: Stated,
    has_payloads: bool,
    /// The newest record: its index and its time.
    newest: (u64, i64),
    /// Whether the gateway that started last has ended in good order. A server's end may be recorded after that.
    ended: bool,
    /// The newest start of a gateway: it has told what a crash before it took.
    started: u64,
}

/// What became of a payload of the log in `dir` that was looked for, in a word, and the record that says so: `ok`, `altered`,
/// `pruned`, `erased`, `lost`, `unsettled` or `missing`.
///
/// # Errors
/// The log cannot be read.
pub fn fates(dir: &Path) -> Result<Fates, VerifyError> {
    told(dir).map(Fates)
}

/// See [`fates`].
pub struct Fates(Told);

impl Fates {
    /// Of the payload of the record with this index and time, as it was found.
    #[must_use]
    pub fn of(&self, index: u64, t: i64, payload: &Payload<'_>, found: &Found) -> (&'static str, Option<u64>) {
        self.0.state(index, t, payload, found)
    }
}

/// Looks for the payload of every record of the log in `dir`. With `keys` each is opened and held against its digest.
///
/// # Errors
/// The log cannot be read.
pub fn verify_payloads(dir: &Path, keys: Option<&DataKeys>) -> Result<PayloadReport, VerifyError> {
    judged(dir, keys, told(dir)?)
}

/// A removal is told first and done then: what went since the records were read is told of by now, and is looked for again.
fn judged(dir: &Path, keys: Option<&DataKeys>, mut told: Told) -> Result<PayloadReport, VerifyError> {
    let mut report = looked_for(dir, keys, &told)?;
    for _ in 1..LOOKS {
        if report.is_good() || !told.hear_on(dir)? {
            break;
        }
        report = looked_for(dir, keys, &told)?;
    }
    Ok(report)
}

fn looked_for(dir: &Path, keys: Option<&DataKeys>, told: &Told) -> Result<PayloadReport, VerifyError> {
    let (removals, erasures) = (told.removals.clone(), told.erasures.clone());
    let mut report = PayloadReport { removals, erasures, ..PayloadReport::default() };
    if !told.has_payloads {
        return Ok(report);
    }
    let mut reader = PayloadReader::new(dir);
    let mut failed = None;
    each(dir, 0, &mut |index, event| {
        for payload in &event.payloads {
            if let Err(error) = look(&mut report, &mut reader, told, keys, (index, event.t), payload) {
                failed.get_or_insert(error);
            }
        }
    })?;
    failed.map_or(Ok(report), Err)
}

/// What the records of the log in `dir` say.
pub(crate) fn told(dir: &Path) -> Result<Told, VerifyError> {
    let layout = Layout::new(dir);
    let prefix = Prefix::read(&layout).map_err(|source| VerifyError::Io { path: layout.pruned(), source })?;
    let mut told = Told::after(prefix.as_ref());
    each(dir, 0, &mut |index, event| told.hear(index, event))?;
    Ok(told)
}

fn each(dir: &Path, from: u64, visit: &mut dyn FnMut(u64, &Event<'_>)) -> Result<(), VerifyError> {
    let reader = LogReader::open(dir).map_err(VerifyError::unreadable)?;
    for record in reader.iter_from(from) {
        let record = record.map_err(VerifyError::unreadable)?;
        if let Ok(event) = Event::from_bytes(&record.bytes) {
            visit(record.index, &event);
        }
    }
    Ok(())
}

fn look(
    report: &mut PayloadReport,
    reader: &mut PayloadReader,
    told: &Told,
    keys: Option<&DataKeys>,
    (index, t): (u64, i64),
    payload: &Payload<'_>,
) -> Result<(), VerifyError> {
    let bad = |report: &mut PayloadReport, is_altered| {
        if report.named.len() < MAX_NAMED {
            let (name, class) = (payload.name.to_string(), payload.class);
            report.named.push(BadPayload { index, name, class, is_altered });
        }
    };
    let found = match keys {
        Some(keys) => match reader.read(payload, t, keys) {
            // What an interrupted erasure left of a key does not open either.
            Err(DataKeyError::Refused(_)) if told.destroyed.contains_key(&*payload.key) => Found::Shredded,
            Err(DataKeyError::Refused(file)) => {
                if report.bad_keys.len() < MAX_NAMED && !report.bad_keys.contains(&file) {
                    report.bad_keys.push(file);
                }
                Found::Altered
            }
            read => read.map_err(VerifyError::unreadable)?,
        },
        None if reader.is_there(payload, t).map_err(VerifyError::unreadable)? => {
            match told.destroyed.contains_key(&*payload.key) {
                true => Found::Shredded,
                false => {
                    report.present += 1;
                    return Ok(());
                }
            }
        }
        None => Found::Absent,
    };
    let is_whole = !matches!(&found, Found::Text(text) if text.len() as u64 != payload.bytes);
    match told.state(index, t, payload, &found).0 {
        "ok" if is_whole => report.opened += 1,
        "pruned" => report.pruned += 1,
        "erased" => report.erased += 1,
        "lost" => report.lost += 1,
        "unsettled" => report.unsettled += 1,
        "missing" => {
            let damage = reader.damage(payload.class, t).map_err(VerifyError::unreadable)?;
            match &damage {
                Some(_) => report.altered += 1,
                None => report.missing += 1,
            }
            bad(report, damage.is_some());
            if let Some(damage) = damage
                && !report.damage.contains(&damage)
            {
                report.damage.push(damage);
            }
        }
        _ => {
            report.altered += 1;
            bad(report, true);
        }
    }
    Ok(())
}

impl Told {
    /// Before the first record that is there.
    pub(crate) fn after(prefix: Option<&Prefix>) -> Self {
        Self { stated: prefix.map(|prefix| prefix.stated.clone()).unwrap_or_default(), ..Self::default() }
    }

    /// In a word, what became of a payload that was looked for, and the record because of which it is not there.
    pub(crate) fn state(
        &self,
        index: u64,
        t: i64,
        payload: &Payload<'_>,
        found: &Found,
    ) -> (&'static str, Option<u64>) {
        let destroyed = self.destroyed.get(&*payload.key);
        let lost = || self.lost.get(&(index, payload.name.to_string()));
        match found {
            Found::Text(_) => ("ok", None),
            Found::Altered => ("altered", None),
            Found::Shredded | Found::Absent if destroyed.is_some() => ("erased", destroyed.copied()),
            Found::Shredded => ("missing", None),
            Found::Absent => match (self.removal_of(payload.class, t), lost()) {
                (Some(removal), _) => ("pruned", Some(removal.index)),
                (None, Some(told)) => ("lost", Some(*told)),
                (None, None) if self.is_unsettled(index, t) => ("unsettled", None),
                (None, None) => ("missing", None),
            },
        }
    }

    /// The record that says of a payload which may be there that it is not, and in a word what became of it.
    pub(crate) fn gone(&self, t: i64, payload: &Payload<'_>) -> Option<(&'static str, u64)> {
        let erased = self.destroyed.get(&*payload.key).map(|index| ("erased", *index));
        erased.or_else(|| self.removal_of(payload.class, t).map(|removal| ("pruned", removal.index)))
    }

    /// Whether a record is so new that what it commits to may not be durable yet: both are written at the same time, and
    /// neither is answered for before both are.
    fn is_unsettled(&self, index: u64, t: i64) -> bool {
        let (newest, newest_t) = self.newest;
        !self.ended
            && index > self.started
            && newest.saturating_sub(index) < AT_ONCE
            && newest_t.saturating_sub(t) < UNSETTLED_US
    }

    /// The removal that took what was written at this time.
    pub(crate) fn removal_of(&self, class: PayloadClass, t: i64) -> Option<&Removal> {
        self.removals.iter().find(|removal| removal.class == class && Day::of(t) <= removal.through)
    }

    /// Takes in the records that came since; whether one says why something is not there.
    pub(crate) fn hear_on(&mut self, dir: &Path) -> Result<bool, VerifyError> {
        let reasons = |told: &Self| (told.removals.len(), told.destroyed.len(), told.lost.len());
        let before = reasons(self);
        each(dir, self.newest.0 + 1, &mut |index, event| self.hear(index, event))?;
        Ok(reasons(self) != before)
    }

    /// Takes in what a record says. Records come in order.
    pub(crate) fn hear(&mut self, index: u64, event: &Event<'_>) {
        self.has_payloads |= !event.payloads.is_empty();
        self.newest = (index, event.t);
        match event.kind {
            Kind::GatewayStarted => (self.started, self.ended) = (index, false),
            Kind::GatewayStopped => self.ended = true,
            _ => {}
        }
        self.stated.hear(event);
        let detail = |name: &str| event.detail.get(name);
        match event.kind {
            Kind::StorePruned => self.removals.extend(self.removal(index, event)),
            Kind::StoreShredded => {
                let keys = detail("keys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                let keys: Vec<&str> = keys.collect();
                self.erasures.push(Erasure {
                    index,
                    t: event.t,
                    by: event.approver.as_deref().map(str::to_owned),
                    why: event.text.as_deref().map(str::to_owned),
                    keys: keys.len() as u64,
                });
                self.destroyed.extend(keys.into_iter().map(|key| (key.to_owned(), index)));
            }
            Kind::StoreRecovered => {
                let lost = detail("payloads_lost").and_then(Value::as_array).into_iter().flatten();
                let pair = |pair: &Value| Some((pair.get(0)?.as_u64()?, pair.get(1)?.as_str()?.to_owned()));
                self.lost.extend(lost.filter_map(pair).map(|lost| (lost, index)));
            }
            _ => {}
        }
    }

    /// A removal counts when the retention in force let it, and its time was over.
    fn removal(&self, index: u64, event: &Event<'_>) -> Option<Removal> {
        let text = |name: &str| event.detail.get(name).and_then(Value::as_str);
        let class = PayloadClass::ALL.into_iter().find(|class| Some(class.as_str()) == text("class"))?;
        let through: Day = text("through")?.parse().ok()?;
        let days = u32::try_from(event.detail.get("days")?.as_u64()?).ok()?;
        let is_over = Day::of(event.t) > through.plus(i32::try_from(days).ok()?);
        let is_allowed = self.stated.of(class.as_str()) == Some(days);
        (is_over && is_allowed).then_some(Removal { index, t: event.t, class, through, days })
    }
}

#[cfg(test)]
pub(crate) mod tests;
