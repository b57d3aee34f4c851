//! The guardian: a small process above every command, so that no descendant outlives Mortise.
//!
//! Contains no sandbox and no policy. It is our own binary re-executed with a hidden first argument; it adopts what its
//! descendants leave behind (`PR_SET_CHILD_SUBREAPER`), sleeps until the command exits or the gateway is gone, then
//! kills everything below it. It needs no privileges, and works where a parent-death signal (bound to a *thread* and
//! not inherited) and process groups (left with `setsid`) do not.
//!
//! | file | side |
//! |---|---|
//! | `spawn` | gateway: starts a guardian for a command |
//! | `guard` | gateway: holds the liveness end, waits, stops |
//! | `stderr` | gateway: what the command writes to stderr |
//! | `handover` | both: the liveness socket and what it carries |
//! | `watch` | guardian: starts the command, watches, passes the exit code on |
//! | `sweep` | guardian: kills and reaps all descendants |
//!
//! # Liveness
//!
//! The guardian's stdin is one end of a socket pair; the other end is held by the gateway alone, close-on-exec. When
//! the gateway ends in any way, `kill -9` included, the kernel closes it and the guardian wakes. The command's own stdin
//! travels over that socket once, at the start. So no descriptor is inheritable beyond stdin, stdout and stderr at any
//! moment, no lock is needed while spawning, and, a socket not being something that `/proc/PID/fd` lets others open
//! again, no descendant can pose as the gateway and keep the guardian asleep.
//!
//! # Limits
//!
//! Linux only; elsewhere starting a command is refused. A guardian that is itself killed with `kill -9` leaves its
//! descendants to the next subreaper.

mod guard;
mod handover;
mod spawn;
mod stderr;
#[cfg(target_os = "linux")]
mod sweep;
#[cfg(target_os = "linux")]
mod watch;

pub use guard::Guard;
pub use spawn::{Command, Guarded, Guardian, OWN_BINARY, SAFE_PATH, SpawnError};
pub use stderr::MAX_STDERR_LINE_BYTES;

use std::ffi::OsString;
use std::process::ExitCode;

/// The first argument that makes our binary a guardian. Hidden: not part of the command line's interface.
pub const GUARDIAN_ARGUMENT: &str = "__guardian";

/// Becomes the guardian if the command line says so: `None` if it does not, else the code to exit with.
///
/// Must be the first thing in `main`: descendants are listed per thread, so the process has to be single-threaded.
pub fn guardian_main(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    if args.next()? != GUARDIAN_ARGUMENT {
        return None;
    }
    let command: Vec<OsString> = args.collect();
    #[cfg(target_os = "linux")]
    let code = watch::run(&command);
    #[cfg(not(target_os = "linux"))]
    let code = {
        drop(command);
        vocab::Exit::Environment as u8
    };
    Some(ExitCode::from(code))
}
