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

/// A block of a packed day: `0` is its key.
fn packed_blocks(fixture: &Fixture) -> Vec<(String, usize)> {
    let mut blocks = Blocks::of(&fixture.unit()).unwrap();
    let mut found = Vec::new();
    while let Some((_, bytes)) = blocks.next().unwrap() {
        found.push((block::parse(bytes).unwrap().key, bytes.len()));
    }
    found
}

#[tokio::test]
async fn a_long_day_gets_several_segments_and_many_persons_a_bounded_window() {
    const PERSONS: usize = 60;
    let wide = Limits { window: usize::MAX, keys: usize::MAX, segment_bytes: u64::MAX };
    for (limits, is_bounded) in [
        (wide, false),
        // Of more than ten persons, one has to go before the next comes.
        (Limits { keys: 10, ..wide }, true),
        (Limits { window: 8 * 1024, ..wide }, true),
        (Limits { segment_bytes: 2 * 1024, ..wide }, false),
    ] {
        let mut fixture = Fixture::new(0).await;
        let store = fixture.store(NOON);
        for number in 0..4 * PERSONS {
            let text = text(number);
            let contents = [Content { name: "result", bytes: text.as_bytes() }];
            let kept = store.seal(&owner(&format!("person {}", number % PERSONS)), CLASS, &contents).unwrap();
            fixture.kept.push((kept.payloads[0].clone(), NOON, text));
            store.write_soon(kept).await.unwrap();
        }
        store.close();
        let (keys, turn) = (fixture.keys.data_keys(&fixture.log()), Turn::default());
        let ended = pack_within(limits, &fixture.unit(), &keys, &turn.pack(&fixture.unit()).unwrap(), u64::MAX);
        assert!(matches!(ended.unwrap(), Ended::Packed(_)));
        assert_eq!(fixture.states(), [("ok", 4 * PERSONS)].into());

        let blocks = packed_blocks(&fixture);
        let keys: std::collections::BTreeSet<_> = blocks.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), PERSONS);
        // What has to be sealed before its block is full makes more of them.
        assert_eq!(blocks.len() > PERSONS, is_bounded, "{} blocks", blocks.len());
        let segments: Vec<u64> =
            fixture.files().iter().map(|file| std::fs::metadata(fixture.unit().join(file)).unwrap().len()).collect();
        assert_eq!(segments.len() > 1, limits.segment_bytes < u64::MAX, "{segments:?}");
        let longest = blocks.iter().map(|(_, bytes)| *bytes as u64).max().unwrap() + 2 * HEADER_BYTES as u64;
        let most = limits.segment_bytes.saturating_add(longest);
        assert!(segments.iter().all(|bytes| *bytes < most), "{segments:?}");
    }
}

#[tokio::test]
async fn a_reader_that_looked_before_finds_everything_at_any_step() {
    for steps in 0.. {
        let fixture = Fixture::new(150).await;
        let keys = fixture.keys.data_keys(&fixture.log());
        let mut reader = PayloadReader::new(&fixture.log());
        let mut blocks = Blocks::of(&fixture.unit()).unwrap();
        assert!(blocks.next().unwrap().is_some());
        let (payload, t, _) = &fixture.kept[0];
        assert!(reader.is_there(payload, *t).unwrap());
        atomic::ending::after(fixture.dir.path(), steps);
        let _ = fixture.packed(NOON + DAY_US);
        let ended = !atomic::ending::over(fixture.dir.path());
        for (payload, t, text) in &fixture.kept {
            let found = reader.read(payload, *t, &keys).unwrap();
            assert_eq!(found, Found::Text(text.clone().into_bytes().into()), "step {steps}");
        }
        // A segment that is being read stays readable to its end.
        let mut left = 1;
        while blocks.next().unwrap().is_some() {
            left += 1;
        }
        assert_eq!((left, blocks.damaged()), (150, None), "step {steps}");
        if ended {
            assert!(steps > 8, "{steps}");
            break;
        }
    }
}

#[tokio::test]
async fn readers_find_everything_while_a_day_is_packed() {
    let fixture = Fixture::new(300).await;
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut rounds = 0;
            while rounds == 0 || !is_done.load(std::sync::atomic::Ordering::Acquire) {
                assert_eq!(fixture.states(), [("ok", 300)].into());
                rounds += 1;
            }
        });
        let packed = fixture.packed(NOON + DAY_US);
        is_done.store(true, std::sync::atomic::Ordering::Release);
        reading.join().unwrap();
        assert_eq!(packed.unwrap().len(), 1);
    });
    assert_eq!(fixture.states(), [("ok", 300)].into());
}

#[tokio::test]
async fn a_reader_that_cannot_remember_every_place_looks_for_the_others() {
    let fixture = Fixture::new(40).await;
    let keys = fixture.keys.data_keys(&fixture.log());
    let mut reader = PayloadReader::remembering(&fixture.log(), 7);
    for (payload, t, text) in &fixture.kept {
        assert_eq!(reader.read(payload, *t, &keys).unwrap(), Found::Text(text.clone().into_bytes().into()));
    }
}

/// Whoever has the key can seal what no record commits to: that is altered, before a day is packed and after.
#[tokio::test]
async fn texts_swapped_under_the_right_key_stay_altered() {
    let mut fixture = Fixture::new(0).await;
    let store = fixture.store(NOON);
    let contents = [Content { name: "one", bytes: b"yes" }, Content { name: "two", bytes: b"no!" }];
    let kept = store.seal(&owner("ada"), CLASS, &contents).unwrap();
    for (payload, text) in kept.payloads.iter().zip(["yes", "no!"]) {
        fixture.kept.push((payload.clone(), NOON, text.to_owned()));
    }
    let key = store.keys().of(&owner("ada"), Day::of(NOON).month()).unwrap();
    store.write(kept).await.unwrap();
    for number in 0..150 {
        let text = text(number);
        let contents = [Content { name: "result", bytes: text.as_bytes() }];
        let kept = store.seal(&owner("bob"), CLASS, &contents).unwrap();
        fixture.kept.push((kept.payloads[0].clone(), NOON, text));
        store.write_soon(kept).await.unwrap();
    }
    store.close();
    assert_eq!(fixture.states(), [("ok", 152)].into());
    let segment = fixture.unit().join("seg/00000000000000000000.log");
    let swapped = each_block(&std::fs::read(&segment).unwrap(), |bytes| {
        let block = block::parse(bytes).unwrap();
        if block.tags.len() != 2 {
            return None;
        }
        let mut plain = key.sealer().open(block.sealed, block.context).unwrap();
        let half = plain.len() / 2;
        plain.rotate_left(half);
        Some([block.context, &key.sealer().seal(&plain, block.context).unwrap()].concat())
    });
    std::fs::write(&segment, swapped).unwrap();
    let before = fixture.states();
    assert_eq!(before, [("altered", 2), ("ok", 150)].into());
    assert_eq!(fixture.packed(NOON + DAY_US).unwrap().len(), 1);
    assert_eq!(fixture.states(), before);
}

/// The segment with other blocks, each of one frame, where there is another.
fn each_block(segment: &[u8], other: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while let crate::log::frame::Parsed::Frame(frame) = crate::log::frame::parse(&segment[at..]) {
        let bytes =
            other(&frame.bytes[1..]).map_or_else(|| frame.bytes.to_vec(), |new| [&frame.bytes[..1], &new].concat());
        Frame { bytes: &bytes, ..frame }.encode(&mut out);
        at += frame.size();
    }
    out
}

#[tokio::test]
async fn a_power_cut_at_any_step_leaves_each_payload_there() {
    for seed in 0..2 {
        for steps in 0.. {
            let mut fixture = Fixture::new(0).await;
            // Where nothing waits for a disk: what is durable is known here without one.
            if Path::new("/dev/shm").is_dir() {
                fixture.dir = tempfile::tempdir_in("/dev/shm").unwrap();
            }
            fixture.keys = Keys::open(&fixture.dir.path().join("keys"), "mortise.test/a").unwrap();
            fixture.write(NOON, 150).await;
            atomic::ending::power_after(fixture.dir.path(), steps, seed);
            let ended = fixture.packed(NOON + DAY_US);
            if !atomic::ending::over(fixture.dir.path()) {
                assert_eq!(ended.unwrap().len(), 1);
                assert_eq!(fixture.states(), [("ok", 150)].into());
                assert!(steps > 12, "{steps}");
                break;
            }
            assert_eq!(fixture.states(), [("ok", 150)].into(), "step {steps}, seed {seed}");
            fixture.packed(NOON + DAY_US).unwrap();
            assert_eq!(fixture.files(), ["packed/0/seg/00000000000000000000.log"], "step {steps}, seed {seed}");
            assert_eq!(fixture.states(), [("ok", 150)].into(), "step {steps}, seed {seed}");
        }
    }
}

#[tokio::test]
async fn what_is_packed_survives_the_power_that_goes_then() {
    let fixture = Fixture::new(150).await;
    for seed in 0..4 {
        let copy = fixture.dir.path().join(format!("copy {seed}"));
        std::fs::create_dir(&copy).unwrap();
        let status = std::process::Command::new("cp").arg("-r").arg(fixture.log()).arg(copy.join("log")).status();
        assert!(status.unwrap().success());
        let there = || {
            let (mut reader, keys) = (PayloadReader::new(&copy.join("log")), fixture.keys.data_keys(&fixture.log()));
            let found = fixture.kept.iter().map(|(payload, t, _)| reader.read(payload, *t, &keys).unwrap());
            found.filter(|found| matches!(found, Found::Text(_))).count()
        };
        assert_eq!(there(), 150);
        atomic::ending::power_after(&copy, u64::MAX, seed);
        let store = PayloadStore::new(&copy.join("log"), &fixture.keys, Clock::manual(NOON + DAY_US).0, 1024 * 1024);
        let mut days = 0;
        store.pack(u64::MAX, &mut |_, _| days += 1).unwrap();
        atomic::ending::power_goes(&copy);
        assert_eq!((days, there()), (1, 150), "seed {seed}");
    }
}
