//! The guardian's own side: starts the command, waits for its end or the gateway's, passes the exit code on.

use super::{handover, sweep};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{fcntl_dupfd_cloexec, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, WaitStatus, getpid, pidfd_open, set_child_subreaper};
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// How long an adopted orphan stays a zombie at most. Without reaping while running, a server that keeps forking fills
/// the process table.
const REAP_EVERY: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The codes a shell uses: the command was not found; it was found and cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;
/// 128 and SIGKILL: the gateway went first.
const SWEPT: u8 = 128 + 9;

/// Runs one command under guard and returns the code to exit with.
pub(super) fn run(command: &[OsString]) -> u8 {
    match guarded(command) {
        Ok(code) => code,
        Err(error) => {
            // The gateway reads our stderr beside the command's.
            let _ = writeln!(io::stderr(), "guardian: {error}");
            if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE }
        }
    }
}

fn guarded(command: &[OsString]) -> io::Result<u8> {
    let (program, args) = command.split_first().ok_or_else(|| io::Error::other("no command given"))?;
    set_child_subreaper(Some(getpid()))?;
    let Some(child_stdin) = handover::take(stdin())? else {
        return Ok(SWEPT);
    };
    // Close-on-exec: the command must not be able to read what is meant for us, nor know that it is there.
    let liveness = fcntl_dupfd_cloexec(stdin(), 3)?;
    // Signal mask and SIGPIPE go back to their defaults in the child: `Command` does that.
    let child = Command::new(program).args(args).stdin(Stdio::from(child_stdin)).spawn().map_err(|error| {
        io::Error::new(error.kind(), format!("cannot start `{}`: {error}", program.to_string_lossy()))
    })?;
    // The raw pid fits: it came from the kernel.
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let child = child.ok_or_else(|| io::Error::other("the command has no process id"))?;
    let code = release_stdio().and_then(|()| watch(child, &liveness));
    // Whatever happened above, nothing below us may go on.
    sweep::all();
    code
}

/// Lets go of the command's stdout: were we to hold it too, the gateway would never see its end.
fn release_stdio() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(())
}

fn watch(child: Pid, liveness: &OwnedFd) -> io::Result<u8> {
    let end = pidfd_open(child, PidfdFlags::empty())?;
    loop {
        let mut waited = [PollFd::new(liveness, PollFlags::IN), PollFd::new(&end, PollFlags::IN)];
        retry_on_intr(|| poll(&mut waited, Some(&REAP_EVERY)))?;
        // Nothing is ever sent after the start, so anything on the socket is its end.
        let [gateway, _] = &waited;
        if !gateway.revents().is_empty() {
            return Ok(SWEPT);
        }
        if let Some(status) = sweep::reap(child) {
            return Ok(code(status));
        }
    }
}

/// As shells say it: the code, or 128 and the signal.
fn code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_RUNNABLE)
}
