//! The policy decision point: Cedar policies and a request in, one decision out.
//!
//! Contains no I/O, no clock, no randomness and no knowledge of a transport: files arrive as text, time as a fact.
//! Nor does it know the inventory's bounds, grants or approvals: what is declared is checked before it is asked, and
//! a verified record arrives as a discharge.
//!
//! A call's way: `shapes` and `schema` say what policies may name; `load` reads and checks the rules; `index` finds
//! those that can speak, and settles what is the same for every call of a kind; `evaluate` asks `condition` for the
//! answers of the others, which `compiled` gives from facts and arguments as they are; for what is left to Cedar, `parts`
//! says what it looks at and `context` turns facts into that; `decide` combines these.
//! `partial` decides again when a part of what was known is gone.
//! `tightening` tells a change that only tightens from one that waits.

mod arguments;
mod bundle;
mod canaries;
mod compile;
mod compiled;
mod condition;
mod context;
mod decide;
mod entities;
mod evaluate;
mod index;
mod load;
mod partial;
mod parts;
mod request;
mod rule;
mod schema;
mod shapes;
mod tightening;
mod vocabulary;

pub use bundle::Bundle;
pub use compile::{compile, compile_known};
pub use decide::{NO_PERMIT, NO_POLICY, UNCERTAIN, UNDECIDABLE};
pub use load::prepare;
pub use partial::{Gone, LooksAtUnknown};
pub use request::{Facts, Findings, Request, Targets};
pub use rule::{Rule, RuleKind, RuleMode};
pub use schema::Invisible;
pub use shapes::{AgentShape, Compilation, ServerShape, Shapes, Source};
pub use tightening::{Change, tightening};
pub use vocabulary::{FINDING_KINDS, SANDBOX_RIGHTS, SEVERITIES};
