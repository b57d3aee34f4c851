//! The power goes before any change of any file that a project's state has: nothing that was acknowledged is lost, and what is
//! there opens and verifies.

use super::ending;
use crate::{
    Clock, Keys, Log, StateDir, Verdict,
    fixture::{ORIGIN, event, options, runtime},
    log::{DEFAULT_OVERLAP, begin_rotation, end_rotation},
    payload::{self, Content, Day, Found, Owner, PayloadReader, PayloadStore},
    verify, verify_payloads,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use vocab::{
    Event,
    event::{Kind, Payload, PayloadClass},
};

const DAY_US: i64 = 86_400_000_000;
const NOON: i64 = 1_795_867_200_000_000;

/// What somebody was told.
#[derive(Default)]
struct Told {
    /// Records.
    records: u64,
    /// Payloads, what they say, and when.
    payloads: Vec<(Payload<'static>, Vec<u8>, i64)>,
    /// What a state file says: what it said before, where it is being written.
    state: Vec<u8>,
}

struct Gateway {
    keys: Keys,
    log: Log,
    store: PayloadStore,
    state: StateDir,
}

#[expect(clippy::needless_pass_by_value, reason = "errors are mapped by it")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

fn owner(subject: &str) -> Owner {
    Owner { tenant: "default".to_owned(), subject: subject.to_owned() }
}

impl Gateway {
    fn start(home: &Path, now: i64) -> Result<Self, String> {
        let state = StateDir::open(home).map_err(text)?;
        let keys = Keys::open(&state.keys(), ORIGIN).map_err(text)?;
        let (log, _) =
            Log::open(&state.log(), &options(), keys.signers().map_err(text)?, &mut |_, _| {}).map_err(text)?;
        keys.files().settle(&log.keys(), log.rotation().is_some()).map_err(text)?;
        let store = PayloadStore::new(&state.log(), &keys, Clock::manual(now).0, 128 * 1024);
        Ok(Self { keys, log, store, state })
    }

    /// A call: its payload and its record are written at the same time, and it is answered when both are durable.
    fn call(&self, told: &mut Told, subject: &str, bytes: usize, now: i64) -> Result<(), String> {
        let said = vec![b'a' + (told.records % 26) as u8; bytes];
        let contents = [Content { name: "result", bytes: &said }];
        let kept = self.store.seal(&owner(subject), PayloadClass::TraceText, &contents).map_err(text)?;
        let payload = kept.payloads[0].clone();
        let mut event = Event::new(Kind::ToolResult, "e", now, "default");
        event.payloads = vec![payload.clone()];
        let (written, record) = (self.store.write(kept), self.log.append(vec![event.to_bytes().map_err(text)?]));
        let (written, appended) = runtime().block_on(async { tokio::join!(written, record) });
        written.map_err(text)?;
        told.records = appended.map_err(text)?.end;
        told.payloads.push((payload, said, now));
        Ok(())
    }

    fn tell(&self, told: &mut Told, kind: Kind, detail: &serde_json::Value, now: i64) -> Result<(), String> {
        let mut event = Event::new(kind, "e", now, "default");
        event.detail = detail.as_object().unwrap().clone().into_iter().collect();
        let appended = runtime().block_on(self.log.append(vec![event.to_bytes().map_err(text)?]));
        told.records = appended.map_err(text)?.end;
        Ok(())
    }

    fn rotate(&self, told: &mut Told) -> Result<(), String> {
        let next = self.keys.files().draw_next().map_err(text)?;
        let mut begun = event(Kind::KeyRotated, told.records);
        begin_rotation(&mut begun, &self.log.keys().present().unwrap().clone(), &next.verifier(), DEFAULT_OVERLAP);
        let index = runtime().block_on(self.log.rotate(next, begun.to_bytes().unwrap())).map_err(text)?;
        told.records = index + 1;
        self.call(told, "ada", 100, NOON + 3 * DAY_US)?;
        let mut ended = event(Kind::KeyRotated, told.records);
        end_rotation(&mut ended, &self.log.rotation().unwrap().old);
        let index = runtime().block_on(self.log.end_rotation(ended.to_bytes().unwrap())).map_err(text)?;
        told.records = index + 1;
        self.keys.files().settle(&self.log.keys(), false).map_err(text)
    }

    fn stop(self) -> Result<(), String> {
        self.store.close();
        self.log.close().map_err(text)
    }
}

/// Two starts, and everything between them that changes a file.
fn life(home: &Path, told: &mut Told) -> Result<(), String> {
    let retention = json!({"retention_days": {"trace_text": 2, "decision_input": 9}});
    let first = Gateway::start(home, NOON)?;
    first.tell(told, Kind::GatewayStarted, &retention, NOON)?;
    for (subject, bytes) in [("ada", 10), ("bob", 70_000), ("ada", 40_000), ("bob", 3_000)] {
        first.call(told, subject, bytes, NOON)?;
    }
    write_state(&first.state, told, b"[\"case-7\"]")?;
    first.stop()?;

    let now = NOON + 3 * DAY_US;
    let second = Gateway::start(home, now)?;
    second.tell(told, Kind::GatewayStarted, &retention, now)?;
    second.call(told, "ada", 500, now)?;
    write_state(&second.state, told, b"[\"case-7\", \"case-8\"]")?;
    let day = Day::of(NOON);
    second.tell(
        told,
        Kind::StorePruned,
        &json!({"class": "trace_text", "through": day.to_string(), "days": 2}),
        now,
    )?;
    let units = payload::units(&second.state.log()).map_err(text)?;
    payload::remove(&second.state.log(), *units.iter().find(|unit| unit.day == day).unwrap()).map_err(text)?;
    second.rotate(told)?;
    let living = second.store.keys().living(&owner("ada"), Day::of(now).month());
    second.tell(told, Kind::StoreShredded, &json!({"keys": living}), now)?;
    for key in living {
        second.store.keys().destroy(&key).map_err(text)?;
    }
    second.call(told, "ada", 1_000, now)?;
    second.stop()
}

fn write_state(state: &StateDir, told: &mut Told, bytes: &[u8]) -> Result<(), String> {
    state.write("approvals/one.json", bytes).map_err(text)?;
    told.state = bytes.to_vec();
    Ok(())
}

/// Everything that was told is there, and nothing is there that is neither old nor new.
fn check(home: &Path, told: &Told, cut: &str) {
    let now = NOON + 4 * DAY_US;
    let gateway = Gateway::start(home, now).unwrap_or_else(|error| panic!("{cut}: {error}"));
    assert!(gateway.log.size() >= told.records, "{cut}: {} records of {}", gateway.log.size(), told.records);
    let log = gateway.state.log();
    let keys = gateway.keys.data_keys(&log);
    let Gone { removed, destroyed } = settle(&gateway, &log, &keys, now, cut);
    let mut reader = PayloadReader::new(&log);
    for (payload, said, t) in &told.payloads {
        let found = reader.read(payload, *t, &keys).unwrap_or_else(|error| panic!("{cut}: {error}"));
        let is_gone = removed.contains(&Day::of(*t)) || destroyed.iter().any(|key| *key == payload.key);
        match found {
            Found::Text(text) => assert!(!is_gone && *text == *said, "{cut}: another text, or one that was to go"),
            found => assert!(is_gone && found != Found::Altered, "{cut}: {found:?}"),
        }
    }
    if let Some(found) = gateway.state.read("approvals/one.json").unwrap() {
        let versions: [&[u8]; 2] = [b"[\"case-7\"]", b"[\"case-7\", \"case-8\"]"];
        assert!(versions.contains(&found.as_slice()) && found.len() >= told.state.len(), "{cut}: {found:?}");
    } else {
        assert!(told.state.is_empty(), "{cut}: a state file is gone");
    }
    gateway.stop().unwrap_or_else(|error| panic!("{cut}: {error}"));
    let report = verify(&log, None).unwrap();
    assert_eq!(report.verdict, Verdict::Ok, "{cut}");
    let report = verify_payloads(&log, Some(&keys)).unwrap();
    assert!(report.is_good() && report.damage.is_empty() && report.unsettled == 0, "{cut}: {report:?}");
}

/// What the log says is gone.
struct Gone {
    removed: Vec<Day>,
    destroyed: Vec<String>,
}

/// What a start does about what a crash left: it ends what was begun, and tells of payloads that are lost.
fn settle(gateway: &Gateway, log: &Path, keys: &payload::DataKeys, now: i64, cut: &str) -> Gone {
    let mut told = Told::default();
    let begun = || crate::LogReader::open(log).unwrap().iter_from(0).map(|record| record.unwrap());
    let (mut lost, mut reader) = (Vec::new(), PayloadReader::new(log));
    let (mut removed, mut destroyed) = (Vec::new(), Vec::new());
    for record in begun() {
        let event = Event::from_bytes(&record.bytes).unwrap();
        match event.kind {
            Kind::StorePruned => removed.push(event.detail["through"].as_str().unwrap().parse::<Day>().unwrap()),
            Kind::StoreShredded => {
                let named = event.detail["keys"].as_array().unwrap().iter();
                destroyed.extend(named.map(|key| key.as_str().unwrap().to_owned()));
            }
            _ => {}
        }
    }
    for key in &destroyed {
        keys.destroy(key).unwrap_or_else(|error| panic!("{cut}: {error}"));
    }
    for unit in payload::units(log).unwrap().into_iter().filter(|unit| removed.contains(&unit.day)) {
        payload::remove(log, unit).unwrap();
    }
    for record in begun() {
        let event = Event::from_bytes(&record.bytes).unwrap().into_owned();
        for payload in &event.payloads {
            if !removed.contains(&Day::of(event.t)) && !reader.is_there(payload, event.t).unwrap() {
                lost.push(json!([record.index, payload.name]));
            }
        }
    }
    gateway.tell(&mut told, Kind::StoreRecovered, &json!({"payloads_lost": lost}), now).unwrap();
    // The day after a power cut is written to as any other.
    gateway.call(&mut told, "bob", 200, now).unwrap_or_else(|error| panic!("{cut}: {error}"));
    gateway.call(&mut told, "ada", 200, NOON + 3 * DAY_US).unwrap_or_else(|error| panic!("{cut}: {error}"));
    gateway.tell(&mut told, Kind::GatewayStopped, &json!({}), now).unwrap();
    Gone { removed, destroyed }
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_before_any_change_of_any_file() {
    let mut cuts = 0;
    // Where nothing waits for a disk: what is durable is known here without one.
    let memory = Some(Path::new("/dev/shm")).filter(|memory| memory.is_dir()).map(Path::to_owned);
    let memory = memory.unwrap_or_else(std::env::temp_dir);
    for changes in 0.. {
        let dir = tempfile::tempdir_in(&memory).unwrap();
        // The power goes for the folder that the state directory is made in as well.
        let base = dir.path().join("base");
        std::fs::create_dir(&base).unwrap();
        let home: PathBuf = base.join("state");
        ending::power_after(&base, changes, 0);
        let mut told = Told::default();
        let lived = life(&home, &mut told);
        let ended = ending::over(&base);
        check(&home, &told, &format!("cut {changes} ({lived:?})"));
        if !ended {
            assert_eq!(lived, Ok(()));
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 200, "{cuts} cuts");
}
