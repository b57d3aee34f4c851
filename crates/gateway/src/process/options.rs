//! What the process is told at its start.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The socket in the state directory.
pub const SOCKET: &str = "gateway.sock";

/// What the process is told at its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The project's folder, canonical.
    pub root: PathBuf,
    /// The project's state directory.
    pub state: PathBuf,
    /// The home directory, for `~` in paths.
    pub home: Option<String>,
    /// What servers' `pass_env` and `env:` values are taken from.
    pub environment: BTreeMap<String, String>,
    /// Loosening edits apply at once, and every event says so.
    pub dev: bool,
    /// Exit when idle.
    pub on_demand: bool,
}
