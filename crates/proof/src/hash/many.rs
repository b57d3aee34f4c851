//! Many hashes at once.
//!
//! Leaves and nodes are most of what a log costs its writer and its verifier, and `ring`, which hashes one message at a
//! time, is bound by the length of its chain of dependencies: about 9 cycles a byte on processors without SHA
//! extensions. Messages that do not depend on each other can share the instructions: 8 of them take a third of the time
//! of one after the other. So these hashes, and no others (signatures, HMACs, single hashes stay with `ring`), are
//! computed by our own code where that is faster. It gives what `ring` gives, which is what the tests compare it with.

use fearless_simd::Level;

use super::{EMPTY_ROOT, Hash, LEAF_PREFIX, NODE_PREFIX, compress::LANES, lanes, sha256};

/// Fewer messages than these leave so many lanes idle that one after the other is faster.
const FEWEST_IN_LANES: usize = 3;

/// Longer messages are hashed alone. One that goes on when all others have ended has eight lanes to itself, at less than
/// half the speed of `ring`: this bounds what that costs.
const LONGEST_IN_LANES: usize = 4096;

/// Hashes of leaves, in the order of the records: [`leaf_hash`](crate::leaf_hash) of each.
///
/// Faster than one by one where the processor has AVX2 and no SHA extensions, from 3 records on; best with 32 or more.
#[must_use]
pub fn leaf_hashes<R: AsRef<[u8]>>(records: &[R]) -> Vec<Hash> {
    hashes(Way::best(), LEAF_PREFIX, records.iter().map(AsRef::as_ref))
}

/// Hashes of the nodes above these, in their order: [`node_hash`](crate::node_hash) of each pair. What is left without
/// a sibling is left out.
pub(crate) fn node_hashes(level: &[Hash]) -> Vec<Hash> {
    node_hashes_by(Way::best(), level)
}

fn node_hashes_by(way: Way, level: &[Hash]) -> Vec<Hash> {
    hashes(way, NODE_PREFIX, level.as_chunks::<2>().0.iter().map(children))
}

/// How hashes are computed.
#[derive(Clone, Copy, Debug)]
enum Way {
    OneByOne,
    InLanes(Level),
}

impl Way {
    /// The fastest here.
    fn best() -> Self {
        // Without optimisation there are no lanes, only a slow SHA-256.
        if cfg!(debug_assertions) {
            return Self::OneByOne;
        }
        // Elsewhere nobody has measured.
        #[cfg(target_arch = "x86_64")]
        if !std::arch::is_x86_feature_detected!("sha") && Level::new().as_avx2().is_some() {
            return Self::InLanes(Level::new());
        }
        Self::OneByOne
    }
}

fn hashes<M: AsRef<[u8]>>(way: Way, prefix: [u8; 1], messages: impl ExactSizeIterator<Item = M> + Clone) -> Vec<Hash> {
    let alone = |message: M| sha256(&[&prefix, message.as_ref()]);
    let in_lanes = messages.len() - Some(messages.len() % LANES).filter(|left| *left < FEWEST_IN_LANES).unwrap_or(0);
    let level = match way {
        Way::InLanes(level) if in_lanes > 0 => level,
        _ => return messages.map(alone).collect(),
    };
    let mut hashes = vec![EMPTY_ROOT; messages.len()];
    let mut put = |position: usize, hash| {
        if let Some(to) = hashes.get_mut(position) {
            *to = hash;
        }
    };
    let in_lanes =
        |(position, message): &(usize, M)| *position < in_lanes && message.as_ref().len() <= LONGEST_IN_LANES;
    let [first] = prefix;
    lanes::hash(level, first, messages.clone().enumerate().filter(in_lanes), &mut put);
    for (position, message) in messages.enumerate().filter(|message| !in_lanes(message)) {
        put(position, alone(message));
    }
    hashes
}

fn children([left, right]: &[Hash; 2]) -> [u8; 2 * Hash::LEN] {
    let mut both = [0; 2 * Hash::LEN];
    for (to, hash) in both.as_chunks_mut().0.iter_mut().zip([left, right]) {
        *to = hash.0;
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{leaf_hash, node_hash};
    use proptest::prelude::*;

    /// The lanes, also where they are not the fastest way: with what the processor has, and with what all have.
    fn in_lanes() -> [Way; 2] {
        [Way::InLanes(Level::new()), Way::InLanes(Level::baseline())]
    }

    fn leaves(way: Way, records: &[Vec<u8>]) -> Vec<Hash> {
        hashes(way, LEAF_PREFIX, records.iter())
    }

    fn bytes(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 + seed * 7 + at / 251).to_le_bytes()[0]).collect()
    }

    /// All records, by the library.
    fn expected(records: &[Vec<u8>]) -> Vec<Hash> {
        records.iter().map(|record| leaf_hash(record)).collect()
    }

    #[test]
    fn lanes_match_the_vectors_of_nist() {
        // FIPS 180-2, appendix B. The prefix is the message's first byte.
        for way in in_lanes() {
            let abc = hashes(way, *b"a", [b"bc".as_slice(); 3].into_iter());
            let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
            assert_eq!(abc, [Hash::from_hex(hex).unwrap(); 3]);
            let long = b"bcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
            let two_blocks = hashes(way, *b"a", [long.as_slice(); 9].into_iter());
            let hex = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
            assert_eq!(two_blocks, [Hash::from_hex(hex).unwrap(); 9]);
        }
    }

    #[test]
    fn every_length_around_a_block_is_padded_as_specified() {
        let records: Vec<_> = (0..260).chain(3950..4200).map(|length| bytes(length, length)).collect();
        for way in in_lanes() {
            assert_eq!(leaves(way, &records), expected(&records));
        }
    }

    #[test]
    fn few_records_and_long_ones_keep_their_places() {
        for count in 0..20 {
            let long = [LONGEST_IN_LANES, LONGEST_IN_LANES + 1, 65_535];
            let records: Vec<_> = (0..count).map(|at| bytes(long.get(at % 5).copied().unwrap_or(at), at)).collect();
            for way in in_lanes().into_iter().chain([Way::OneByOne, Way::best()]) {
                assert_eq!(leaves(way, &records), expected(&records), "{count} {way:?}");
            }
            assert_eq!(leaf_hashes(&records), expected(&records));
        }
    }

    #[test]
    fn nodes_are_hashed_in_pairs_and_the_last_one_may_be_alone() {
        for count in 0..70u8 {
            let level: Vec<_> = (0..count).map(|at| leaf_hash(&[at])).collect();
            let expected: Vec<_> = level.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
            for way in in_lanes() {
                assert_eq!(node_hashes_by(way, &level), expected);
            }
            assert_eq!(node_hashes(&level), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn lanes_give_what_the_library_gives(
            records in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..2000),
                    prop::collection::vec(any::<u8>(), 54..=65),
                    prop::collection::vec(any::<u8>(), 119..=129),
                ],
                0..70,
            ),
        ) {
            for way in in_lanes() {
                prop_assert_eq!(leaves(way, &records), expected(&records));
            }
        }
    }
}
