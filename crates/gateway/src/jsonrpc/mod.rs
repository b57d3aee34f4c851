//! JSON-RPC 2.0 envelopes as MCP uses them, over raw JSON.
//!
//! Nothing here knows a transport, a tool or a policy, and nothing re-encodes what it was given: a [`Message`] is one
//! strictly scanned frame whose `params`, `result` and `error` are slices of the bytes that arrived, so members that
//! nobody here has heard of survive, and what was looked at is what goes on.
//!
//! | file | idea |
//! |---|---|
//! | `id` | a request's id: its token as sent |
//! | `message` | from a frame to one of three kinds of message |
//! | `build` | from parts to a frame; a frame as one line |
//! | `error` | the error member of a response; error codes |
//! | `version` | protocol versions |
//! | `methods` | what is decided, passed as plumbing, or refused |
//!
//! # The stateless generation (2026-07-28)
//!
//! That version has no handshake, no session and no server-to-client requests. It is to be a translation layer at the
//! two edges, not a second set of types: coming in, `params._meta` of each request is split off into what the
//! handshake would have said (version, capabilities, client info) and the rest is an ordinary [`Request`]; an
//! `inputResponses` retry becomes the [`Response`]s to requests held open inside. Going out, one encoder adds
//! `resultType` and wraps a server's request into an `input_required` result. Methods stay in the one table: the
//! version gets a column in [`methods::METHODS`], and its own words (`server/discover`, `subscriptions/listen`) stand
//! there already as refused, which is the answer that makes such a client fall back to `initialize`.

mod build;
mod error;
mod id;
mod message;
pub mod methods;
mod version;

pub use build::{error, error_raw, line, notification, request, response};
pub use error::{ErrorObject, code};
pub use id::{Id, MAX_ID_BYTES};
pub use message::{FrameError, MAX_METHOD_BYTES, Message, Notification, Outcome, Request, Response};
pub use version::ProtocolVersion;
