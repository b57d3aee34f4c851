//! The second fence around approvals: whoever answers may not be under an agent's control.
//!
//! A process is governed when it is a root - a command Mortise spawned, or the agent host behind a connected shim - or
//! a descendant of one. Processes are told apart by pid *and* start time, since pids come back. What cannot be
//! established counts against the caller. A process that double-forks away from its host escapes this fence; the
//! typed secret is the first one.

mod process_table;
mod read;

pub use process_table::{MAX_ANCESTORS, Process, ProcessEntry, ProcessTable, Standing};
pub use read::{MAX_PROCESSES, ReadProcessesError, read_process_table};
