//! The append-only log and the gateway's durable state.
//!
//! What this crate does *not* contain: what an event means beyond which call it belongs to, decisions, sockets, any
//! text for people, or a database. It holds bytes and says whether they are the bytes that were written.
//!
//! Reading order: [`Log`] (append, durable before it answers) → [`LogReader`] (read, follow) → [`verify()`] and
//! [`prove()`] (believe) → [`export()`] (for others). Beside it, what a gateway keeps: [`Keys`], [`StateDir`], [`Sealer`], [`LogHasher`], and the
//! [`Clock`]. And what a [`Witness`] of other logs keeps.

mod atomic;
mod calls;
pub mod clock;
mod cosigned;
mod export;
#[cfg(test)]
mod fixture;
mod hasher;
pub mod id;
pub mod keys;
mod listed;
pub mod log;
mod prove;
pub mod read;
pub mod seal;
pub mod state;
mod verify;
mod witness;

pub use clock::{Clock, ManualClock};
pub use cosigned::{Cosigned, Outside, ask_to_cosign, cosigned, keep_cosigned, stamped_outside};
pub use export::{ExportError, export};
pub use hasher::LogHasher;
pub use keys::{Keys, KeysError, SigningFiles};
pub use listed::{ListedKey, log_keys};
pub use log::{
    DEFAULT_OVERLAP, Log, LogError, LogOptions, MAX_OVERLAP, OpenError, Overlap, Recovery, RotateError, Rotation,
    Signers, begin_rotation, end_rotation,
};
pub use prove::{ProveError, prove};
pub use read::{LogReader, ReadError, Record};
pub use seal::{SealError, Sealer};
pub use state::{StateDir, StateEnv, StateError};
pub use verify::{MAX_STEP_BACK, Place, Report, Verdict, VerifyError, verify};
pub use witness::{NotCosigned, Witness, WitnessError};
