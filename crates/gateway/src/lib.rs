//! The process between agents and tools: interception, upstreams, control.
//!
//! Decides nothing itself: what an agent asks becomes a call for crate `enforce`, and what leaves has its permit.
//!
//! | module | idea |
//! |---|---|
//! | [`process`] | the gateway: log, state, configuration, callers |
//! | [`control`] | what the command line and the shims say to it |
//! | [`intercept`] | where agents come in |
//! | [`connections`] | live connections to tool servers |
//! | [`upstream`] | speaking MCP to a tool server |
//! | [`listener`] | the HTTP server shell |
//! | [`jsonrpc`] | the envelope |
//! | [`guardian`] | children that cannot outlive us |
//! | [`shim`] | the thin process in place of a stdio server |
//! | [`sinks`] | the log, sent elsewhere while it grows |
//! | [`witness`] | cosigning the logs of other gateways |

pub mod connections;
pub mod control;
pub mod guardian;
pub mod intercept;
pub mod jsonrpc;
pub mod listener;
pub mod process;
pub mod shim;
pub mod sinks;
pub mod upstream;
pub mod witness;
