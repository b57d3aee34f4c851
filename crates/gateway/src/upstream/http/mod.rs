//! MCP over Streamable HTTP, as a client.
//!
//! Contains no proxy, no redirect and no login: an address is exactly the one that was configured, and what it takes to
//! be let in stands in its headers.
//!
//! | file | idea |
//! |---|---|
//! | `endpoint` | an address with its headers |
//! | `tls` | whom to trust |
//! | `wire` | one HTTP exchange: headers out, status in |
//! | `sse` | event streams, strictly and boundedly read |
//! | `exchange` | one request and all that comes back for it |
//! | `listen` | the stream of what the server sends of its own accord |
//! | `link` | all of it as one end of a connection |
//!
//! Not supported: taking up a broken answer stream again with `Last-Event-ID`. A call whose stream breaks is *unknown*,
//! as with every other transport.

mod endpoint;
mod exchange;
mod link;
mod listen;
mod sse;
mod tls;
mod wire;

pub use endpoint::{Endpoint, EndpointError};
pub(super) use link::Link;
pub(crate) use tls::connector;
