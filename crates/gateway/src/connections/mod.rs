//! Live connections to tool servers, kept for as long as a session may want them.
//!
//! | file | idea |
//! |---|---|
//! | `link` | one connection: its tools as last listed, who is to hear what it sends |
//! | `pool` | which connection a session gets |
//! | `call` | one call's way through a connection: the pipeline's [`enforce::Route`] |

mod call;
mod link;
mod pool;

pub use call::{CallRoute, Ended, NoRoute};
pub use link::{Client, Link, ServerRequest};
pub use pool::{Change, Key, Observer, Pool, PoolError};
