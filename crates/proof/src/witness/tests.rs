use super::*;
use crate::{
    hash::leaf_hash,
    note::{KeyName, Signer},
    tile::{TileBuilder, TileId, decode_hashes},
    tree::consistency_proof,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ORIGIN: &str = "log.example/one";

fn signer() -> Signer {
    Signer::from_seed(KeyName::parse(ORIGIN).unwrap(), &[1; 32])
}

fn builder(size: u64) -> (TileBuilder, BTreeMap<TileId, Vec<Hash>>) {
    let leaves: Vec<Hash> = (0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
    let mut builder = TileBuilder::new();
    let writes = builder.append(&leaves).unwrap();
    let tiles =
        writes.into_iter().map(|write| (write.tile, decode_hashes(write.tile, &write.bytes).unwrap())).collect();
    (builder, tiles)
}

fn seen(size: u64) -> Seen {
    Seen { size, root: builder(size).0.root() }
}

fn request(old: u64, size: u64) -> AddCheckpoint {
    let (builder, tiles) = builder(size);
    let proof = if old == 0 || old == size { Vec::new() } else { consistency_proof(old, size, &tiles).unwrap() };
    let note = Checkpoint::new(ORIGIN, size, builder.root()).unwrap().sign(&[&signer()]).unwrap();
    AddCheckpoint { old, proof, note }
}

fn judged(request: &AddCheckpoint, seen: Option<Seen>) -> Result<u64, Refusal> {
    request.judge(seen, &[signer().verifier()]).map(|checkpoint| checkpoint.size())
}

#[test]
fn a_log_that_grew_is_cosigned() {
    for (last, size) in [(None, 0), (None, 7), (Some(0), 7), (Some(7), 7), (Some(7), 8), (Some(300), 777)] {
        let request = request(last.unwrap_or(0), size);
        assert_eq!(judged(&request, last.map(seen)), Ok(size), "{last:?} {size}");
        let read = AddCheckpoint::parse(request.format().as_bytes()).unwrap();
        assert_eq!(read, request);
    }
}

#[test]
fn a_log_that_forgot_or_rewrote_is_not() {
    assert_eq!(judged(&request(5, 7), Some(seen(6))), Err(Refusal::OtherSize(6)));
    assert_eq!(judged(&request(0, 7), Some(seen(6))), Err(Refusal::OtherSize(6)));
    assert_eq!(judged(&request(5, 7), None), Err(Refusal::OtherSize(0)));
    // Rolled back: the log is smaller than what was cosigned.
    let back = AddCheckpoint { old: 9, ..request(0, 7) };
    assert_eq!(judged(&back, Some(seen(9))), Err(Refusal::OldBeyondNew));
    // Rewritten at the same size, and below a larger one.
    let other = Seen { size: 7, root: leaf_hash(b"another history") };
    assert_eq!(judged(&request(7, 7), Some(other)), Err(Refusal::OtherRoot(7)));
    assert_eq!(judged(&request(7, 9), Some(other)), Err(Refusal::NotGrown));
    // Proofs where there is nothing to prove, and none where there is.
    let spare = vec![leaf_hash(b"x")];
    assert_eq!(judged(&AddCheckpoint { proof: spare.clone(), ..request(0, 7) }, None), Err(Refusal::NotGrown));
    assert_eq!(judged(&AddCheckpoint { proof: spare, ..request(7, 7) }, Some(seen(7))), Err(Refusal::NotGrown));
    assert_eq!(judged(&AddCheckpoint { proof: Vec::new(), ..request(5, 7) }, Some(seen(5))), Err(Refusal::NotGrown));
}

#[test]
fn somebody_elses_checkpoint_is_not_the_logs() {
    let request = request(0, 7);
    let other = Signer::from_seed(KeyName::parse(ORIGIN).unwrap(), &[2; 32]).verifier();
    assert!(matches!(request.judge(None, std::slice::from_ref(&other)), Err(Refusal::NotTheLogs(OpenError::Note(_)))));
    let named = Signer::from_seed(KeyName::parse("log.example/two").unwrap(), &[1; 32]);
    let note = Checkpoint::new(ORIGIN, 0, crate::EMPTY_ROOT).unwrap().sign(&[&named]).unwrap();
    let foreign = AddCheckpoint { old: 0, proof: Vec::new(), note };
    assert!(matches!(foreign.judge(None, &[named.verifier()]), Err(Refusal::NotTheLogs(OpenError::Origin { .. }))));
}

#[test]
fn malformed_requests_are_refused() {
    let good = request(5, 7).format();
    let hash = leaf_hash(b"x").to_base64();
    let refused = |text: &str| AddCheckpoint::parse(text.as_bytes()).unwrap_err();
    assert_eq!(refused(""), RequestError::Old);
    for old in ["old\n", "old 05\n", "old -1\n", "Old 5\n", "old 5 \n", "old 9223372036854775808\n", "old 5"] {
        assert_eq!(refused(&good.replacen("old 5\n", old, 1)), RequestError::Old, "{old:?}");
    }
    assert_eq!(refused("old 5\nno hash\n\n"), RequestError::Hash { line: 2 });
    assert_eq!(refused(&format!("old 5\n{hash}\n")), RequestError::NoCheckpoint);
    assert_eq!(refused("old 5\n\n"), RequestError::Note(NoteError::NoSignatures));
    assert_eq!(refused(&good.replacen("old 5\n", "old 5\r\n", 1)), RequestError::Old);
    let many = |count: usize| format!("old 5\n{}\n{}", format!("{hash}\n").repeat(count), request(0, 7).note.format());
    assert_eq!(AddCheckpoint::parse(many(MAX_CONSISTENCY_HASHES).as_bytes()).unwrap().proof.len(), 63);
    assert_eq!(refused(&many(MAX_CONSISTENCY_HASHES + 1)), RequestError::TooManyHashes);
    assert_eq!(refused(&"x".repeat(MAX_REQUEST_BYTES + 1)), RequestError::TooLong);
}

proptest! {
    #[test]
    fn what_was_cosigned_once_is_part_of_everything_cosigned_later(sizes in prop::collection::vec(0u64..600, 1..6)) {
        let mut last: Option<Seen> = None;
        for size in sizes {
            let old = last.map_or(0, |seen| seen.size);
            if size < old {
                continue;
            }
            let checkpoint = request(old, size).judge(last, &[signer().verifier()]).unwrap();
            last = Some(Seen { size, root: *checkpoint.root() });
            prop_assert_eq!(last, Some(seen(size)));
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
        let _ = AddCheckpoint::parse(&bytes);
        let mut near = request(5, 7).format().into_bytes();
        let at = at.index(near.len());
        near[at] = byte;
        if let Ok(read) = AddCheckpoint::parse(&near) {
            prop_assert_eq!(read.format().into_bytes(), near);
        }
    }
}

#[test]
fn a_witness_that_is_told_the_new_key_follows_a_rotation() {
    let new = Signer::from_seed(KeyName::parse(ORIGIN).unwrap(), &[2; 32]);
    let under = |signers: &[&Signer]| {
        let mut request = request(7, 9);
        request.note = Checkpoint::parse(request.note.text()).unwrap().sign(signers).unwrap();
        request
    };
    let old_only = [signer().verifier()];
    let both = [signer().verifier(), new.verifier()];
    // The overlap: either knowledge is enough.
    assert!(under(&[&signer(), &new]).judge(Some(seen(7)), &old_only).is_ok());
    assert!(under(&[&signer(), &new]).judge(Some(seen(7)), &both).is_ok());
    // After it, only who was told goes on.
    assert!(matches!(under(&[&new]).judge(Some(seen(7)), &old_only), Err(Refusal::NotTheLogs(_))));
    assert!(under(&[&new]).judge(Some(seen(7)), &both).is_ok());
}
