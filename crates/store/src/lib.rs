//! The append-only log and the gateway's durable state.
//!
//! What this crate does *not* contain: what an event means beyond which call it belongs to and what it is found by,
//! decisions, sockets, or any text for people but what is wrong with a filter. It holds bytes and says whether they are
//! the bytes that were written. No database holds any of them: the one there is, [`search`]'s, can be deleted.
//!
//! Reading order: [`Log`] (append, durable before it answers) → [`payload`] (what records commit to) → [`LogReader`] (read,
//! follow) → [`verify()`] and [`prove()`] (believe) → [`export()`], [`formats`], [`bundle`] (for others) → [`search`]
//! (find). Beside it, what a gateway keeps: [`Keys`], [`StateDir`], [`Sealer`], [`LogHasher`], and the [`Clock`]. And what
//! a [`Witness`] of other logs keeps.

mod atomic;
pub mod bundle;
mod calls;
pub mod clock;
mod cosigned;
mod export;
#[cfg(test)]
mod fixture;
pub mod formats;
mod hasher;
pub mod id;
pub mod keys;
mod listed;
pub mod log;
pub mod payload;
mod prove;
pub mod read;
pub mod seal;
pub mod search;
pub mod state;
mod verify;
mod witness;

pub use clock::{Clock, ManualClock};
pub use cosigned::{Cosigned, Outside, ask_to_cosign, cosigned, keep_cosigned, stamped_outside};
pub use export::{ExportError, export};
pub use hasher::LogHasher;
pub use keys::{Keys, KeysError, ReadingKeys, SigningFiles};
pub use listed::{ListedKey, log_keys};
pub use log::{
    DEFAULT_OVERLAP, Log, LogError, LogOptions, MAX_OVERLAP, OpenError, Overlap, Recovery, RotateError, Rotation,
    Signers, begin_rotation, end_rotation, prune,
};
pub use payload::bytes_below;
pub use prove::{ProveError, prove};
pub use read::{LogReader, ReadError, Record, Records};
pub use seal::{SealError, Sealer};
pub use search::{Filter, SearchError, SearchIndex};
pub use state::{StateDir, StateEnv, StateError};
pub use verify::{
    AT_ONCE, BadPayload, Erasure, Fates, MAX_STEP_BACK, PayloadReport, Place, PrunedRecords, Removal, Report, Verdict,
    VerifyError, fates, verify, verify_payloads,
};
pub use witness::{NotCosigned, Witness, WitnessError};
