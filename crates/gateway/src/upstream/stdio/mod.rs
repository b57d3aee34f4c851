//! MCP over the stdin and stdout of a guarded command: one message per line.
//!
//! Contains no process handling: that is [`crate::guardian`].

mod line;
mod link;
mod outbox;

pub(super) use link::Link;
