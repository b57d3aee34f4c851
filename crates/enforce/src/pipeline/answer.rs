//! What the transport is given back.

use crate::refusal::Refusal;
use crate::route::Reply;
use vocab::id::CallId;

/// The end of a call, as far as the agent is told.
#[derive(Debug)]
pub enum Answer {
    /// The tool's answer, in its own bytes unless something had to be redacted.
    Reply(Reply),
    /// The call did not run, or its answer is kept back.
    Refused(Box<Refusal>),
    /// The call may or may not have run.
    Failed(Failure),
}

/// A call whose end is not known, or that could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// The call in the log.
    pub call: CallId,
    /// In our words.
    pub text: String,
    /// Whether it may have run.
    pub may_have_run: bool,
}
