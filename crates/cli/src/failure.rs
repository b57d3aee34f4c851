//! How a command fails: an exit code, one sentence, and what to do.

use vocab::{Diagnostic, Exit, Severity};

/// The end of a command that did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The code of the complaint, which `mortise explain` knows, where it has one.
    pub code: Option<String>,
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
        Self { exit, code: None, message: message.into(), help: None, diagnostics: Vec::new(), passed_on: None }
    }

    /// The code to end with.
    pub fn exit_code(&self) -> u8 {
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
