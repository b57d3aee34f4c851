//! What is known about a session: how much it did, how fast, what it has seen, and what it was already told.
//!
//! Contains no I/O, no clock, no randomness and no rule: time comes as an argument (microseconds on a clock that does
//! not go backwards; if it does, no count falls), and what the facts mean is said by policy. Everything is bounded by a
//! documented constant, and at the bound a fact gets worse, never better.

mod facts;
mod labels;
mod repeats;
mod window;

pub use facts::{MAX_TOOL_BYTES, MAX_TOOLS, Rate, SessionFacts, ToolFacts};
pub use labels::{Labels, MAX_SOURCE_BYTES, MAX_SOURCES, Sources};
pub use repeats::{EXPLANATIONS, MAX_RULE_BYTES, MAX_RULES, Repeats};
pub use window::{BUCKETS, Window};
