//! MCP as an agent speaks it, whatever carries it.
//!
//! | file | idea |
//! |---|---|
//! | `caller` | who is calling, as the transport established it |
//! | `client` | what goes to the client: progress, notifications, questions |
//! | `conversation` | one client's connection: what becomes of each message |
//! | `decided` | from a decided request to a call |
//! | `plumbing` | what passes without a decision |
//! | `listing` | which tools an agent sees, under which names |
//! | `encode` | refusals in the protocol's shapes |
//! | `finished` | work that comes to its end, whoever stops waiting |

mod caller;
mod client;
mod conversation;
mod decided;
mod encode;
mod finished;
pub(crate) mod listing;
mod plumbing;

pub use caller::Caller;
pub use conversation::{Conversation, Handled, Port, Shared};
pub use encode::{FAILED, error_without_id};
