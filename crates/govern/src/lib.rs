//! What the operator declared and who may do what: the project's files, the inventory, pinned definitions, identities
//! and approvals.
//!
//! Decides no call, knows no transport and asks no clock: times are arguments, in microseconds since the epoch. Reading
//! the project folder ([`project::Files::read`]), reading the process table ([`governed::read_process_table`]) and
//! keeping state ([`accepted`], [`history`], [`identity`], [`approval`]) are the only places that touch the machine.
//!
//! | module | question it answers |
//! |---|---|
//! | [`project`] | what do the files say, and is it consistent? |
//! | [`inventory`] | may this agent use this tool at all? |
//! | [`lock`] | is a tool still the one that was reviewed? |
//! | [`change`] | does an edit loosen anything? |
//! | [`accepted`] | which configuration is in force? |
//! | [`history`] | which ones were, before? |
//! | [`identity`] | who is calling, and who is answering? |
//! | [`approval`] | what became of an asked call? |
//! | [`governed`] | is this process under an agent's control? |
//! | [`protected`] | does an argument point at Mortise's own files? |

pub mod accepted;
pub mod approval;
pub mod change;
mod digest;
pub mod governed;
pub mod history;
pub mod identity;
pub mod inventory;
pub mod lock;
pub mod names;
pub mod project;
pub mod protected;
pub mod toml_diagnostics;
