//! The words every other crate uses: calls, verdicts, decisions, events, diagnostics.
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows a transport. A value of these types is what
//! has already been parsed; what could not be parsed is a [`Diagnostic`] or an error of the crate that tried.

mod call;
mod decision;
mod diagnostic;
pub mod event;
mod exit;
mod guarded;
pub mod id;
pub mod label;
mod principal;
pub mod redaction;
pub mod shown;
mod tool;
mod verdict;

pub use call::{Call, CallParts, Operation, Target, UNDECLARED};
pub use decision::{Decision, Discharge, Fault, FaultKind, Obligations, Place, Reason, Would};
pub use diagnostic::{Diagnostic, Severity};
pub use event::Event;
pub use exit::Exit;
pub use guarded::{Secret, Untrusted};
pub use label::{Confidentiality, Integrity, Label, Origin};
pub use principal::{Authn, Capture, Mode, Principal, Tier};
pub use tool::{Argument, ArgumentClass, ArgumentKind, Effect, ToolDescription};
pub use verdict::Verdict;

/// The version every event and answer carries.
pub const MORTISE_VERSION: &str = env!("CARGO_PKG_VERSION");
