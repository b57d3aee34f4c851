use super::*;
use crate::payload::block::{self, Altered, Digest};

const ID: &str = "0123456789abcdef0123456789abcdef";
const SALTS: [[u8; SALT]; 3] = [[1; SALT], [2; SALT], [3; SALT]];

fn pile(texts: &[&[u8]]) -> (Pile, Vec<Digest>) {
    let mut pile = Pile::default();
    for (salt, text) in SALTS.iter().zip(texts) {
        pile.add(salt, text);
    }
    (pile, SALTS.iter().zip(texts).map(|(salt, text)| digest(salt, text)).collect())
}

fn text(block: &[u8], key: &DataKey, digest: &Digest) -> Option<Result<Vec<u8>, Altered>> {
    let block = block::parse(block)?;
    let place = block.place(digest)?;
    Some(block.open(key).and_then(|opened| opened.text(place, digest)).map(|text| text.to_vec()))
}

/// A block as a forger who has the key makes it: this head, and these bytes sealed under it.
fn forged(key: &DataKey, stored: u8, count: u32, length: u32, tags: &[Tag], plain: &[u8]) -> Vec<u8> {
    let head = [&b"MP\x02"[..], &[stored], &key.id_bytes(), &count.to_le_bytes(), &length.to_le_bytes()].concat();
    let head = [head, tags.concat()].concat();
    let sealed = key.sealer().seal(plain, &head).unwrap();
    [head, sealed].concat()
}

#[test]
fn payloads_come_back_compressed_or_not() {
    let (key, other) = (DataKey::drawn(ID), DataKey::drawn("00"));
    let mut random = vec![0; 10_000];
    getrandom::fill(&mut random).unwrap();
    for (texts, is_small) in
        [([&b"again and again. ".repeat(1_000)[..], b"", b"end"], true), ([&random, b"", b"x"], false)]
    {
        let (pile, digests) = pile(&texts);
        let block = pile.seal(&key).unwrap();
        assert_eq!((block.len() < 1_000, block[3]), (is_small, u8::from(is_small)));
        assert!(pile.is_in(&block, &key));
        for (digest, expected) in digests.iter().zip(texts) {
            assert_eq!(text(&block, &key, digest), Some(Ok(expected.to_vec())));
            assert_eq!(text(&block, &other, digest), Some(Err(Altered)));
        }
        assert_eq!(text(&block, &key, &[0; 32]), None);
        let opened = block::parse(&block).unwrap().open(&key).unwrap();
        let salted = opened.salted(1, &digests[1]).unwrap();
        assert_eq!(block::digest_of(&salted), block::to_text(&digests[1]));
    }
}

#[test]
fn what_a_pile_is_in_is_that_and_nothing_else() {
    let key = DataKey::drawn(ID);
    let block = pile(&[b"one", b"two", b"six"]).0.seal(&key).unwrap();
    for others in [&[&b"one"[..], b"two"][..], &[b"one", b"two", b"ten"], &[b"onet", b"wo", b"six"]] {
        assert!(!pile(others).0.is_in(&block, &key), "{others:?}");
    }
    let mut salted = pile(&[b"one", b"two", b"six"]).0;
    salted.salts[40] ^= 1;
    assert!(!salted.is_in(&block, &key));
    assert!(!pile(&[b"one", b"two", b"six"]).0.is_in(&block[1..], &key));
}

#[test]
fn no_flipped_bit_goes_unseen() {
    let key = DataKey::drawn(ID);
    let (pile, digests) = pile(&[&b"some text ".repeat(20)]);
    let block = pile.seal(&key).unwrap();
    for bit in 0..block.len() * 8 {
        let mut altered = block.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(!matches!(text(&altered, &key, &digests[0]), Some(Ok(_))), "bit {bit}");
    }
}

/// As in a block of one call: the record has the whole digest, and whoever has the key cannot make another text of it.
#[test]
fn swapped_texts_and_salts_under_the_right_key_are_altered() {
    let key = DataKey::drawn(ID);
    let (_, digests) = pile(&[b"one", b"two"]);
    let tags: Vec<Tag> = digests.iter().map(tag).collect();
    let lengths = [3_u32.to_le_bytes(), 3_u32.to_le_bytes()].concat();
    let sealed = |salts: [&[u8; SALT]; 2], texts: &[u8]| {
        let plain = [salts[0], salts[1], &lengths[..], texts].concat();
        forged(&key, 0, 2, 14, &tags, &plain)
    };
    let whole = sealed([&SALTS[0], &SALTS[1]], b"onetwo");
    assert_eq!(text(&whole, &key, &digests[1]), Some(Ok(b"two".to_vec())));
    for forged in [sealed([&SALTS[0], &SALTS[1]], b"twoone"), sealed([&SALTS[1], &SALTS[0]], b"onetwo")] {
        for digest in &digests {
            assert_eq!(text(&forged, &key, digest), Some(Err(Altered)));
        }
    }
}

#[test]
fn no_more_is_unpacked_than_is_declared_and_no_more_may_be_declared_than_a_block_has() {
    let key = DataKey::drawn(ID);
    let bomb = zstd::bulk::compress(&vec![0; 64 * 1024 * 1024], 19).unwrap();
    assert!(bomb.len() < 10_000);
    let tags = [[0; 16]];
    let open = |stored, length: u32, kept: &[u8]| {
        let plain = [&SALTS[0][..], kept].concat();
        let block = forged(&key, stored, 1, length, &tags, &plain);
        block::parse(&block).map(|block| block.open(&key).is_ok())
    };
    let longest = u32::try_from(MAX_LENGTH).unwrap();
    assert_eq!(open(1, longest, &bomb), Some(false), "64 MiB do not fit");
    assert_eq!(open(1, longest + 1, &bomb), None, "declared too long");
    let mut text = vec![0; MAX_LENGTH];
    text[..4].copy_from_slice(&(longest - 4).to_le_bytes());
    let packed = zstd::bulk::compress(&text, 1).unwrap();
    assert_eq!(open(1, longest, &packed), Some(true), "the longest");
    assert_eq!(open(1, longest - 1, &packed), Some(false), "longer than declared");
    let whole = [&4_u32.to_le_bytes()[..], b"text"].concat();
    for (declared, is_read) in [(7, false), (8, true), (9, false), (longest, false)] {
        assert_eq!(open(0, declared, &whole), Some(is_read), "{declared} declared, as it is");
        let packed = zstd::bulk::compress(&whole, 1).unwrap();
        assert_eq!(open(1, declared, &packed), Some(is_read), "{declared} declared, compressed");
    }
    text.pop();
    let packed = zstd::bulk::compress(&text, 1).unwrap();
    assert_eq!(open(1, longest, &packed), Some(false), "shorter than declared");
    assert_eq!(open(0, 4, &[0; 4]), Some(true));
    assert_eq!(open(0, 4, &[0; 5]), Some(false));
    assert_eq!(open(2, 4, &[0; 4]), None, "kept in another way");
    // Lengths that lead outside, or leave something over.
    for wrong in [5_u32, 3, u32::MAX] {
        assert_eq!(open(0, 8, &[&wrong.to_le_bytes()[..], b"text"].concat()), Some(false), "{wrong}");
    }
    assert_eq!(open(0, 8, &[&4_u32.to_le_bytes()[..], b"text"].concat()), Some(true));
}

#[test]
fn a_block_has_at_least_one_payload_and_at_most_so_many() {
    let key = DataKey::drawn(ID);
    let parsed = |count: usize| {
        let tags = vec![[0; 16]; count];
        let plain = vec![0; count * (SALT + 4)];
        let block = forged(&key, 0, count as u32, count as u32 * 4, &tags, &plain);
        block::parse(&block).map(|block| block.open(&key).is_ok())
    };
    assert_eq!((parsed(0), parsed(1), parsed(MAX_COUNT), parsed(MAX_COUNT + 1)), (None, Some(true), Some(true), None));
}

#[test]
fn a_pile_is_full_by_bytes_or_by_number() {
    let mut pile = Pile::default();
    pile.add(&SALTS[0], &vec![0; FULL - 5]);
    assert!(!pile.is_full());
    pile.add(&SALTS[0], b"");
    assert!(pile.is_full());
    let mut pile = Pile::default();
    for _ in 0..MAX_COUNT - 1 {
        pile.add(&SALTS[0], b"");
    }
    assert!(!pile.is_full());
    pile.add(&SALTS[0], b"");
    assert!(pile.is_full());
}
