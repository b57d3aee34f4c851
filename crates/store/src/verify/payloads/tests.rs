use super::*;
use crate::{
    Clock, Keys, Log,
    fixture::{append, open, runtime},
    payload::{self, Content, Owner, PayloadStore},
};
use serde_json::json;

pub(crate) const DAY_US: i64 = 86_400_000_000;
pub(crate) const NOON: i64 = 1_795_867_200_000_000;

/// A log with payloads, at a time of the test's choice.
pub(crate) struct Place {
    _dir: tempfile::TempDir,
    pub(crate) log_dir: std::path::PathBuf,
    pub(crate) keys: Keys,
    pub(crate) log: Log,
    pub(crate) now: i64,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log_dir = dir.path().join("log");
        let keys = Keys::open(&dir.path().join("keys"), "mortise.test/log").unwrap();
        let place = Self { log: open(&log_dir).0, _dir: dir, log_dir, keys, now: NOON };
        place.event(Kind::GatewayStarted, json!({"retention_days": {"trace_text": 2, "decision_input": 9}}));
        place
    }

    pub(crate) fn event(&self, kind: Kind, detail: impl Into<Value>) {
        let mut event = Event::new(kind, "e", self.now, "default");
        event.detail = detail.into().as_object().unwrap().clone().into_iter().collect();
        append(&self.log, vec![event.to_bytes().unwrap()]).unwrap();
    }

    /// A record with a payload of this person.
    pub(crate) fn keep(&self, subject: &str, text: &str) {
        let owner = Owner { tenant: "default".to_owned(), subject: subject.to_owned() };
        let store = PayloadStore::new(&self.log_dir, &self.keys, Clock::manual(self.now).0, 1024 * 1024);
        let contents = [Content { name: "result", bytes: text.as_bytes() }];
        let kept = store.seal(&owner, PayloadClass::TraceText, &contents).unwrap();
        let mut event = Event::new(Kind::ToolResult, "e", self.now, "default");
        event.payloads.clone_from(&kept.payloads);
        append(&self.log, vec![event.to_bytes().unwrap()]).unwrap();
        runtime().block_on(store.write(kept)).unwrap();
    }

    fn report(&self) -> PayloadReport {
        // Ended in good order: nothing is on its way.
        self.event(Kind::GatewayStopped, json!({}));
        let report = verify_payloads(&self.log_dir, Some(&self.keys.data_keys(&self.log_dir))).unwrap();
        let without = verify_payloads(&self.log_dir, None).unwrap();
        assert_eq!((without.pruned, without.erased, without.lost), (report.pruned, report.erased, report.lost));
        assert_eq!(without.present, report.opened);
        report
    }

    pub(crate) fn remove(&self, day: i64) {
        let units = payload::units(&self.log_dir).unwrap();
        let unit = units.into_iter().find(|unit| unit.day == Day::of(NOON + day * DAY_US)).unwrap();
        assert_eq!(payload::count(&self.log_dir, unit).unwrap(), 1);
        payload::remove(&self.log_dir, unit).unwrap();
        payload::remove(&self.log_dir, unit).unwrap();
    }

    pub(crate) fn pruned(&self, through: i64, days: u32) {
        let through = Day::of(NOON + through * DAY_US).to_string();
        self.event(Kind::StorePruned, json!({"class": "trace_text", "through": through, "days": days}));
    }
}

#[test]
fn what_was_removed_by_the_retention_in_force_is_pruned_and_nothing_else_is() {
    let mut place = Place::new();
    for _ in 0..4 {
        place.keep("none", "a text");
        place.now += DAY_US;
    }
    // Days 0 to 3 have a payload each; it is day 4. Day 1 and all before it are past their two days.
    assert_eq!(place.report().opened, 4);
    place.remove(0);
    assert_eq!((place.report().missing, place.report().pruned), (1, 0), "no record says so");
    place.pruned(0, 3);
    assert_eq!(place.report().missing, 1, "another retention was in force");
    place.pruned(2, 2);
    assert_eq!(place.report().missing, 1, "its time was not over");
    place.pruned(1, 2);
    let report = place.report();
    assert_eq!((report.opened, report.pruned, report.missing), (3, 1, 0));
    assert!(report.is_good());
    assert_eq!((report.removals.len(), report.removals[0].through), (1, Day::of(NOON + DAY_US)));
    place.remove(3);
    let report = place.report();
    assert_eq!((report.pruned, report.missing), (1, 1), "the removal does not reach that far");
    assert_eq!((report.named[0].index, report.named[0].is_altered), (4, false));
    // A shorter retention says nothing about what was removed before it.
    place.event(Kind::ConfigChanged, json!({"retention_days": {"trace_text": 1}}));
    assert_eq!(place.report().pruned, 1);
}

#[test]
fn what_is_removed_or_erased_while_it_is_looked_for_is_not_missing() {
    for keyed in [true, false] {
        let mut place = Place::new();
        for subject in ["none", "ada", "none"] {
            place.keep(subject, "a text");
            place.now += DAY_US;
        }
        place.event(Kind::GatewayStopped, json!({}));
        let keys = place.keys.data_keys(&place.log_dir);
        let judged = |told| judged(&place.log_dir, Some(&keys).filter(|_| keyed), told).unwrap();
        let told = || told(&place.log_dir).unwrap();

        let before = told();
        place.pruned(0, 2);
        place.remove(0);
        let report = judged(before);
        assert_eq!((report.missing, report.pruned, report.opened + report.present), (0, 1, 2));
        assert_eq!(report.removals.len(), 1);

        let before = told();
        let ada = Owner { tenant: "default".to_owned(), subject: "ada".to_owned() };
        let living = keys.living(&ada, Day::of(NOON).month());
        place.event(Kind::StoreShredded, json!({"keys": living}));
        living.iter().for_each(|key| keys.destroy(key).unwrap());
        assert_eq!((judged(before).missing, judged(told()).erased), (0, 1));

        // What no record tells of is missing, however often it is looked for.
        let before = told();
        place.remove(2);
        place.event(Kind::ToolIntent, json!({}));
        assert_eq!(judged(before).missing, 1);
    }
}

#[test]
fn only_the_newest_records_of_a_gateway_that_did_not_end_may_wait_for_their_payloads() {
    let mut place = Place::new();
    place.keep("none", "a text");
    place.remove(0);
    let look = |place: &Place| {
        let report = verify_payloads(&place.log_dir, None).unwrap();
        (report.unsettled, report.missing)
    };
    assert_eq!(look(&place), (1, 0));
    place.now += 9_999_999;
    place.event(Kind::ToolIntent, json!({}));
    assert_eq!(look(&place), (1, 0));
    place.now += 1;
    place.event(Kind::ToolIntent, json!({}));
    assert_eq!(look(&place), (0, 1), "ten seconds later it never comes");

    let place = Place::new();
    place.keep("none", "a text");
    place.remove(0);
    place.event(Kind::GatewayStarted, json!({}));
    assert_eq!(look(&place), (0, 1), "a start has told what a crash took");
    let place = Place::new();
    place.keep("none", "a text");
    place.remove(0);
    place.event(Kind::GatewayStopped, json!({}));
    place.event(Kind::ServerStopped, json!({}));
    assert_eq!(look(&place), (0, 1), "nothing was on its way");
}

#[test]
fn a_key_that_does_not_open_is_named_and_the_rest_is_looked_at() {
    let place = Place::new();
    place.keep("ada", "hers");
    place.keep("ada", "hers as well");
    place.keep("bob", "his");
    let keys = place.keys.data_keys(&place.log_dir);
    let owner = Owner { tenant: "default".to_owned(), subject: "ada".to_owned() };
    let living = keys.living(&owner, Day::of(NOON).month());
    let file = place.log_dir.join("pay/keys").join(Day::of(NOON).month().to_string()).join(&living[0]);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let report = verify_payloads(&place.log_dir, Some(&keys)).unwrap();
    assert_eq!((report.opened, report.altered, report.missing, report.erased), (1, 2, 0, 0));
    assert_eq!((report.bad_keys, report.named.len()), (vec![file.clone()], 2));
    // What is left of a key that a record says was destroyed: an erasure that did not come to its end.
    place.event(Kind::StoreShredded, json!({"keys": living}));
    let report = verify_payloads(&place.log_dir, Some(&keys)).unwrap();
    assert_eq!((report.opened, report.altered, report.erased), (1, 0, 2));
    assert!(report.bad_keys.is_empty() && report.is_good());
}

#[test]
fn what_is_erased_or_lost_is_so_only_when_a_record_says_it() {
    let place = Place::new();
    place.keep("ada", "hers");
    place.keep("bob", "his");
    let keys = place.keys.data_keys(&place.log_dir);
    let owner = Owner { tenant: "default".to_owned(), subject: "ada".to_owned() };
    let living = keys.living(&owner, Day::of(NOON).month());
    keys.destroy(&living[0]).unwrap();
    let report = verify_payloads(&place.log_dir, Some(&keys)).unwrap();
    assert_eq!((report.opened, report.missing, report.erased), (1, 1, 0));
    place.event(Kind::StoreShredded, json!({"keys": living}));
    let report = place.report();
    assert_eq!((report.opened, report.missing, report.erased), (1, 0, 1));
    let [erasure] = &*report.erasures else { panic!("{:?}", report.erasures) };
    assert_eq!((erasure.index, erasure.keys, erasure.t), (3, 1, NOON));

    let unit = payload::units(&place.log_dir).unwrap()[0];
    payload::remove(&place.log_dir, unit).unwrap();
    let report = place.report();
    assert_eq!((report.missing, report.erased), (1, 1));
    place.event(Kind::StoreRecovered, json!({"payloads_lost": [[2, "result"]]}));
    let report = place.report();
    assert_eq!((report.missing, report.erased, report.lost), (0, 1, 1));
}

/// A record that commits to what another one keeps.
fn commits(place: &Place, change: impl Fn(&mut Payload<'static>)) {
    let events = crate::LogReader::open(&place.log_dir).unwrap().iter_from(0).map(|record| record.unwrap().bytes);
    let kept = events.filter_map(|bytes| {
        let event = Event::from_bytes(&bytes).unwrap();
        event.payloads.into_iter().next().map(Payload::into_owned)
    });
    let mut payload = kept.last().unwrap();
    change(&mut payload);
    let mut event = Event::new(Kind::ToolResult, "e", place.now, "default");
    event.payloads = vec![payload];
    append(&place.log, vec![event.to_bytes().unwrap()]).unwrap();
}

#[test]
fn a_text_of_another_length_is_altered_and_no_more_than_a_hundred_are_named() {
    let place = Place::new();
    place.keep("none", "a text");
    commits(&place, |payload| payload.bytes += 1);
    let report = verify_payloads(&place.log_dir, Some(&place.keys.data_keys(&place.log_dir))).unwrap();
    assert_eq!((report.opened, report.altered), (1, 1));
    place.remove(0);
    for _ in 0..99 {
        commits(&place, |_| {});
    }
    let report = place.report();
    assert_eq!((report.missing, report.named.len()), (101, MAX_NAMED));
}

#[test]
fn a_removal_is_of_its_class_alone() {
    let mut place = Place::new();
    place.keep("none", "a text");
    place.now += 30 * DAY_US;
    place.remove(0);
    let through = Day::of(NOON).to_string();
    place.event(Kind::StorePruned, json!({"class": "decision_input", "through": through, "days": 9}));
    let report = place.report();
    assert_eq!((report.pruned, report.missing, report.removals.len()), (0, 1, 1));
}

#[test]
fn no_more_records_are_on_their_way_than_can_be() {
    let place = Place::new();
    place.keep("none", "a text");
    place.remove(0);
    let look = |place: &Place| {
        let report = verify_payloads(&place.log_dir, None).unwrap();
        (report.unsettled, report.missing)
    };
    let record = {
        let event = Event::new(Kind::ToolIntent, "e", place.now, "default");
        event.to_bytes().unwrap()
    };
    let more = usize::try_from(AT_ONCE).unwrap() - 1;
    for _ in 0..more / 128 {
        append(&place.log, vec![record.clone(); 128]).unwrap();
    }
    append(&place.log, vec![record.clone(); more % 128]).unwrap();
    assert_eq!(look(&place), (1, 0));
    append(&place.log, vec![record]).unwrap();
    assert_eq!(look(&place), (0, 1));
}
