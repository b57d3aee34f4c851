//! What became of an asked call: a state machine over time as an argument, kept in sealed files.
//!
//! ```text
//! Pending --quorum--> Approved --consume--> Consumed
//!    |                   |
//!    +--one refusal--> Denied
//!    +--time-----------> Expired
//! ```
//!
//! Every step is written before it is acted on, so an approval is used once even across a crash.

mod answering;
mod files;
mod held;
mod record;
mod registry;

pub use answering::{AnswerError, MAX_REASON_CHARS};
pub use files::{ApprovalFileError, ApprovalFiles, FOLDER, SealedApprovals};
pub use held::{HELD_US, MAX_HELD, MAX_RESULT_BYTES};
pub use record::{Answer, Approval, Asked, AskedGuard, CallBytes, MAX_CALL_BYTES, Say, State};
pub use registry::{
    Approvals, AskLimits, ConsumeError, HOUR_US, KEPT_US, MAX_KEPT, RequestError, Requested, StoreResultError,
};
