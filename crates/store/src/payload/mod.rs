//! Payloads: what records commit to and do not contain.
//!
//! ```text
//! pay/<class>/<day>/seg/<first>.log        blocks of one class, written on one day (UTC), in frames as in the log
//! pay/<class>/<day>/packed/<n>/...         the same after that day: compressed, many payloads of one key together
//! pay/keys/<month>/<id>                    a data key, sealed; one for each tenant, subject and month
//! pay/keys/<month>/<id>.gone               where one was destroyed
//! pay/keys/<id>, pay/keys/<id>.gone        the same, as the first Mortise kept them
//! ```
//!
//! A day of a class is what retention removes at once. A data key is what erasure destroys: everything under it is
//! unreadable from then on. Records keep a salted digest, and every proof stays valid.
//!
//! | file | idea |
//! |---|---|
//! | `block` | some payloads of one call, sealed under one data key |
//! | `packed` | payloads of many calls, compressed and sealed under one data key |
//! | `data_keys` | the keys: found, drawn, destroyed |
//! | `day` | days and months |
//! | `unit` | one class on one day, being written |
//! | `parts` | what a unit consists of: as written, and packed |
//! | `blocks` | a unit's blocks, read back |
//! | `writer` | the thread that makes blocks durable |
//! | `packer` | closed days, packed |
//! | `turn` | who may change a unit's files |
//! | `keeper` | what a gateway puts in |
//! | `reader` | what is found again |
//! | `removal` | what is past its time, and what it takes up |

mod block;
mod blocks;
mod data_keys;
mod day;
mod keeper;
mod packed;
mod packer;
mod parts;
mod reader;
mod removal;
mod turn;
mod unit;
mod writer;

pub use block::MAX_PAYLOAD_BYTES;
pub(crate) use block::digest_of;
pub use blocks::Damage;
pub use data_keys::{DataKeyError, DataKeys, Owner};
pub use day::{Day, Month};
pub use keeper::{Content, Kept, PayloadStore, PutError};
pub use packer::PackedDay;
pub use reader::{Found, PayloadReader};
pub use removal::{Unit, bytes_below, count, remove, units};
pub use turn::Paused;

use std::path::{Path, PathBuf};
use vocab::event::PayloadClass;

/// Where payloads lie in a log's directory.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    pub(crate) fn of_log(log: &Path) -> Self {
        Self { root: log.join("pay") }
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub(crate) fn class(&self, class: PayloadClass) -> PathBuf {
        self.root.join(class.as_str())
    }

    pub(crate) fn unit(&self, class: PayloadClass, day: Day) -> PathBuf {
        self.class(class).join(day.to_string())
    }

    /// Days of a class that there is something of, ascending. Names that are no days are left out.
    pub(crate) fn days(&self, class: PayloadClass) -> std::io::Result<Vec<Day>> {
        let entries = match std::fs::read_dir(self.class(class)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut days = Vec::new();
        for entry in entries {
            days.extend(entry?.file_name().to_str().and_then(|name| name.parse::<Day>().ok()));
        }
        days.sort_unstable();
        Ok(days)
    }
}

#[cfg(test)]
pub(crate) mod tests;
