//! Records that are past their time, and what stays known of them.
//!
//! Only the beginning of a log goes, in whole segments (tlog-tiles, section "Pruning"): the log then has a first index, and
//! its tree is the same tree. What is needed of the records that are gone is in the file `pruned`: their part of the tree's
//! right edge, the keys as they had named them, the retention as they had stated it. The record that tells of the removal
//! has the digest of that file, so that who believes the record believes the file.
//!
//! The order is what makes it safe, and each step is done again after a crash:
//!
//! 1. [`plan`] decides what goes, and checks it against the newest signed checkpoint.
//! 2. [`prepare`] makes `pruned.next` durable, and tiles that could not be made again.
//! 3. The record that tells of it is appended, and a checkpoint over it is signed.
//! 4. [`finish`] gives `pruned.next` the name `pruned`, from which moment the log begins there; then files are removed.
//!
//! | file | idea |
//! |---|---|
//! | `removed` | what a removal is, in the record and in the file |
//! | `prefix` | the file `pruned` |
//! | `survey` | the records of a segment that may go, and the state after them |
//! | `plan` | how far a removal goes |
//! | `act` | the file is replaced, files are removed |

mod act;
mod plan;
pub(crate) mod prefix;
mod removed;
mod survey;

#[cfg(test)]
mod tests;

pub use act::{Finished, finish, prepare};
pub use plan::{Limits, MAX_SEGMENTS, Plan, PruneError, plan};
pub use removed::Removed;
pub(crate) use removed::{RECORDS, Stated};
