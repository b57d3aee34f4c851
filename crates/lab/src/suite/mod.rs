//! A suite: one YAML file of cases about one agent.
//!
//! `format` is the file as it is written, `arguments` the one place where YAML's types are the user's own, `diagnose`
//! turns the parser's errors into ours, `read` makes a [`Suite`] of it, and `check` compares its names with the project.

mod arguments;
mod case;
mod check;
mod diagnose;
mod facts;
mod files;
mod format;
mod read;
mod schema;

pub use case::{Case, Kind, Located, Severity, Suite};
pub use check::check;
pub use facts::Stated;
pub use files::{read_all, texts};
pub use read::{MAX_CASES, MAX_DEPTH, MAX_FILE_BYTES, read};
pub use schema::schema;
