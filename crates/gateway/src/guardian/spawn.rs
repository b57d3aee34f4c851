//! Starts a command under a guardian.

use super::guard::Guard;
use super::{GUARDIAN_ARGUMENT, handover, stderr};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use thiserror::Error;
use tokio::net::unix::pipe;
use tokio::process::ChildStdout;

/// Where commands are looked for unless their environment says otherwise.
pub const SAFE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command of this name alone is the running binary itself.
pub const OWN_BINARY: &str = "mortise";

/// A command to be started, with everything it gets. Nothing is inherited.
#[derive(Clone, Debug)]
pub struct Command {
    /// What its lines on stderr are filed under: the server's name.
    pub label: String,
    /// Resolved by the `PATH` of `env`, or [`SAFE_PATH`]; [`OWN_BINARY`] is the running binary.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment, values possibly secret.
    pub env: BTreeMap<OsString, OsString>,
    /// Where it starts; `None` for where the gateway runs.
    pub cwd: Option<PathBuf>,
}

/// Starts commands under guard.
#[derive(Clone, Debug)]
pub struct Guardian {
    program: PathBuf,
}

/// A command that runs.
#[derive(Debug)]
pub struct Guarded {
    /// To the command's stdin.
    pub stdin: pipe::Sender,
    /// From its stdout.
    pub stdout: ChildStdout,
    /// Its life: dropping it kills the command and all its descendants.
    pub guard: Guard,
}

/// Why a command could not be started.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// The platform has no guardian.
    #[error("commands can only be started on Linux")]
    Platform,
    /// The guardian could not be started: no such directory, no such binary, no more processes.
    #[error("cannot start a guardian for `{label}`: {error}")]
    Start {
        /// Of the command.
        label: String,
        /// What the system said.
        error: io::Error,
    },
}

impl Guardian {
    /// With the running binary as guardian.
    ///
    /// # Errors
    /// When the system does not say which binary is running.
    pub fn new() -> io::Result<Self> {
        std::env::current_exe().map(Self::at)
    }

    /// With another binary that calls [`super::guardian_main`] first.
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Starts a command. Must be called within a tokio runtime.
    ///
    /// A program that does not exist shows as an exit with code 127, as in a shell.
    ///
    /// # Errors
    /// When the guardian itself cannot be started.
    pub fn spawn(&self, command: &Command) -> Result<Guarded, SpawnError> {
        if cfg!(not(target_os = "linux")) {
            return Err(SpawnError::Platform);
        }
        self.start(command).map_err(|error| SpawnError::Start { label: command.label.clone(), error })
    }

    fn start(&self, command: &Command) -> io::Result<Guarded> {
        // All four descriptors are close-on-exec from birth.
        let (liveness, guardians_end) = UnixStream::pair()?;
        let (stdin_reader, stdin_writer) = io::pipe()?;
        // Sent before there is a reader, so that nothing can fail between the start and the handover.
        handover::give(&liveness, &stdin_reader)?;
        drop(stdin_reader);
        let stdin = pipe::Sender::from_owned_fd(OwnedFd::from(stdin_writer))?;
        let mut process = self.process(command).stdin(OwnedFd::from(guardians_end)).spawn()?;
        let missing = || io::Error::other("the guardian has no output");
        let stdout = process.stdout.take().ok_or_else(missing)?;
        stderr::follow(command.label.clone(), process.stderr.take().ok_or_else(missing)?);
        Ok(Guarded { stdin, stdout, guard: Guard::new(liveness, process) })
    }

    fn process(&self, command: &Command) -> tokio::process::Command {
        let own = command.program == OWN_BINARY;
        let program = if own { self.program.as_os_str() } else { command.program.as_os_str() };
        let mut process = tokio::process::Command::new(&self.program);
        process
            .arg(GUARDIAN_ARGUMENT)
            .arg(program)
            .args(&command.args)
            .env_clear()
            .env("PATH", SAFE_PATH)
            .envs(&command.env)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Not in the terminal's foreground group: Ctrl-C is for the gateway, which then ends us in order.
            .process_group(0);
        if let Some(cwd) = &command.cwd {
            process.current_dir(cwd);
        }
        process
    }
}
