use super::*;
use crate::{
    Clock, Keys,
    payload::{Content, Day, Found, Owner, PayloadReader, PayloadStore, Place, count, turn::Turn, units},
};
use std::collections::BTreeMap;
use vocab::event::{Payload, PayloadClass};

const NOON: i64 = 1_795_867_200_000_000;
const DAY_US: i64 = 86_400_000_000;
const CLASS: PayloadClass = PayloadClass::TraceText;

type KeptText = (Payload<'static>, i64, String);

struct Fixture {
    dir: tempfile::TempDir,
    keys: Keys,
    kept: Vec<KeptText>,
}

fn owner(subject: &str) -> Owner {
    Owner { tenant: "default".to_owned(), subject: subject.to_owned() }
}

fn text(number: usize) -> String {
    format!(
        "{{\"ticket\":{number},\"status\":\"open\",\"text\":\"{}\"}}",
        "some words that come back ".repeat(1 + number % 40)
    )
}

impl Fixture {
    /// A day with payloads of three persons.
    async fn new(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(&dir.path().join("keys"), "mortise.test/a").unwrap();
        let mut fixture = Self { dir, keys, kept: Vec::new() };
        fixture.write(NOON, count).await;
        fixture
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn store(&self, now: i64) -> PayloadStore {
        PayloadStore::new(&self.log(), &self.keys, Clock::manual(now).0, 1024 * 1024)
    }

    fn unit(&self) -> PathBuf {
        Place::of_log(&self.log()).unit(CLASS, Day::of(NOON))
    }

    async fn write(&mut self, now: i64, count: usize) {
        let store = self.store(now);
        for number in 0..count {
            let text = text(number);
            let contents = [Content { name: "result", bytes: text.as_bytes() }];
            let kept = store.seal(&owner(["ada", "bob", "none"][number % 3]), CLASS, &contents).unwrap();
            self.kept.push((kept.payloads[0].clone(), now, text));
            store.write_soon(kept).await.unwrap();
        }
        store.close();
    }

    fn packed(&self, now: i64) -> io::Result<Vec<PackedDay>> {
        let mut days = Vec::new();
        self.store(now).pack(u64::MAX, &mut |_, day| days.push(day))?;
        Ok(days)
    }

    /// What becomes of each payload: how many in which state.
    fn states(&self) -> BTreeMap<&'static str, usize> {
        let keys = self.keys.data_keys(&self.log());
        let mut reader = PayloadReader::new(&self.log());
        let mut states = BTreeMap::new();
        for (payload, t, text) in &self.kept {
            let state = match reader.read(payload, *t, &keys).unwrap() {
                Found::Text(found) => {
                    assert_eq!(found.as_slice(), text.as_bytes());
                    "ok"
                }
                Found::Shredded => "shredded",
                Found::Altered => "altered",
                Found::Absent => "absent",
            };
            *states.entry(state).or_default() += 1;
        }
        states
    }

    fn files(&self) -> Vec<String> {
        fn below(dir: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let path = entry.path();
                match path.is_dir() {
                    true => below(&path, root, found),
                    false => found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned()),
                }
            }
        }
        let mut found = Vec::new();
        below(&self.unit(), &self.unit(), &mut found);
        found.sort();
        found
    }
}

#[tokio::test]
async fn a_closed_day_is_packed_and_every_payload_is_what_it_was() {
    let mut fixture = Fixture::new(900).await;
    let keys = fixture.keys.data_keys(&fixture.log());
    // A reader that has looked before finds them all afterwards.
    let mut early = PayloadReader::new(&fixture.log());
    let (payload, t, text) = fixture.kept[0].clone();
    assert!(matches!(early.read(&payload, t, &keys).unwrap(), Found::Text(_)));
    assert_eq!(fixture.packed(NOON).unwrap(), [], "the day is not over");
    let before = units(&fixture.log()).unwrap()[0];
    assert_eq!((before.packed, count(&fixture.log(), before).unwrap()), (0, 900));

    let days = fixture.packed(NOON + DAY_US).unwrap();
    let after = units(&fixture.log()).unwrap()[0];
    assert_eq!(days, [PackedDay { before: before.bytes, after: after.bytes }]);
    assert!(after.bytes * 4 < before.bytes && after.packed == after.bytes, "{before:?} {after:?}");
    assert_eq!(count(&fixture.log(), after).unwrap(), 900);
    assert_eq!(fixture.files(), ["packed/0/seg/00000000000000000000.log"]);
    assert_eq!(fixture.states(), [("ok", 900)].into());
    assert_eq!(early.read(&payload, t, &keys).unwrap(), Found::Text(text.into_bytes().into()));
    let disclosed = early.disclose(&payload, t, &keys).unwrap();
    assert!(matches!(disclosed, Found::Text(salted) if block::digest_of(&salted) == payload.digest));
    assert_eq!(fixture.packed(NOON + DAY_US).unwrap(), [], "once is enough");

    // The clock is set back: the day goes on, and is packed again for what came.
    fixture.write(NOON, 300).await;
    assert_eq!(fixture.states(), [("ok", 1_200)].into());
    assert_eq!(fixture.packed(NOON + DAY_US).unwrap().len(), 1);
    assert_eq!(fixture.files(), ["packed/0/seg/00000000000000000000.log", "packed/1/seg/00000000000000000000.log"]);
    assert_eq!(fixture.states(), [("ok", 1_200)].into());
    for (subject, left) in [("ada", 800), ("bob", 400)] {
        let living = keys.living(&owner(subject), Day::of(NOON).month());
        living.iter().for_each(|id| keys.destroy(id).unwrap());
        assert_eq!(fixture.states().get("ok"), Some(&left), "{subject}");
    }
    assert_eq!(fixture.states(), [("ok", 400), ("shredded", 800)].into());
}

#[tokio::test]
async fn blocks_hold_the_payloads_of_one_key() {
    let fixture = Fixture::new(900).await;
    fixture.packed(NOON + DAY_US).unwrap();
    let mut blocks = Blocks::of(&fixture.unit()).unwrap();
    let (mut count, mut keys) = (0, std::collections::BTreeSet::new());
    while let Some((_, bytes)) = blocks.next().unwrap() {
        let block = block::parse(bytes).unwrap();
        let with_tag = |tag: &block::Tag| {
            fixture.kept.iter().find(|(payload, ..)| payload.digest.contains(&hex::encode(tag))).unwrap()
        };
        assert!(block.tags.iter().all(|tag| with_tag(tag).0.key == block.key));
        assert!(!bytes.windows(5).any(|window| window == b"words"), "in the clear");
        count += 1;
        keys.insert(block.key);
    }
    assert_eq!(keys.len(), 3);
    assert!(count < 12, "{count} blocks of 128 KiB");
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_each_payload_there_once() {
    let mut steps = 0;
    loop {
        let fixture = Fixture::new(400).await;
        atomic::ending::after(fixture.dir.path(), steps);
        let ended = fixture.packed(NOON + DAY_US);
        if !atomic::ending::over(fixture.dir.path()) {
            assert_eq!(ended.unwrap().len(), 1);
            break;
        }
        assert!(ended.is_err(), "step {steps}");
        let unit = units(&fixture.log()).unwrap()[0];
        assert_eq!(count(&fixture.log(), unit).unwrap(), 400, "step {steps}");
        assert_eq!(fixture.states(), [("ok", 400)].into(), "step {steps}");
        // The next start finishes it, or undoes it and begins again.
        fixture.packed(NOON + DAY_US).unwrap();
        assert_eq!(fixture.files(), ["packed/0/seg/00000000000000000000.log"], "step {steps}");
        assert_eq!(fixture.states(), [("ok", 400)].into(), "step {steps}");
        steps += 1;
    }
    assert!(steps > 8, "{steps}");
}

#[tokio::test]
async fn what_does_not_open_is_taken_over_and_a_day_that_cannot_be_read_stays() {
    let fixture = Fixture::new(300).await;
    let keys = fixture.keys.data_keys(&fixture.log());
    keys.living(&owner("ada"), Day::of(NOON).month()).iter().for_each(|id| keys.destroy(id).unwrap());
    let segment = fixture.unit().join("seg/00000000000000000000.log");
    let whole = std::fs::read(&segment).unwrap();
    // A bit of a header, so that nothing can be read there.
    let mut altered = whole.clone();
    altered[9] ^= 1;
    std::fs::write(&segment, altered).unwrap();
    assert_eq!(fixture.packed(NOON + DAY_US).unwrap(), []);
    assert_eq!(fixture.files(), ["seg/00000000000000000000.log"]);

    // The second block is of bob, and is changed by somebody who makes the checksums right.
    std::fs::write(&segment, reframed(&whole)).unwrap();
    let before = fixture.states();
    assert_eq!(before, [("altered", 1), ("ok", 199), ("shredded", 100)].into());
    assert_eq!(fixture.packed(NOON + DAY_US).unwrap().len(), 1);
    assert_eq!(fixture.states(), before);
}

/// The segment with another byte in its second frame.
fn reframed(segment: &[u8]) -> Vec<u8> {
    let (mut out, mut at, mut number) = (Vec::new(), 0, 0);
    while let crate::log::frame::Parsed::Frame(frame) = crate::log::frame::parse(&segment[at..]) {
        let mut bytes = frame.bytes.to_vec();
        if number == 1 {
            *bytes.last_mut().unwrap() ^= 1;
        }
        Frame { bytes: &bytes, ..frame }.encode(&mut out);
        at += frame.size();
        number += 1;
    }
    out
}

#[tokio::test]
async fn what_saves_little_is_left_as_it_is() {
    let mut fixture = Fixture::new(10).await;
    assert!(units(&fixture.log()).unwrap()[0].bytes < MIN_BYTES);
    assert_eq!(fixture.packed(NOON + DAY_US).unwrap(), []);
    let store = fixture.store(NOON);
    for _ in 0..20 {
        let mut noise = vec![0; 20_000];
        getrandom::fill(&mut noise).unwrap();
        let kept = store.seal(&owner("ada"), CLASS, &[Content { name: "result", bytes: &noise }]).unwrap();
        store.write(kept).await.unwrap();
    }
    store.close();
    let files = fixture.files();
    assert_eq!(fixture.packed(NOON + DAY_US).unwrap(), []);
    assert_eq!(fixture.files(), files, "and nothing is left lying about");
    fixture.write(NOON + DAY_US, 400).await;
    assert_eq!(fixture.packed(NOON + 2 * DAY_US).unwrap().len(), 1, "the other day");
    assert_eq!(fixture.states(), [("ok", 410)].into());
}

#[tokio::test]
async fn without_room_or_while_it_is_unwanted_nothing_is_packed() {
    let fixture = Fixture::new(400).await;
    let (files, bytes) = (fixture.files(), units(&fixture.log()).unwrap()[0].bytes);
    let store = fixture.store(NOON + DAY_US);
    let pack = |room: u64| {
        let mut days = Vec::new();
        store.pack(room, &mut |_, day| days.push(day)).unwrap();
        days
    };
    assert_eq!(pack(1_000), []);
    assert_eq!(fixture.files(), files);
    let (paused, again) = (store.pause(), store.pause());
    assert_eq!(pack(bytes), []);
    drop(paused);
    assert_eq!(pack(bytes), []);
    drop(again);
    let [day] = pack(bytes)[..] else { panic!("not packed") };

    let fixture = Fixture::new(400).await;
    let store = fixture.store(NOON + DAY_US);
    for (room, is_packed) in [(day.after / 2, false), (bytes, true)] {
        let mut is_done = false;
        store.pack(room, &mut |_, _| is_done = true).unwrap();
        assert_eq!(is_done, is_packed, "{room}");
    }
    let fixture = Fixture::new(400).await;
    let store = fixture.store(NOON + DAY_US);
    store.close();
    store.pack(u64::MAX, &mut |_, _| panic!("packed after the end")).unwrap();
}

#[tokio::test]
async fn a_unit_that_is_written_is_not_packed_and_one_that_is_packed_can_be_written() {
    let fixture = Fixture::new(400).await;
    let unit = fixture.unit();
    let turn = Turn::default();
    turn.open(&unit, || io::Result::Ok(())).unwrap();
    assert!(turn.pack(&unit).is_none());
    turn.closed(&unit);
    let keys = fixture.keys.data_keys(&fixture.log());
    let packing = turn.pack(&unit).unwrap();
    assert!(turn.pack(&unit.join("other")).is_none(), "one at a time");
    turn.open(&unit.join("other"), || io::Result::Ok(())).unwrap();
    assert!(!packing.is_unwanted());
    assert_eq!(packing.finish(|| 1), Some(1));
    turn.open(&unit, || io::Result::Ok(())).unwrap();
    assert!(packing.is_unwanted());
    assert_eq!(packing.finish(|| 1), None);
    assert_eq!(pack(&unit, &keys, &packing, u64::MAX).unwrap(), Ended::GivenUp);
    assert_eq!(fixture.files(), ["seg/00000000000000000000.log"]);
    drop(packing);
    turn.closed(&unit);
    let packing = turn.pack(&unit).unwrap();
    assert!(matches!(pack(&unit, &keys, &packing, u64::MAX).unwrap(), Ended::Packed(_)));
}

#[tokio::test]
async fn a_long_day_gets_several_segments_and_many_persons_a_bounded_window() {
    let fixture = Fixture::new(0).await;
    let store = fixture.store(NOON);
    let mut fixture = fixture;
    for number in 0..3_000 {
        let text = text(number);
        let contents = [Content { name: "result", bytes: text.as_bytes() }];
        let kept = store.seal(&owner(&format!("person {}", number % 1_300)), CLASS, &contents).unwrap();
        fixture.kept.push((kept.payloads[0].clone(), NOON, text));
        store.write_soon(kept).await.unwrap();
    }
    store.close();
    assert_eq!(fixture.packed(NOON + DAY_US).unwrap().len(), 1);
    assert_eq!(fixture.states(), [("ok", 3_000)].into());
}
