//! How a command fails: an exit code, one sentence, and what to do.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use store::{ProveError, ReadError, VerifyError};
use vocab::{Diagnostic, Exit, Severity};

/// What to do about a log that is not whole.
const NOT_WHOLE: &str = "`mortise trace verify` says what is wrong with the log";

/// The end of a command that did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One sentence; empty when the output already said it.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Complaints about files.
    pub diagnostics: Vec<Diagnostic>,
    /// The code of a command that was run for somebody, which is passed on in place of ours.
    pub passed_on: Option<u8>,
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A failure with a sentence.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None, diagnostics: Vec::new(), passed_on: None }
    }

    /// The code to end with.
    pub fn code(&self) -> u8 {
        self.passed_on.unwrap_or_else(|| self.exit.code())
    }

    /// Adds what to do.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Invalid configuration or policies.
    pub fn diagnostics(diagnostics: Vec<Diagnostic>) -> Self {
        let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
        let message = format!("{errors} error{} in the project", if errors == 1 { "" } else { "s" });
        Self { diagnostics, ..Self::new(Exit::Configuration, message) }
    }

    /// A file or directory that cannot be read; where it may not be, whose it is.
    pub fn unreadable(path: &Path, error: &io::Error) -> Self {
        let failure = Self::new(Exit::Environment, format!("`{}` cannot be read: {error}", path.display()));
        if error.kind() != io::ErrorKind::PermissionDenied {
            return failure;
        }
        // The nearest part of the path that may be looked at is the one that is closed.
        let found = path.ancestors().find_map(|part| Some((part, std::fs::symlink_metadata(part).ok()?)));
        failure.with_help(match found {
            Some((part, found)) => format!(
                "`{}` belongs to user {}: run this as that user, or have a copy of the log and name it with `--log DIR`",
                part.display(),
                found.uid()
            ),
            None => "run this as the user that the gateway runs as".to_owned(),
        })
    }

    /// A log that does not verify, or that cannot be read as a whole.
    pub fn verification(message: impl Into<String>) -> Self {
        Self::new(Exit::Verification, message).with_help(NOT_WHOLE)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::NoLog(_) => {
                Self::new(Exit::Nothing, error.to_string()).with_help("nothing has been recorded for this project yet")
            }
            ReadError::Io { path, source } => Self::unreadable(path, source),
            ReadError::Short { .. } | ReadError::Checkpoint { .. } => Self::verification(error.to_string()),
        }
    }
}

impl From<ProveError> for Failure {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Read(error) => error.into(),
            ProveError::Unsound(_) => Self::verification(error.to_string()),
            ProveError::NotSealed { .. } | ProveError::Pruned { .. } => Self::new(Exit::Nothing, error.to_string()),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match &error {
            VerifyError::NoLog(_) => Self::new(Exit::Verification, error.to_string()).with_help(
                "is this the directory of a log? Of a project in which nothing was recorded there is none yet",
            ),
            VerifyError::Key(_) => Self::new(Exit::Usage, error.to_string()).with_help(
                "it is the line in `vkey` of the log's directory, and one of those that `mortise keys ls` prints",
            ),
            VerifyError::Io { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                Self::unreadable(path, source)
            }
            VerifyError::Io { .. } | VerifyError::Unreadable(_) => Self::new(Exit::Verification, error.to_string()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Environment, format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Environment, error.to_string())
    }
}
