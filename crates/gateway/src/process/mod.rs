//! The gateway process: opens log and state, keeps the configuration in force, serves shims, agents and the command
//! line.
//!
//! | file | idea |
//! |---|---|
//! | `claim` | the right to serve in the foreground |
//! | `options` | what the process is told at its start |
//! | `open` | from a state directory to a gateway that can decide |
//! | `configuration` | what is in force, what waits, what was refused |
//! | `soundness` | which rules need not be checked again |
//! | `callers` | who is calling: keys, tokens, peers, governed processes |
//! | `accepted` | a credential that need not be checked again |
//! | `calendar` | which day it is, as far as removals go by it |
//! | `pruning` | the beginning of the log goes when its time is over |
//! | `retention` | forgetting on schedule and on demand |
//! | `rotating` | another signing key for the log |
//! | `serve` | the socket, the listener, the end |
//! | `witnessing` | checkpoints to the witnesses, and what they say to the log |

mod accepted;
mod calendar;
mod callers;
mod claim;
mod configuration;
mod open;
mod options;
mod pruning;
mod retention;
mod rotating;
mod serve;
mod soundness;
mod witnessing;

pub use accepted::Accepted;
pub(crate) use calendar::{Calendar, SEEN_DAYS};
pub use callers::{CallerError, Callers, Identified, RunStarted};
pub use claim::Claim;
pub use configuration::{Compiled, Configuration, ConfigurationError, Edit, Found, Waiting, compile};
pub use open::StartError;
pub use options::{Options, SOCKET};
pub use pruning::RemovedRecords;
pub use retention::{Forgotten, Hold, Removed, RetentionError};
pub(crate) use retention::{days as retention_days, holds};
pub use rotating::{Rotated, RotationError};

use crate::intercept::mcp::Shared;
use crate::sinks::Sinks;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use store::{Log, SigningFiles, StateDir};
use tokio::sync::watch;

/// Begins, in the background, with what a start needs whatever it finds.
pub fn prepare() {
    // Where no thread can be started, whoever needs it first waits for it.
    let _ = std::thread::Builder::new().name("prepare".to_owned()).spawn(policy::prepare);
}

/// A gateway that can decide.
pub struct Gateway {
    /// What it was told.
    pub options: Options,
    /// Pipeline and connections.
    pub shared: Arc<Shared>,
    /// What is in force.
    pub configuration: Configuration,
    /// Who is calling.
    pub callers: Callers,
    pub(crate) log: Arc<Log>,
    pub(crate) state: Arc<StateDir>,
    pub(crate) key_files: SigningFiles,
    /// One change of the log's keys at a time.
    pub(crate) key_turn: tokio::sync::Mutex<()>,
    /// One removal, erasure or change of the holds at a time.
    pub(crate) retention_turn: tokio::sync::Mutex<()>,
    /// When the newest record was written that an earlier gateway left.
    pub(crate) newest_us: Option<i64>,
    /// Where MCP is offered over HTTP, once it is.
    pub(crate) listening: Mutex<Option<SocketAddr>>,
    /// Shims and HTTP requests under way: an on-demand gateway with none of them exits after a while.
    pub(crate) busy: AtomicUsize,
    /// Why each witness did not cosign when it was last asked, by name; none where it did.
    pub(crate) uncosigned: Mutex<BTreeMap<String, String>>,
    /// The sinks at work.
    pub(crate) sinks: Sinks,
    pub(crate) shutdown: watch::Sender<bool>,
}
