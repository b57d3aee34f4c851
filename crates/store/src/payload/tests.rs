//! What tests of others do to packed days.

use super::{DataKeys, PayloadStore, Place, Unit, block, blocks::Blocks, unit};
use crate::{Clock, Keys, log::frame::Frame};
use std::path::Path;

/// Packs every day before this time.
pub(crate) fn pack(log: &Path, keys: &Keys, now: i64) {
    let store = PayloadStore::new(log, keys, Clock::manual(now).0, 1024 * 1024);
    let mut days = 0;
    store.pack(u64::MAX, &mut |_, _| days += 1).unwrap();
    assert!(days > 0, "nothing was packed");
}

/// The first two payloads of a packed unit with one block change places, by somebody who has the key and makes everything right
/// that can be made right. They are equally long.
pub(crate) fn swap_first_two(log: &Path, keys: &DataKeys, unit: Unit) {
    let dir = Place::of_log(log).unit(unit.class, unit.day);
    let mut blocks = Blocks::of(&dir).unwrap();
    let bytes = blocks.next().unwrap().unwrap().1.to_vec();
    assert!(blocks.next().unwrap().is_none(), "one block");
    let block = block::parse(&bytes).unwrap();
    let key = keys.with_id(&block.key).unwrap().unwrap();
    let opened = block.open(&key).unwrap();
    let texts: Vec<_> = (0..opened.count()).map(|place| opened.at(place).unwrap()).collect();
    assert_eq!(texts[0].1.len(), texts[1].1.len());
    let order = [1, 0].into_iter().chain(2..texts.len());
    let salts: Vec<u8> = texts.iter().flat_map(|(salt, _)| salt.to_vec()).collect();
    let lengths = texts.iter().flat_map(|(_, text)| u32::try_from(text.len()).unwrap().to_le_bytes());
    let kept: Vec<u8> = lengths.chain(order.flat_map(|place| texts[place].1.to_vec())).collect();
    // Kept as it is, not compressed: the head says so.
    let mut head = block.context.to_vec();
    head[3] = 0;
    let sealed = key.sealer().seal(&[salts, kept].concat(), &head).unwrap();
    let mut segment = Vec::new();
    for (index, frame) in unit::frames(&[head, sealed].concat()).into_iter().enumerate() {
        Frame { place: 0, index: index as u64, epoch: 1, bytes: &frame }.encode(&mut segment);
    }
    std::fs::write(dir.join("packed/0/seg/00000000000000000000.log"), segment).unwrap();
}
