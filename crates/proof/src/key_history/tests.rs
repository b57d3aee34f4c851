use super::*;
use crate::{
    hash::leaf_hash,
    note::{KeyName, Signer},
};
use proptest::prelude::*;

fn signer(seed: u8) -> Signer {
    Signer::from_seed(KeyName::parse("log.example/one").unwrap(), &[seed; 32])
}

fn key(seed: u8) -> Verifier {
    signer(seed).verifier()
}

/// Key 1 until 15, key 2 from 11; retired at 13 where that is said.
fn rotated() -> KeyHistory {
    let mut history = KeyHistory::new(key(1));
    history.rotate(10, &key(1), &key(2), 4).unwrap();
    history
}

fn signed(size: u64, by: &[u8]) -> Note {
    let signers: Vec<Signer> = by.iter().map(|seed| signer(*seed)).collect();
    let signers: Vec<&Signer> = signers.iter().collect();
    Checkpoint::new("log.example/one", size, leaf_hash(b"root")).unwrap().sign(&signers).unwrap()
}

#[test]
fn a_signature_counts_only_for_the_sizes_of_its_key() {
    let history = rotated();
    let found = |size, by: &[u8]| history.open(&signed(size, by)).map(|checkpoint| checkpoint.size());
    assert_eq!(found(10, &[1]), Ok(10));
    for size in [11, 15] {
        assert_eq!(found(size, &[1, 2]), Ok(size));
        assert_eq!(found(size, &[2]), Ok(size));
        // Whoever holds the old key alone signs nothing that is believed.
        assert_eq!(found(size, &[1]), Err(SignedError::NotSigned { key: key(2).id().to_string(), size }));
    }
    assert_eq!(found(16, &[2]), Ok(16));
    let outside = |seed, size, from, until: &str| {
        Err(SignedError::OutsideSpan { key: key(seed).id().to_string(), size, from, until: until.to_owned() })
    };
    assert_eq!(found(16, &[1]), outside(1, 16, 0, "15"));
    assert_eq!(found(16, &[1, 2]), outside(1, 16, 0, "15"));
    // Old sizes under a newer key.
    assert_eq!(found(10, &[2]), outside(2, 10, 11, "any"));
    assert_eq!(found(10, &[1, 2]), outside(2, 10, 11, "any"));
    // A key that the log never named.
    assert!(matches!(found(16, &[3]), Err(SignedError::Open(_))));
    assert_eq!(found(16, &[2, 3]), Err(SignedError::Unnamed(key(3).id().to_string())));
    let witness = Signer::from_seed(KeyName::parse("witness.example").unwrap(), &[9; 32]);
    let cosigned = Checkpoint::new("log.example/one", 16, leaf_hash(b"root")).unwrap();
    assert!(history.open(&cosigned.sign(&[&signer(2), &witness]).unwrap()).is_ok());
}

#[test]
fn a_retired_key_signs_nothing_from_then_on() {
    let mut history = rotated();
    assert!(history.is_rotating(10) && history.is_rotating(14) && !history.is_rotating(15));
    assert_eq!(history.retire(10, &key(1)), Err(KeyChangeError::NotUnderWay));
    assert_eq!(history.retire(12, &key(2)), Err(KeyChangeError::NotPresent(key(2).id().to_string())));
    history.retire(13, &key(1)).unwrap();
    assert!(!history.is_rotating(13));
    assert_eq!(history.signing(13).count(), 2);
    assert_eq!(history.signing(14).collect::<Vec<_>>(), [&key(2)]);
    assert!(history.open(&signed(14, &[1, 2])).is_err());
    assert_eq!(KeyHistory::new(key(1)).retire(5, &key(1)), Err(KeyChangeError::NotUnderWay));
}

#[test]
fn keys_change_one_at_a_time_and_never_back() {
    let mut history = rotated();
    assert_eq!(history.rotate(14, &key(2), &key(3), 0), Err(KeyChangeError::UnderWay));
    let used = Err(KeyChangeError::Used(key(1).id().to_string()));
    assert_eq!(history.rotate(15, &key(2), &key(1), 0), used);
    let absent = Err(KeyChangeError::NotPresent(key(1).id().to_string()));
    assert_eq!(history.rotate(15, &key(1), &key(3), 0), absent);
    let other = Signer::from_seed(KeyName::parse("other").unwrap(), &[3; 32]).verifier();
    assert_eq!(history.rotate(15, &key(2), &other, 0), Err(KeyChangeError::Name(other.id().to_string())));
    history.rotate(15, &key(2), &key(3), 0).unwrap();
    assert_eq!(history.present(), Some(&key(3)));
    assert_eq!(history.signing(16).collect::<Vec<_>>(), [&key(2), &key(3)]);
    assert!(history.knows(&key(1)) && !history.knows(&key(4)));
}

#[test]
fn histories_read_back_and_others_are_refused() {
    let mut history = rotated();
    assert_eq!(KeyHistory::parse(&history.format()), Ok(history.clone()));
    history.retire(13, &key(1)).unwrap();
    history.rotate(20, &key(2), &key(3), 100).unwrap();
    let text = history.format();
    assert_eq!(KeyHistory::parse(&text), Ok(history));
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = (lines[1], lines[2]);
    for (bad, error) in [
        (String::new(), HistoryError::Form),
        (text.replace("v1", "v2"), HistoryError::Form),
        (text.trim_end().to_owned(), HistoryError::Form),
        (format!("{HEADER}\n"), HistoryError::Form),
        (text.replacen("0 13", "00 13", 1), HistoryError::Line { line: 2, reason: LineError::Form }),
        (format!("{HEADER}\n0\n"), HistoryError::Line { line: 2, reason: LineError::Form }),
        (text.replacen("0 13", "1 13", 1), HistoryError::Order),
        (text.replacen("0 13", "0 9", 1), HistoryError::Order),
        (text.replacen("0 13", "0 -", 1), HistoryError::Order),
        (text.replacen("0 13", "0 21", 1), HistoryError::Order),
        (format!("{HEADER}\n{second}\n{first}\n"), HistoryError::Order),
        (format!("{HEADER}\n{first}\n{first}\n"), HistoryError::Order),
    ] {
        assert_eq!(KeyHistory::parse(&bad), Err(error), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "(?s).{0,60}", line in "[0-9 -]{0,9}") {
        let _ = KeyHistory::parse(&text);
        let _ = KeyHistory::parse(&format!("{HEADER}\n{line}{}\n", key(1).to_vkey()));
    }

    #[test]
    fn what_changes_follow_is_read_back(steps in prop::collection::vec((0u64..50, 0u64..50, any::<bool>()), 0..8)) {
        let mut history = KeyHistory::new(key(0));
        let mut index = 0;
        for (present, (gap, overlap, retires)) in (0u8..).zip(steps) {
            index += gap;
            if history.rotate(index, &key(present), &key(present + 1), overlap).is_err() {
                break;
            }
            if retires {
                index += 1;
                let _ = history.retire(index, &key(present));
            }
        }
        prop_assert_eq!(KeyHistory::parse(&history.format()), Ok(history));
    }
}
