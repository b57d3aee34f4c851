//! What a byte of a leaf costs, one by one and many at once.
//!
//! `cargo bench -p mortise-proof --bench hashes`. Both ways take turns, so that a change of the machine's mood hits both;
//! the fastest of all rounds is printed.
#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

use proof::{TileBuilder, leaf_hash, leaf_hashes};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const ROUNDS: usize = 401;
/// Messages of one round: records that were just read are in a near cache.
const MESSAGES: usize = 256;
/// A usual record.
const BYTES: usize = 800;

fn main() {
    #[cfg(target_arch = "x86_64")]
    println!(
        "avx2: {}, sha: {}, optimised: {}; fastest of {ROUNDS} rounds\n",
        std::arch::is_x86_feature_detected!("avx2"),
        std::arch::is_x86_feature_detected!("sha"),
        !cfg!(debug_assertions),
    );
    println!("| messages | bytes | one by one, ns/byte | at once, ns/byte | ratio |\n|---:|---|---:|---:|---:|");
    for at_once in [1, 2, 3, 4, 8, 9, 12, 16, 30, 64, 256] {
        compare(at_once, "800", |_| BYTES);
    }
    for at_once in [16, 64, 256] {
        compare(at_once, "700-949", |number| 700 + number * 97 % 250);
    }
    tiles();
}

fn compare(at_once: usize, bytes: &str, length: impl Fn(usize) -> usize) {
    let records: Vec<Vec<u8>> = (0..MESSAGES).map(|number| vec![number.to_le_bytes()[0]; length(number)]).collect();
    let total: usize = records.iter().map(Vec::len).sum();
    let (mut single, mut many) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        single = single.min(time(|| {
            for record in &records {
                black_box(leaf_hash(record));
            }
        }));
        many = many.min(time(|| {
            for records in records.chunks(at_once) {
                black_box(leaf_hashes(records));
            }
        }));
    }
    let each = |took: Duration| took.as_secs_f64() * 1e9 / total as f64;
    println!("| {at_once} | {bytes} | {:.2} | {:.2} | {:.2} |", each(single), each(many), each(single) / each(many));
}

/// The nodes above the leaves.
fn tiles() {
    let leaves: Vec<_> = (0..MESSAGES).map(|number| leaf_hash(&number.to_le_bytes())).collect();
    let (mut nodes, mut built) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        nodes = nodes.min(time(|| {
            for pair in leaves.windows(2) {
                let [left, right] = pair else { continue };
                black_box(proof::node_hash(left, right));
            }
        }));
        built = built.min(time(|| {
            let _ = black_box(TileBuilder::new().append(&leaves));
        }));
    }
    let each = |took: Duration| took.as_secs_f64() * 1e9 / MESSAGES as f64;
    println!("\none node alone: {:.0} ns; tiles and their nodes, a leaf: {:.0} ns", each(nodes), each(built));
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
