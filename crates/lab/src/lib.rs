//! Suites and cases: what was tested is what runs.
//!
//! Contains no I/O, no clock, no randomness and no decision of its own: files arrive as text and records as events,
//! and every call is decided by crate `enforce`, which takes it the way the pipeline does. A run is the same every time: files in order
//! of path, cases in order of file.
//!
//! | module | what it is |
//! |---|---|
//! | [`suite`] | the YAML a suite is written in, read strictly and checked against the project |
//! | [`run`] | cases against a configuration: results and coverage |
//! | [`report`] | results for people and for machines |
//! | [`replay`] | the decisions of a log, decided again under the same or other policies |

mod kinds;
pub mod replay;
pub mod report;
pub mod run;
pub mod suite;

pub use kinds::missing_kinds;
pub use run::{CaseResult, Report, run};
pub use suite::{Case, Kind, Severity, Suite, read, read_all, schema, texts};
