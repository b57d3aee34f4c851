//! One event of OCSF a line, for each call: class API Activity (6003) of OCSF 1.8.0 with the profiles `ai_operation` and
//! `security_control`.
//!
//! OCSF has no class for what agents do; `mapping` says which word of ours is which of theirs. Every column without a
//! place there is in `unmapped`, by our name.

mod mapping;

use super::calls::{Calls, Told};
use super::{Encoder, Format, Head, Selection};
use crate::read::Record;
use vocab::Event;

pub use mapping::event;

pub(super) const FORMAT: Format = Format {
    name: "ocsf",
    says: "OCSF 1.8.0 API Activity (6003), one call a line as JSON",
    appends: true,
    encoder: |head: &Head| {
        let (origin, selection) = (head.origin.clone(), head.selection.clone());
        Box::new(Activities { origin, selection, calls: Calls::default() })
    },
};

struct Activities {
    origin: String,
    selection: Selection,
    calls: Calls,
}

impl Activities {
    fn write(&self, told: &[Told], out: &mut Vec<u8>) -> Result<u64, String> {
        for told in told {
            serde_json::to_writer(&mut *out, &event(&self.origin, told)).map_err(|error| error.to_string())?;
            out.push(b'\n');
        }
        Ok(told.len() as u64)
    }
}

impl Encoder for Activities {
    fn take(&mut self, record: &Record, event: Option<&Event>, out: &mut Vec<u8>) -> Result<u64, String> {
        let Some(event) = event else { return Ok(0) };
        let ended = self.calls.take(record.index, event, self.selection.admits(event));
        self.write(&ended, out)
    }

    fn from(&self) -> Option<u64> {
        self.calls.from()
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<u64, String> {
        let rest = self.calls.finish();
        self.write(&rest, out)
    }
}
