//! What the command line and the shims say to the gateway.
//!
//! | file | idea |
//! |---|---|
//! | `protocol` | the words |
//! | `server` | the gateway's end: who is admitted, which request is answered where |
//! | `people` | calls that wait, secrets that are typed |
//! | `configuration` | what waits to be accepted |
//! | `evidence` | what is kept: read, held, forgotten |
//! | `exports` | what is written out of the log, said in the log |
//! | `keys` | another signing key for the log |
//! | `client` | the other end |

mod client;
mod configuration;
mod evidence;
mod exports;
mod keys;
mod people;
pub mod protocol;
mod server;

pub use client::{Client, ClientError};
pub use server::serve_connection;

use std::io;
use std::path::{Path, PathBuf};

/// Longest path a unix socket address holds, bytes.
const MAX_SOCKET_PATH: usize = 100;

/// A path to a socket that fits its address. A state directory may lie deep; its own directory handle is short.
///
/// # Errors
/// The path is too long, or its folder is gone.
pub fn short_path(socket: &Path) -> io::Result<PathBuf> {
    if socket.as_os_str().len() <= MAX_SOCKET_PATH {
        return Ok(socket.to_owned());
    }
    let text = "the path of the state directory is too long for a socket; set MORTISE_STATE_DIR to a shorter one";
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}
