//! Damage to each kind of file that a log's directory has, and what is said about it.

use super::*;
use crate::{
    Log, LogError, Overlap, Witness, begin_rotation, end_rotation, export,
    fixture::{append, event, open, options, record, reopen, runtime, signer, vkey},
    log::layout::Layout,
};
use proof::{CosignatureVerifier, KeyName, Signer};
use std::path::Path;
use vocab::event::{Kind, MAX_RECORD_BYTES};

fn verdict(dir: &Path) -> Verdict {
    verify(dir, Some(&vkey())).unwrap().verdict
}

/// A log of 304 records with every kind of file: its key was rotated, and a witness cosigned it.
fn everything(dir: &Path) -> CosignatureVerifier {
    let next = Signer::from_seed(signer().name().clone(), &[8; 32]);
    let keys = [signer().verifier(), next.verifier()];
    let (log, _) = open(dir);
    let mut begun = event(Kind::KeyRotated, 0);
    begin_rotation(&mut begun, &keys[0], &keys[1], Overlap { entries: 9, seconds: 9 });
    runtime().block_on(log.rotate(next, begun.to_bytes().unwrap())).unwrap();
    let mut ended = event(Kind::KeyRotated, 1);
    end_rotation(&mut ended, &keys[0]);
    runtime().block_on(log.end_rotation(ended.to_bytes().unwrap())).unwrap();
    append(&log, (2..304).map(|number| record(number, 0)).collect()).unwrap();
    drop(log);
    let witness = tempfile::tempdir().unwrap();
    let witness = Witness::open(witness.path(), &KeyName::parse("w").unwrap()).unwrap();
    let trusted = CosignatureVerifier::from_vkey(&witness.vkey()).unwrap();
    let request = crate::ask_to_cosign(dir, 0).unwrap();
    let signature = witness.cosign(&request, &keys, 77).unwrap();
    crate::keep_cosigned(dir, &trusted, &request.note.with_signature(signature).unwrap()).unwrap();
    trusted
}

/// Files relative to the directory, in order.
fn files(dir: &Path, below: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir.join(below)).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(dir, &path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_flipped_bit_in_any_kind_of_file_is_found_and_the_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let witness = everything(dir.path());
    assert_eq!(verdict(dir.path()), Verdict::Ok);
    let id = witness.id().to_string();
    let cosigned = format!("witnesses/{id}");
    let all = [
        "checkpoint",
        "checkpoints/1",
        "checkpoints/2",
        "checkpoints/304",
        "keys",
        "lock",
        "origin",
        "seg/00000000000000000000.log",
        "tile/0/000",
        "tile/0/001.p/48",
        "tile/1/000.p/1",
        "vkey",
        &cosigned,
    ];
    let mut there = files(dir.path(), "");
    // The next segment, begun or not: zeros that are written again before they are used.
    there.retain(|name| name != "seg/spare");
    assert_eq!(there, all, "a kind of file is not in this test");
    for name in all {
        let path = dir.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        let record_bytes: usize = 3 * (record(2, 0).len() + 24);
        let (length, step) = match name {
            "lock" => continue,
            // As many records as are worth the time; what is behind the last one is tested elsewhere.
            _ if name.starts_with("seg/") => (record_bytes, 7),
            _ if name.starts_with("tile/") => (whole.len(), 101),
            _ => (whole.len(), 1),
        };
        for at in (0..length).step_by(step) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, &bytes).unwrap();
            let found = verdict(dir.path());
            match &found {
                Verdict::Altered { place: Place::Record(_), .. } if name.starts_with("seg/") => {}
                // What is signed by both keys, one of which was made unknown; a list with another key, or another name.
                Verdict::Missing { place: Place::File(file), .. } if ["checkpoints/1", "keys"].contains(&name) => {
                    assert_eq!(file, Path::new(name), "byte {at}");
                }
                Verdict::Altered { place: Place::File(file), .. } => assert_eq!(file, Path::new(name), "byte {at}"),
                // The witness's own signature, which only who knows its key can check.
                Verdict::Ok if name == cosigned => {
                    let said = crate::cosigned(dir.path(), &witness).unwrap_err().to_string();
                    assert!(said.contains(&cosigned), "byte {at}: {said}");
                }
                other => panic!("byte {at} of `{name}`: {other:?}"),
            }
        }
        std::fs::write(&path, &whole).unwrap();
    }
    // The lock says only who holds it, and the next segment is written again: neither is part of what was recorded.
    for name in ["lock", "seg/spare"] {
        std::fs::write(dir.path().join(name), b"noise").unwrap();
    }
    assert_eq!(verdict(dir.path()), Verdict::Ok);
}

#[test]
fn a_log_cut_off_anywhere_is_missing_its_end_and_not_altered() {
    let dir = tempfile::tempdir().unwrap();
    crate::fixture::closed(dir.path(), 3);
    let segment = Layout::new(dir.path()).segment(0);
    let whole = std::fs::read(&segment).unwrap();
    let frame = record(0, 0).len() + 24;
    for at in 0..3 * frame {
        let first = u64::try_from(at / frame).unwrap();
        // The file ends there, or zeros are what follows.
        let mut zeroed = whole.clone();
        zeroed[at..].fill(0);
        for (how, bytes) in [("cut", &whole[..at]), ("zeroed", &zeroed)] {
            std::fs::write(&segment, bytes).unwrap();
            let found = verdict(dir.path());
            let is_missing = matches!(&found, Verdict::Missing { place: Place::Record(index), .. } if *index == first);
            assert!(is_missing, "{how} at {at}: {found:?}");
            let opened = Log::open(dir.path(), &options(), signer(), &mut |_, _| {});
            let refused = matches!(&opened, Err(crate::OpenError::Missing { index, sealed: 3 }) if *index == first);
            assert!(refused, "{how} at {at}: {opened:?}");
        }
    }
    // The last record, there to its last byte, and changed in its header.
    let mut longer = whole.clone();
    longer[2 * frame + 4] ^= 0x80;
    std::fs::write(&segment, longer).unwrap();
    assert!(matches!(verdict(dir.path()), Verdict::Altered { place: Place::Record(2), .. }));
}

#[test]
fn a_segment_cut_off_in_the_middle_of_a_log_is_missing_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    for number in 0..12 {
        append(&log, vec![record(number, 40_000)]).unwrap();
    }
    drop(log);
    let segment = Layout::new(dir.path()).segment(0);
    let whole = std::fs::read(&segment).unwrap();
    for at in [80_100, 100_000, 120_000] {
        std::fs::write(&segment, &whole[..at]).unwrap();
        let found = verdict(dir.path());
        assert!(matches!(found, Verdict::Missing { place: Place::Record(2), .. }), "{at}: {found:?}");
    }
}

#[test]
fn the_longest_record_is_kept_and_a_longer_one_refused_without_harm() {
    let dir = tempfile::tempdir().unwrap();
    // The text's name and quotes take ten bytes beside it.
    let longest = record(0, MAX_RECORD_BYTES - 10);
    assert_eq!(longest.len(), 65_535);
    let (log, _) = open(dir.path());
    append(&log, vec![longest.clone()]).unwrap();
    let refused = append(&log, vec![record(1, 0), vec![b'x'; 65_536]]);
    assert_eq!(refused, Err(LogError::RecordTooLong(65_536)));
    assert_eq!(append(&log, vec![longest.clone(), longest.clone()]), Ok(1..3));
    drop(log);
    assert_eq!(verdict(dir.path()), Verdict::Ok);
    let proof = proof::TlogProof::parse(crate::prove(dir.path(), 1).unwrap().as_bytes()).unwrap();
    assert!(proof.verify(&longest, &signer().verifier()).is_ok());
    let to = tempfile::tempdir().unwrap();
    assert_eq!(export(dir.path(), to.path()).unwrap(), 3);
    assert_eq!(reopen(dir.path()).2, vec![longest; 3]);
}
