//! A support desk: tickets that customers write, and a handful of scripts that operations lets it run.

mod scripts;
mod server;
mod tickets;

pub(super) use server::Desk;
