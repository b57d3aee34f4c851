use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    note::{KeyName, Signer},
    tile::{TileBuilder, TileId, decode_hashes},
    tree::{inclusion_proof, root_at},
};

const ORIGIN: &str = "log.example/a";

fn signer() -> Signer {
    Signer::from_seed(KeyName::parse(ORIGIN).unwrap(), &[7; 32])
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// A real proof: entry `index` of a log of `size`.
fn proof(index: u64, size: u64) -> TlogProof {
    let leaves: Vec<_> = (0..size).map(|i| leaf_hash(&entry(i))).collect();
    let writes = TileBuilder::new().append(&leaves).unwrap();
    let tiles: BTreeMap<TileId, _> =
        writes.into_iter().map(|w| (w.tile, decode_hashes(w.tile, &w.bytes).unwrap())).collect();
    let note = Checkpoint::new(ORIGIN, size, root_at(size, &tiles).unwrap()).unwrap().sign(&[&signer()]).unwrap();
    TlogProof::new(index, inclusion_proof(index, size, &tiles).unwrap(), note).unwrap()
}

fn parse(text: &str) -> Result<TlogProof, ProofTextError> {
    TlogProof::parse(text.as_bytes())
}

#[test]
fn the_layout_is_that_of_the_specification() {
    let proof = proof(2, 3).with_extra(b"more".to_vec()).unwrap();
    let text = proof.format();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra bW9yZQ==", "index 2"]);
    assert_eq!(lines[3], proof.path()[0].to_base64());
    assert_eq!(lines[4..7], ["", ORIGIN, "3"]);
    assert_eq!(lines[8], "");
    assert!(lines[9].starts_with("\u{2014} log.example/a "));
    assert_eq!(lines.len(), 10);
}

#[test]
fn the_checkpoint_comes_back_from_a_good_proof() {
    for (index, size) in [(0, 1), (2, 3), (299, 300), (255, 300), (256, 300)] {
        let proof = parse(&proof(index, size).format()).unwrap();
        let checkpoint = proof.verify(&entry(index), &signer().verifier()).unwrap();
        assert_eq!((checkpoint.size(), checkpoint.origin()), (size, ORIGIN));
        let wrong_place = ProofError::Inclusion(VerifyError::RootMismatch);
        assert_eq!(proof.verify(b"another entry", &signer().verifier()), Err(wrong_place));
    }
}

#[test]
fn malformed_proofs_are_refused() {
    use ProofTextError::*;
    let good = proof(2, 3).with_extra(b"more".to_vec()).unwrap().format();
    let hash = proof(2, 3).path()[0].to_base64();
    assert!(parse(&good).is_ok());
    for (text, error) in [
        (String::new(), NoCheckpoint),
        (good.replace("\n\n", "\n"), NoCheckpoint),
        (good.replace('\n', "\r\n"), Characters),
        (good.replace("more", "mo\0re").replace("index", "ind\0ex"), Characters),
        (good.replace("@v1", "@v2"), Header),
        (format!(" {good}"), Header),
        (good.replace("bW9yZQ==", ""), Extra),
        (good.replace("bW9yZQ==", "bW9yZQ"), Extra),
        (good.replace("extra bW9yZQ==", "extra bW9yZQ==\nextra bW9yZQ=="), Index),
        (good.replace("extra ", "extra"), Index),
        (good.replace("index 2\n", ""), Index),
        (good.replace("index 2", "index 02"), Index),
        (good.replace("index 2", "index -2"), Index),
        (good.replace("index 2", "index 9223372036854775807"), Index),
        (good.replace("index 2", "index  2"), Index),
        (good.replace(&hash, &format!("{hash} ")), Hash { line: 1 }),
        (good.replace(&hash, &format!("{hash}\nAAAA")), Hash { line: 2 }),
        (good.replace(&hash, &[hash.as_str(); 64].join("\n")), TooManyHashes),
        (
            good.replace("\n\nlog", "\n\n\nlog").replace("\n\n\u{2014}", "\n\u{2014}"),
            Checkpoint(NoteError::NoSignatures),
        ),
        (format!("{good}x"), Checkpoint(NoteError::NoSignatures)),
    ] {
        assert_eq!(parse(&text), Err(error), "{text:?}");
    }
    assert!(parse(&good.replace("index 2", "index 9223372036854775806")).is_ok());
    assert!(parse(&good.replace(&hash, &[hash.as_str(); 63].join("\n"))).is_ok());
}

#[test]
fn limits_hold_at_their_edges() {
    let proof = proof(0, 1);
    assert!(proof.clone().with_extra(vec![0; MAX_EXTRA_BYTES]).is_ok());
    assert_eq!(proof.clone().with_extra(vec![0; MAX_EXTRA_BYTES + 1]), Err(ProofTextError::Extra));
    assert_eq!(proof.with_extra(vec![]), Err(ProofTextError::Extra));
    assert_eq!(TlogProof::parse(&vec![b'x'; MAX_PROOF_BYTES + 1]), Err(ProofTextError::TooLong));
    assert_eq!(TlogProof::parse(&vec![b'x'; MAX_PROOF_BYTES]), Err(ProofTextError::NoCheckpoint));

    // The largest proof there can be still reads back.
    let overhead = Note::sign("\n", &[&signer()]).unwrap().format().len() - 1;
    let note = Note::sign(&format!("{}\n", "x".repeat(MAX_NOTE_BYTES - overhead - 1)), &[&signer()]).unwrap();
    let largest = TlogProof::new(MAX_TREE_SIZE - 1, vec![leaf_hash(b""); MAX_PATH_HASHES], note.clone()).unwrap();
    let largest = largest.with_extra(vec![0; MAX_EXTRA_BYTES]).unwrap();
    assert_eq!(parse(&largest.format()), Ok(largest));
    assert_eq!(TlogProof::new(MAX_TREE_SIZE, vec![], note.clone()), Err(ProofTextError::Index));
    assert_eq!(TlogProof::new(0, vec![leaf_hash(b""); 64], note), Err(ProofTextError::TooManyHashes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn proofs_read_back(size in 1u64..40, pick: u64, extra: Option<Vec<u8>>) {
        let mut proof = proof(pick % size, size);
        if let Some(extra) = extra.filter(|extra| !extra.is_empty()) {
            proof = proof.with_extra(extra).unwrap();
        }
        prop_assert_eq!(parse(&proof.format()), Ok(proof));
    }

    #[test]
    fn no_changed_byte_passes(size in 1u64..9, pick: u64, at: prop::sample::Index, flip in 1u8..=255) {
        let index = pick % size;
        let mut bytes = proof(index, size).format().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let verdict = TlogProof::parse(&bytes).map(|proof| proof.verify(&entry(index), &signer().verifier()));
        prop_assert!(!matches!(verdict, Ok(Ok(_))), "{:?}", String::from_utf8_lossy(&bytes));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text in "\\PC{0,30}") {
        let _ = TlogProof::parse(&bytes);
        let _ = parse(&format!("{HEADER}\nextra {text}\nindex {text}\n{text}\n\n{text}"));
        let _ = parse(&format!("{HEADER}\nindex 1\n\n{text}\n\n\u{2014} {text}\n"));
    }
}
