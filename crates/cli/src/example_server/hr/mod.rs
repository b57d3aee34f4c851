//! A hiring system: candidates' files, a chat to post to, and a logging system that belongs to somebody else.

mod record;
mod server;

pub(super) use server::Hr;
