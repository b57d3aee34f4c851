//! Hashing messages of any lengths in lanes: a lane whose message ends takes the next one.

use fearless_simd::Level;

use super::{
    Hash,
    compress::{BLOCK_BYTES, INITIAL, LANES, Row, compress},
};

/// What follows a message: a bit, then zeros, and its length in the last eight bytes of a block.
const PADDING_START: u8 = 0x80;
const LENGTH_BYTES: usize = 8;

/// Hashes `prefix || message` for each message, and gives each digest to `done` with the message's position.
pub(super) fn hash<M: AsRef<[u8]>>(
    level: Level,
    prefix: u8,
    messages: impl Iterator<Item = (usize, M)>,
    mut done: impl FnMut(usize, Hash),
) {
    let mut messages = messages.map(|(position, message)| Running { position, message, block: 0 });
    let mut running = [const { None }; LANES];
    let mut states = [[0; LANES]; 8];
    let mut blocks = [[0; BLOCK_BYTES]; LANES];
    loop {
        let mut idle = true;
        for (lane, (slot, block)) in running.iter_mut().zip(&mut blocks).enumerate() {
            if slot.is_none() {
                *slot = messages.next();
                begin(&mut states, lane);
            }
            // What a lane without a message holds is hashed on and never looked at.
            if let Some(message) = slot {
                message.next_block(prefix, block);
                idle = false;
            }
        }
        if idle {
            return;
        }
        compress(level, &mut states, &blocks);
        for (lane, slot) in running.iter_mut().enumerate() {
            if let Some(ended) = slot.take_if(|message| message.has_ended()) {
                done(ended.position, digest(&states, lane));
            }
        }
    }
}

/// A message on its way through a lane.
struct Running<M> {
    position: usize,
    message: M,
    /// Blocks taken.
    block: usize,
}

impl<M: AsRef<[u8]>> Running<M> {
    /// Writes the next block of the padded message (FIPS 180-4, section 5.1.1).
    fn next_block(&mut self, prefix: u8, block: &mut [u8; BLOCK_BYTES]) {
        let message = self.message.as_ref();
        let start = self.block * BLOCK_BYTES;
        self.block += 1;
        // The prefix is the first byte, so that the message lies one byte further on.
        let rest = start.checked_sub(1).map(|at| message.get(at..).unwrap_or_default());
        if let Some(whole) = rest.and_then(<[u8]>::first_chunk) {
            *block = *whole;
            return;
        }
        *block = [0; BLOCK_BYTES];
        match rest {
            Some(rest) => copy(block, rest),
            None => {
                let [first, behind @ ..] = block;
                *first = prefix;
                copy(behind, message);
            }
        }
        // The padding may begin in the block before, or in the one after.
        if let Some(padding) = (1 + message.len()).checked_sub(start).and_then(|end| block.get_mut(end)) {
            *padding = PADDING_START;
        }
        if self.has_ended()
            && let Some(length) = block.last_chunk_mut::<LENGTH_BYTES>()
        {
            *length = (8 * (1 + message.len() as u64)).to_be_bytes();
        }
    }

    /// Whether all blocks were taken: prefix, message, the padding's first byte and the length.
    fn has_ended(&self) -> bool {
        self.block >= (1 + self.message.as_ref().len() + 1 + LENGTH_BYTES).div_ceil(BLOCK_BYTES)
    }
}

/// As many bytes as both have.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

fn begin(states: &mut [Row; 8], lane: usize) {
    for (row, initial) in states.iter_mut().zip(INITIAL) {
        if let Some(word) = row.get_mut(lane) {
            *word = initial;
        }
    }
}

fn digest(states: &[Row; 8], lane: usize) -> Hash {
    let mut hash = [0; Hash::LEN];
    for (to, row) in hash.as_chunks_mut::<4>().0.iter_mut().zip(states) {
        *to = row.get(lane).copied().unwrap_or_default().to_be_bytes();
    }
    Hash(hash)
}
