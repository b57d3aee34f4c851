//! Connections to tool servers: one [`Upstream`] is one MCP session with one server.
//!
//! Contains no decision and no inspection: whoever holds an [`Upstream`] has a permit for what it sends, and treats all
//! that comes back as untrusted. Results, errors, and params keep the bytes they came with.
//!
//! | file | idea |
//! |---|---|
//! | `connect` | from a server's settings to a connection that has shaken hands |
//! | `handle` | [`Upstream`]: request, notify, respond, close |
//! | `listing` | whole lists, cursor by cursor |
//! | `connection` | what both transports feed with messages, and what ends it |
//! | `pending` | requests that wait for an answer |
//! | `progress` | progress tokens, made unique and given back |
//! | `incoming` | what a server sends of its own accord, bounded |
//! | `error` | why a request has no answer, and whether it may have had an effect |
//! | [`stdio`], [`http`] | the transports |
//!
//! Everything a server can do wrong ends in an error here: an answer to nothing is counted and dropped, a frame that is
//! not a message ends the connection, and what was under way then is *unknown* ([`UpstreamError::dispatched`]).

mod connect;
mod connection;
mod error;
mod handle;
pub mod http;
mod incoming;
mod listing;
mod pending;
mod progress;
pub mod stdio;

pub use connect::{Connected, Hello, Initialized, Reach, Server, connect};
pub use error::UpstreamError;
pub use handle::Upstream;
pub use incoming::{INCOMING_CAPACITY, INCOMING_WAIT, Incoming, MAX_DROPPED};
pub use listing::{MAX_LIST_BYTES, MAX_LIST_ITEMS, MAX_LIST_PAGES};
pub use pending::MAX_PENDING;

/// The least and the most that `max_message_bytes` may be, and what it is when nothing is said.
pub const MESSAGE_BYTES: std::ops::RangeInclusive<usize> = 1024..=64 * 1024 * 1024;
/// 16 MiB: room for an image in base64.
pub const DEFAULT_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
