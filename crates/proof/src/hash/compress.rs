//! SHA-256's compression of one block (FIPS 180-4, sections 4.1.2 and 6.2.2), of eight messages at a time.
//!
//! Written as plain arithmetic on one lane inside a loop over the lanes: all a compiler needs to do the same step of all
//! lanes in one instruction. `fearless_simd` compiles it once more with AVX2 and calls that where the CPU has it, which
//! is the one thing that cannot be said in Rust without `unsafe`. 16 lanes of AVX-512 would be twice as fast again, but
//! the processors that have AVX-512 and no SHA extensions lower their clock for it, and for everything else they run.

use fearless_simd::Level;
#[cfg(target_arch = "x86_64")]
use fearless_simd::Simd;

/// Messages hashed at a time: what a register of AVX2 holds, and two of a smaller one.
pub(super) const LANES: usize = 8;

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 64;

/// The same word of each lane.
pub(super) type Row = [u32; LANES];

/// FIPS 180-4, section 5.3.3.
pub(super) const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// FIPS 180-4, section 4.2.2.
#[rustfmt::skip]
const ROUND: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Takes the next block of each lane into the states.
pub(super) fn compress(level: Level, states: &mut [Row; 8], blocks: &[[u8; BLOCK_BYTES]; LANES]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = level.as_avx2() {
        return avx2.vectorize(
            #[inline(always)]
            || lanes(states, blocks),
        );
    }
    let _ = level;
    lanes(states, blocks);
}

#[inline(always)]
fn lanes(states: &mut [Row; 8], blocks: &[[u8; BLOCK_BYTES]; LANES]) {
    let rows = transposed(blocks);
    for lane in 0..LANES {
        one(states, &rows, lane);
    }
}

/// The blocks' words, word by word instead of lane by lane.
#[inline(always)]
fn transposed(blocks: &[[u8; BLOCK_BYTES]; LANES]) -> [Row; 16] {
    let mut rows = [[0; LANES]; 16];
    for (lane, block) in blocks.iter().enumerate() {
        for (row, word) in rows.iter_mut().zip(block.as_chunks::<4>().0) {
            if let Some(to) = row.get_mut(lane) {
                *to = u32::from_be_bytes(*word);
            }
        }
    }
    rows
}

/// One lane's block. No loop and no branch in here, or the loop around it is not done in lanes.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "arrays of known length: a constant or a number below `LANES`")]
fn one(states: &mut [Row; 8], rows: &[Row; 16], lane: usize) {
    macro_rules! of_lane {
        ($rows:ident: $($i:literal)*) => { [$( $rows[$i][lane] ),*] };
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = of_lane!(states: 0 1 2 3 4 5 6 7);
    let mut w = of_lane!(rows: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);

    macro_rules! round {
        ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $from:literal, $i:literal) => {
            let sum = $e.rotate_right(6) ^ $e.rotate_right(11) ^ $e.rotate_right(25);
            let choice = $g ^ ($e & ($f ^ $g));
            let constant = ROUND[$from + $i];
            let first = $h.wrapping_add(sum).wrapping_add(choice).wrapping_add(constant).wrapping_add(w[$i]);
            let sum = $a.rotate_right(2) ^ $a.rotate_right(13) ^ $a.rotate_right(22);
            let majority = ($a & $b) ^ ($c & ($a ^ $b));
            $d = $d.wrapping_add(first);
            $h = first.wrapping_add(sum).wrapping_add(majority);
        };
    }
    // The names move by one place with each round, instead of the values.
    macro_rules! rounds {
        ($from:literal) => {
            round!(a b c d e f g h, $from, 0);
            round!(h a b c d e f g, $from, 1);
            round!(g h a b c d e f, $from, 2);
            round!(f g h a b c d e, $from, 3);
            round!(e f g h a b c d, $from, 4);
            round!(d e f g h a b c, $from, 5);
            round!(c d e f g h a b, $from, 6);
            round!(b c d e f g h a, $from, 7);
            round!(a b c d e f g h, $from, 8);
            round!(h a b c d e f g, $from, 9);
            round!(g h a b c d e f, $from, 10);
            round!(f g h a b c d e, $from, 11);
            round!(e f g h a b c d, $from, 12);
            round!(d e f g h a b c, $from, 13);
            round!(c d e f g h a b, $from, 14);
            round!(b c d e f g h a, $from, 15);
        };
    }
    // The next 16 words of the message schedule take the place of the ones before.
    macro_rules! expand {
        ($($i:literal)*) => {$(
            let (near, far) = (w[($i + 14) % 16], w[($i + 1) % 16]);
            let far = far.rotate_right(7) ^ far.rotate_right(18) ^ (far >> 3);
            let near = near.rotate_right(17) ^ near.rotate_right(19) ^ (near >> 10);
            w[$i] = w[$i].wrapping_add(far).wrapping_add(w[($i + 9) % 16]).wrapping_add(near);
        )*};
    }
    rounds!(0);
    expand!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    rounds!(16);
    expand!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    rounds!(32);
    expand!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    rounds!(48);

    macro_rules! add {
        ($($i:literal $word:ident)*) => { $( states[$i][lane] = states[$i][lane].wrapping_add($word); )* };
    }
    add!(0 a 1 b 2 c 3 d 4 e 5 f 6 g 7 h);
}
