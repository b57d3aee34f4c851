//! Records as they are, one a line.
//!
//! A line is the leaf, byte for byte: its hash is the one in the tree. With `--with-index` a line is
//! `{"index":7,"leaf":` followed by the leaf and `}`.

use super::{Encoder, Format, Selection};
use crate::read::Record;
use std::io::Write as _;
use vocab::Event;

pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    says: "the records' exact bytes, one a line",
    appends: true,
    encoder: |head| Box::new(Lines { selection: head.selection.clone(), with_index: head.with_index }),
};

struct Lines {
    selection: Selection,
    with_index: bool,
}

impl Encoder for Lines {
    fn take(&mut self, record: &Record, event: Option<&Event>, out: &mut Vec<u8>) -> Result<u64, String> {
        // What cannot be read is evidence all the same; only a question about its contents leaves it out.
        let is_meant = event.map_or(self.selection.is_everything(), |event| self.selection.admits(event));
        if !is_meant {
            return Ok(0);
        }
        if record.bytes.contains(&b'\n') {
            return Err(format!("record {} holds a line break and cannot be a line", record.index));
        }
        if self.with_index {
            let _ = write!(out, "{{\"index\":{},\"leaf\":", record.index);
        }
        out.extend_from_slice(&record.bytes);
        if self.with_index {
            out.push(b'}');
        }
        out.push(b'\n');
        Ok(1)
    }
}
