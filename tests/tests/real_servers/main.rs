//! Servers and clients that others wrote, with Mortise in between: what passes, passes byte for byte.

mod asked;
mod clients;
mod differential;
mod drift;
mod environment;
mod many;
mod remote;
#[cfg(feature = "rust-client")]
mod rust_client;
mod unknown_members;
