//! Removals at every edge, and crashes at every step.

use super::*;
use crate::{
    Log, LogReader, Overlap, Place, Verdict, Witness,
    atomic::ending,
    begin_rotation, end_rotation, export,
    fixture::{append, copy, options, runtime, signer, vkey},
    log::layout::Layout,
    payload::Day,
    prove, verify,
};
use proof::{CosignatureVerifier, KeyName, Signer, TlogProof};
use serde_json::json;
use std::path::Path;
use vocab::{Event, event::Kind};

const DAY_US: i64 = 86_400_000_000;
/// Noon of the first day.
const NOON: i64 = 20_000 * DAY_US + DAY_US / 2;
/// Days that records are kept in these logs.
const DAYS: u32 = 10;
/// Three records of this length fill a segment.
const LONG: usize = 40_000;

fn at(kind: Kind, day: i64) -> Event<'static> {
    Event::new(kind, format!("event-{day}"), NOON + day * DAY_US, "default")
}

fn bytes(mut event: Event<'_>, length: usize) -> Vec<u8> {
    let short = event.to_bytes().unwrap().len();
    event.text = Some("x".repeat(length.saturating_sub(short)).into());
    event.to_bytes().unwrap()
}

fn stated(days: u32) -> Event<'static> {
    let mut event = at(Kind::GatewayStarted, 0);
    event.detail.insert("retention_days".to_owned(), json!({"records": days, "trace_text": 3, "decision_input": 3}));
    event
}

fn opened(dir: &Path) -> Log {
    Log::open(dir, &options(), signer(), &mut |_, _| {}).unwrap().0
}

/// A closed log: a statement, then one long record a day. Segments begin at 0, 3, 6, ...
fn daily(dir: &Path, days: i64) {
    let log = opened(dir);
    append(&log, vec![bytes(stated(DAYS), LONG)]).unwrap();
    for day in 1..days {
        append(&log, vec![bytes(at(Kind::ServerStarted, day), LONG)]).unwrap();
    }
    log.close().unwrap();
}

fn limits(now: i64) -> Limits {
    let t = NOON + now * DAY_US;
    let last = Day::of(t).plus(-i32::try_from(DAYS).unwrap() - 1);
    Limits { last, days: DAYS, t, needed_from: u64::MAX }
}

fn tell(dir: &Path, plan: &Plan) {
    let mut event = Event::new(Kind::StorePruned, "p", plan.removed.t, "default");
    plan.tell(&mut event);
    let log = opened(dir);
    append(&log, vec![event.to_bytes().unwrap()]).unwrap();
    log.close().unwrap();
}

/// A whole removal; the first index afterwards.
fn pruned(dir: &Path, limits: &Limits) -> Option<u64> {
    let plan = plan(dir, limits).unwrap()?;
    prepare(dir, &plan).unwrap();
    tell(dir, &plan);
    assert_eq!(finish(dir).unwrap(), Finished::Done);
    Some(plan.removed.first)
}

fn first(dir: &Path) -> u64 {
    LogReader::open(dir).unwrap().first().unwrap()
}

fn verdict(dir: &Path) -> Verdict {
    verify(dir, Some(&vkey())).unwrap().verdict
}

/// The whole log works: it verifies, opens, grows, and every record that is there can be proved.
fn sound(dir: &Path) {
    assert_eq!(verdict(dir), Verdict::Ok);
    let reader = LogReader::open(dir).unwrap();
    let from = reader.first().unwrap();
    for record in reader.iter_from(0).map(Result::unwrap) {
        assert!(record.index >= from);
        let proof = prove(dir, record.index).unwrap();
        TlogProof::parse(proof.as_bytes()).unwrap().verify(&record.bytes, &signer().verifier()).unwrap();
    }
    let mut seen = Vec::new();
    let (log, recovery) = Log::open(dir, &options(), signer(), &mut |index, _| seen.push(index)).unwrap();
    assert_eq!(seen, (from..recovery.size).collect::<Vec<_>>());
    assert_eq!(recovery.sealed, recovery.size);
    append(&log, vec![bytes(at(Kind::ServerStopped, 90), 0)]).unwrap();
    log.close().unwrap();
    assert_eq!(verdict(dir), Verdict::Ok);
}

#[test]
fn whole_segments_go_when_the_time_of_their_last_record_is_over() {
    let dir = tempfile::tempdir().unwrap();
    daily(dir.path(), 14);
    // The last record of the first segment is of day 2: it is kept to the end of day 12.
    for (now, expected) in [(0, None), (12, None), (13, Some(3)), (15, None), (16, Some(6))] {
        assert_eq!(pruned(dir.path(), &limits(now)), expected, "day {now}");
        sound(dir.path());
    }
    let reader = LogReader::open(dir.path()).unwrap();
    assert_eq!((reader.get(5).unwrap(), reader.get(6).unwrap().is_some()), (None, true));
    assert_eq!(reader.pruned(2).unwrap().unwrap().first, 3);
    let removed = reader.pruned(5).unwrap().unwrap();
    assert_eq!((removed.first, removed.through, removed.days), (6, Day::of(NOON + 5 * DAY_US), DAYS));
    assert_eq!(reader.pruned(6).unwrap(), None);
    assert!(prove(dir.path(), 5).unwrap_err().to_string().starts_with("record 5 was pruned on 2024-"));
    let report = verify(dir.path(), Some(&vkey())).unwrap();
    assert_eq!(report.pruned.map(|found| (found.removed.first, found.earlier)), Some((6, 1)));
    assert!(!dir.path().join("seg/00000000000000000003.log").exists());
}

#[test]
fn the_newest_segment_stays_however_old_it_is() {
    let dir = tempfile::tempdir().unwrap();
    daily(dir.path(), 8);
    assert_eq!(pruned(dir.path(), &limits(1_000)), Some(6));
    sound(dir.path());
    assert!(plan(dir.path(), &Limits { needed_from: 6, ..limits(1_000) }).unwrap().is_none());
    let (one, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    daily(one.path(), 2);
    assert_eq!(pruned(one.path(), &limits(1_000)), None);
    daily(from.path(), 8);
    assert_eq!(pruned(from.path(), &Limits { needed_from: 5, ..limits(1_000) }), Some(3), "a reader is there");
    sound(from.path());
}

#[test]
fn a_removal_goes_by_what_the_record_says_and_by_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    daily(dir.path(), 14);
    let plan = plan(dir.path(), &limits(16)).unwrap().unwrap();
    prepare(dir.path(), &plan).unwrap();
    let missing = |dir: &Path, why: &str| match verdict(dir) {
        Verdict::Missing { place: Place::Record(0), what } => assert!(what.contains(why), "{what}"),
        other => panic!("{why}: {other:?}"),
    };
    // Told by nothing.
    let silent = tempfile::tempdir().unwrap();
    copy(dir.path(), silent.path());
    std::fs::rename(silent.path().join("pruned.next"), silent.path().join("pruned")).unwrap();
    missing(silent.path(), "no record says why");
    assert_eq!(finish(dir.path()).unwrap(), Finished::Nothing, "what is not told is not done");
    assert!(!dir.path().join("pruned.next").exists() && first(dir.path()) == 0);
    // Removed by hand.
    let by_hand = tempfile::tempdir().unwrap();
    copy(dir.path(), by_hand.path());
    std::fs::remove_file(by_hand.path().join("seg/00000000000000000000.log")).unwrap();
    missing(by_hand.path(), "later records are there");
    // Told, and under no checkpoint.
    prepare(dir.path(), &plan).unwrap();
    let log = opened(dir.path());
    let mut event = Event::new(Kind::StorePruned, "p", plan.removed.t, "default");
    plan.tell(&mut event);
    append(&log, vec![event.to_bytes().unwrap()]).unwrap();
    assert_eq!(finish(dir.path()).unwrap(), Finished::Waiting);
    let unsealed = tempfile::tempdir().unwrap();
    copy(dir.path(), unsealed.path());
    std::fs::rename(unsealed.path().join("pruned.next"), unsealed.path().join("pruned")).unwrap();
    missing(unsealed.path(), "is under no checkpoint");
    log.close().unwrap();
    assert_eq!(finish(dir.path()).unwrap(), Finished::Done);
    sound(dir.path());
    // More is gone than it says.
    std::fs::remove_file(dir.path().join("seg/00000000000000000006.log")).unwrap();
    let found = verdict(dir.path());
    assert!(matches!(found, Verdict::Missing { place: Place::Record(6), .. }), "{found:?}");
}

#[test]
fn a_removal_against_the_retention_in_force_is_no_excuse() {
    for (days, now, why) in [
        (DAYS + 1, 16, "they had to be kept for 10 days, not for 11"),
        (DAYS, 15, "the 10 days after 2024-10-09 were not over"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        daily(dir.path(), 14);
        let plan = plan(dir.path(), &Limits { days, t: NOON + now * DAY_US, ..limits(16) }).unwrap().unwrap();
        prepare(dir.path(), &plan).unwrap();
        tell(dir.path(), &plan);
        // As somebody would who goes by his own rule.
        let by_hand = tempfile::tempdir().unwrap();
        copy(dir.path(), by_hand.path());
        std::fs::rename(by_hand.path().join("pruned.next"), by_hand.path().join("pruned")).unwrap();
        match verdict(by_hand.path()) {
            Verdict::Missing { place: Place::Record(0), what } => assert!(what.contains(why), "{what}"),
            other => panic!("{other:?}"),
        }
        // What could not be vouched for is not done.
        let refused = finish(dir.path()).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
        assert_eq!((finish(dir.path()).unwrap(), first(dir.path())), (Finished::Nothing, 0));
        sound(dir.path());
    }
    // Records may commit to what is kept for longer.
    let dir = tempfile::tempdir().unwrap();
    let log = opened(dir.path());
    let mut event = stated(5);
    event.detail.insert("retention_days".to_owned(), json!({"records": 5, "trace_text": DAYS, "decision_input": 3}));
    append(&log, vec![bytes(event, LONG)]).unwrap();
    append(&log, (1..9).map(|day| bytes(at(Kind::ServerStarted, day), LONG)).collect()).unwrap();
    log.close().unwrap();
    assert_eq!(pruned(dir.path(), &limits(13)), Some(3));
    sound(dir.path());
}

#[test]
fn what_was_stated_by_records_that_are_gone_is_still_known() {
    let dir = tempfile::tempdir().unwrap();
    daily(dir.path(), 20);
    // The only statement goes with the first removal, and the record of that with the last.
    for (now, expected) in [(13, 3), (19, 9), (400, 18)] {
        assert_eq!(pruned(dir.path(), &limits(now)), Some(expected));
        sound(dir.path());
    }
    let report = verify(dir.path(), None).unwrap();
    assert_eq!(report.pruned.map(|found| found.earlier), Some(2));
}

#[test]
fn a_crash_at_any_step_is_gone_on_from() {
    let whole = tempfile::tempdir().unwrap();
    daily(whole.path(), 14);
    let plan = plan(whole.path(), &limits(16)).unwrap().unwrap();
    let mut crashes = 0;
    for changes in 0.. {
        let dir = tempfile::tempdir().unwrap();
        copy(whole.path(), dir.path());
        ending::after(dir.path(), changes);
        let prepared = prepare(dir.path(), &plan);
        let was_ended = ending::over(dir.path());
        assert_eq!(was_ended, prepared.is_err());
        if was_ended {
            crashes += 1;
            assert_eq!(verdict(dir.path()), Verdict::Ok);
            assert_eq!(finish(dir.path()).unwrap(), Finished::Nothing);
            assert_eq!(first(dir.path()), 0);
            continue;
        }
        break;
    }
    prepare(whole.path(), &plan).unwrap();
    tell(whole.path(), &plan);
    for changes in 0.. {
        let dir = tempfile::tempdir().unwrap();
        copy(whole.path(), dir.path());
        ending::after(dir.path(), changes);
        let finished = finish(dir.path());
        if !ending::over(dir.path()) {
            finished.unwrap();
            assert_eq!(std::fs::read_dir(dir.path().join("seg")).unwrap().count(), 3 + 1, "three, and a spare one");
            break;
        }
        crashes += 1;
        assert!(finished.is_err());
        // Whatever is left of it: readers, the verifier and the next gateway see one log.
        assert!([0, 6].contains(&first(dir.path())));
        assert_eq!(verdict(dir.path()), Verdict::Ok, "after {changes} changes");
        let reader = LogReader::open(dir.path()).unwrap();
        assert_eq!(reader.iter_from(0).next().unwrap().unwrap().index, first(dir.path()));
        opened(dir.path()).close().unwrap();
        finish(dir.path()).unwrap();
        assert_eq!(first(dir.path()), 6, "after {changes} changes");
        assert!(!dir.path().join("seg/00000000000000000000.log").exists());
        assert!(!dir.path().join("seg/00000000000000000003.log").exists());
        sound(dir.path());
    }
    assert!(crashes > 6, "{crashes}");
}

#[test]
fn a_place_where_a_call_is_open_or_a_key_is_changing_is_none_to_begin_at() {
    let dir = tempfile::tempdir().unwrap();
    let log = opened(dir.path());
    let call = |kind, day| {
        let mut event = at(kind, day);
        event.call = Some("c".into());
        event
    };
    append(&log, vec![bytes(stated(DAYS), LONG)]).unwrap();
    append(&log, (1..5).map(|day| bytes(at(Kind::ServerStarted, day), LONG)).collect()).unwrap();
    append(&log, vec![bytes(call(Kind::ToolDispatch, 5), LONG)]).unwrap();
    append(&log, (6..11).map(|day| bytes(at(Kind::ServerStarted, day), LONG)).collect()).unwrap();
    log.close().unwrap();
    let first = |dir: &Path| plan(dir, &limits(500)).unwrap().map(|plan| plan.removed.first);
    // Segments begin at 0, 3, 6 and 9; the call was dispatched in the second.
    assert_eq!(first(dir.path()), Some(3), "nobody knows what became of the call");
    let log = opened(dir.path());
    append(&log, vec![bytes(call(Kind::ToolResult, 11), 0)]).unwrap();
    log.close().unwrap();
    assert_eq!(first(dir.path()), Some(9));

    let dir = tempfile::tempdir().unwrap();
    daily(dir.path(), 4);
    let next = Signer::from_seed(signer().name().clone(), &[8; 32]);
    let keys = [signer().verifier(), next.verifier()];
    let log = opened(dir.path());
    let mut begun = at(Kind::KeyRotated, 4);
    begin_rotation(&mut begun, &keys[0], &keys[1], Overlap { entries: 900, seconds: 900 });
    runtime().block_on(log.rotate(next, begun.to_bytes().unwrap())).unwrap();
    append(&log, (5..13).map(|day| bytes(at(Kind::ServerStarted, day), LONG)).collect()).unwrap();
    log.close().unwrap();
    drop(log);
    assert_eq!(first(dir.path()), Some(3), "both keys sign");
    let both = vec![signer(), Signer::from_seed(signer().name().clone(), &[8; 32])];
    let log = Log::open(dir.path(), &options(), both, &mut |_, _| {}).unwrap().0;
    let mut ended = at(Kind::KeyRotated, 13);
    end_rotation(&mut ended, &keys[0]);
    runtime().block_on(log.end_rotation(ended.to_bytes().unwrap())).unwrap();
    append(&log, (14..20).map(|day| bytes(at(Kind::ServerStarted, day), LONG)).collect()).unwrap();
    log.close().unwrap();
    assert!(first(dir.path()) > Some(13));
}

/// Over a thousand short records, so that there are tiles of three kinds: gone, kept for a checkpoint, cut.
#[test]
fn keys_and_cosignatures_of_records_that_are_gone_are_still_proved_and_flipped_bits_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let next = Signer::from_seed(signer().name().clone(), &[8; 32]);
    let keys = [signer().verifier(), next.verifier()];
    let short = |from: i64, to: i64, day| (from..to).map(|_| bytes(at(Kind::ServerStarted, day), 300)).collect();
    let log = opened(path);
    append(&log, vec![bytes(stated(DAYS), 0)]).unwrap();
    append(&log, short(1, 300, 1)).unwrap();
    let mut begun = at(Kind::KeyRotated, 1);
    begin_rotation(&mut begun, &keys[0], &keys[1], Overlap { entries: 9, seconds: 9 });
    runtime().block_on(log.rotate(next, begun.to_bytes().unwrap())).unwrap();
    let mut ended = at(Kind::KeyRotated, 1);
    end_rotation(&mut ended, &keys[0]);
    runtime().block_on(log.end_rotation(ended.to_bytes().unwrap())).unwrap();
    append(&log, short(302, 700, 1)).unwrap();
    log.close().unwrap();
    let witness_dir = tempfile::tempdir().unwrap();
    let witness = Witness::open(witness_dir.path(), &KeyName::parse("w").unwrap()).unwrap();
    let trusted = CosignatureVerifier::from_vkey(&witness.vkey()).unwrap();
    let cosign = |old| {
        let request = crate::ask_to_cosign(path, old).unwrap();
        let signature = witness.cosign(&request, &keys, 77).unwrap();
        crate::keep_cosigned(path, &trusted, &request.note.with_signature(signature).unwrap()).unwrap();
    };
    cosign(0);
    let open = || {
        let next = Signer::from_seed(signer().name().clone(), &[8; 32]);
        Log::open(path, &options(), next, &mut |_, _| {}).unwrap().0
    };
    let log = open();
    append(&log, short(700, 1_500, 1)).unwrap();
    append(&log, short(1_500, 2_000, 30)).unwrap();
    log.close().unwrap();
    let plan = plan(path, &limits(30)).unwrap().unwrap();
    let at = plan.removed.first;
    assert!(at > 1_024 && at < 1_500 && !at.is_multiple_of(256), "{at}");
    prepare(path, &plan).unwrap();
    let mut event = Event::new(Kind::StorePruned, "p", plan.removed.t, "default");
    plan.tell(&mut event);
    let log = open();
    append(&log, vec![event.to_bytes().unwrap()]).unwrap();
    log.close().unwrap();
    assert_eq!(finish(path).unwrap(), Finished::Done);

    for key in &keys {
        assert_eq!(verify(path, Some(&key.to_vkey())).unwrap().verdict, Verdict::Ok);
    }
    let there = |name: &str| path.join(name).exists();
    assert_eq!([0, 1, 2, 3, 4].map(|tile| there(&format!("tile/0/{tile:03}"))), [false, true, true, false, true]);
    // A handover, another one, and what the witness cosigned.
    assert_eq!([301, 302, 700].map(|size| there(&format!("checkpoints/{size}"))), [true, false, true]);
    // The witness goes on from what it cosigned of the records that are gone.
    cosign(700);
    cosign(2_001);
    let listed = crate::log_keys(path).unwrap();
    assert_eq!(listed.iter().map(|key| (key.span.from, key.since)).collect::<Vec<_>>(), [(0, None), (301, None)]);
    let to = tempfile::tempdir().unwrap();
    assert_eq!(export(path, to.path()).unwrap(), 2_001);
    assert!(to.path().join("tile/entries/005").exists() && !to.path().join("tile/entries/004").exists());

    // Without tiles of what is there, the same are made again.
    let tiles = ["tile/0/005", "tile/0/006", "tile/1/000.p/7"];
    let before = tiles.map(|tile| std::fs::read(path.join(tile)).unwrap());
    for tile in tiles {
        std::fs::remove_file(path.join(tile)).unwrap();
    }
    assert!(prove(path, 1_999).is_ok());
    open().close().unwrap();
    assert_eq!(tiles.map(|tile| std::fs::read(path.join(tile)).unwrap()), before);
    assert_eq!(verify(path, None).unwrap().verdict, Verdict::Ok);

    for (name, step) in
        [("pruned", 37), ("tile/0/001", 101), ("tile/0/002", 101), ("tile/0/004", 101), ("checkpoints/301", 1)]
    {
        let whole = std::fs::read(path.join(name)).unwrap();
        for byte in (0..whole.len()).step_by(step) {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1;
            std::fs::write(path.join(name), flipped).unwrap();
            let found = verify(path, None).unwrap().verdict;
            assert_ne!(found, Verdict::Ok, "byte {byte} of `{name}`");
        }
        std::fs::write(path.join(name), whole).unwrap();
    }
    for name in ["pruned", "tile/0/001", "checkpoints/301"] {
        let whole = std::fs::read(path.join(name)).unwrap();
        std::fs::remove_file(path.join(name)).unwrap();
        assert_ne!(verify(path, None).unwrap().verdict, Verdict::Ok, "without `{name}`");
        std::fs::write(path.join(name), whole).unwrap();
    }
    assert_eq!(verify(path, None).unwrap().verdict, Verdict::Ok);
}

#[test]
fn a_log_that_does_not_verify_keeps_its_beginning() {
    let whole = tempfile::tempdir().unwrap();
    daily(whole.path(), 14);
    // A record replaced together with its checksum: another log's first segment.
    let other = tempfile::tempdir().unwrap();
    let log = opened(other.path());
    append(&log, vec![bytes(stated(DAYS), LONG)]).unwrap();
    append(&log, (1..4).map(|day| bytes(at(Kind::ServerStopped, day), LONG)).collect()).unwrap();
    log.close().unwrap();
    let segment = Layout::new(whole.path()).segment(0);
    std::fs::copy(Layout::new(other.path()).segment(0), &segment).unwrap();
    let refused = plan(whole.path(), &limits(16)).unwrap_err().to_string();
    assert!(refused.contains("not those that were signed") || refused.contains("missing or altered"), "{refused}");
}

#[test]
fn a_reader_in_the_middle_goes_on_where_the_log_begins_then() {
    let dir = tempfile::tempdir().unwrap();
    daily(dir.path(), 14);
    let reader = LogReader::open(dir.path()).unwrap();
    let mut records = reader.iter_from(0);
    assert_eq!(records.next().unwrap().unwrap().index, 0);
    assert_eq!(pruned(dir.path(), &limits(19)), Some(9));
    // The file it reads is still there for it; the next one is not.
    let rest: Vec<u64> = records.map(|record| record.unwrap().index).collect();
    assert_eq!(rest, [1, 2, 9, 10, 11, 12, 13, 14]);
    assert_eq!((reader.len().unwrap(), reader.is_empty().unwrap()), (15, false));
}

#[test]
fn so_many_segments_go_at_once_and_the_rest_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let segments = MAX_SEGMENTS + 2;
    daily(dir.path(), i64::try_from(segments * 3).unwrap());
    let most = u64::try_from(MAX_SEGMENTS * 3).unwrap();
    assert_eq!(pruned(dir.path(), &limits(1_000)), Some(most));
    // The last one stays.
    assert_eq!(pruned(dir.path(), &limits(1_000)), Some(most + 3));
    assert_eq!(verdict(dir.path()), Verdict::Ok);
}
