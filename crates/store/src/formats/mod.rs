//! The log in the formats of others: for a spreadsheet, a trace viewer, a SIEM, a data lake.
//!
//! What is written here is derived and can be made again; what proves something is the log. Nothing of a payload, of a
//! purpose or of a person's words is in any of it but `jsonl`, which is the records as they are.
//!
//! | file | idea |
//! |---|---|
//! | `columns` | the members of an event that leave, flat |
//! | `selection` | which records are meant |
//! | `calls` | the events of a call, put together |
//! | `file` | from a log to a file, interrupted and gone on with |
//! | `jsonl`, `csv`, `otlp`, `ocsf`, `parquet` | one format each, in [`ALL`] |

pub mod calls;
pub mod columns;
mod csv;
mod file;
mod jsonl;
pub mod ocsf;
pub mod otlp;
#[cfg(feature = "parquet")]
mod parquet;
mod selection;
#[cfg(test)]
mod tests;
mod time;

pub use file::{Done, Failure, Job};
pub use selection::Selection;

use crate::read::Record;
use vocab::Event;

/// A format of files.
#[derive(Debug)]
pub struct Format {
    /// Its word on the command line and in `export.created`.
    pub name: &'static str,
    /// What it is, in a line.
    pub says: &'static str,
    /// Whether an interrupted file is gone on with. Otherwise it is begun anew.
    pub appends: bool,
    encoder: fn(&Head) -> Box<dyn Encoder>,
}

/// Every format there is.
pub static ALL: &[Format] = &[
    jsonl::FORMAT,
    csv::FORMAT,
    otlp::JSON,
    otlp::PROTOBUF,
    ocsf::FORMAT,
    #[cfg(feature = "parquet")]
    parquet::FORMAT,
];

/// The format of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Format> {
    ALL.iter().find(|format| format.name == name)
}

/// What a whole file has in common.
#[derive(Clone, Debug)]
struct Head {
    origin: String,
    selection: Selection,
    /// Records are wrapped with their index, where a format has a choice.
    with_index: bool,
}

/// Turns records, in order, into the bytes of a file.
///
/// What it writes depends on the records alone, and on where it is told to [`flush`](Self::flush): that is what makes an
/// interrupted file equal to one that was not.
trait Encoder {
    /// What a file begins with.
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), String> {
        Ok(())
    }

    /// Takes the next record; `event` is what it says, where it can be read. Gives the number of rows written.
    fn take(&mut self, record: &Record, event: Option<&Event>, out: &mut Vec<u8>) -> Result<u64, String>;

    /// Writes what is complete.
    fn flush(&mut self, _out: &mut Vec<u8>) -> Result<(), String> {
        Ok(())
    }

    /// The first record that has to be taken again to go on from here, if it is not the next one.
    fn from(&self) -> Option<u64> {
        None
    }

    /// Writes what remains. Gives the number of rows written.
    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<u64, String> {
        Ok(0)
    }
}
