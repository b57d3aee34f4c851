//! Canonical forms: what two texts must share to mean the same thing to everyone who reads them.
//!
//! Contains no I/O, no clock, no randomness, and no opinion: it refuses what is ambiguous and never decides what is
//! allowed. It knows no file system, so a [`path::CleanPath`] says where a path points *by its text*.
//!
//! | module | one form for |
//! |---|---|
//! | [`json`] | message bytes: strict scan, parse, RFC 8785 text |
//! | [`pointer`] | places inside a value: `args.items[].email` |
//! | [`path`] | file paths |
//! | [`name`] | tool, server and agent names |

pub mod json;
pub mod name;
pub mod path;
pub mod pointer;
