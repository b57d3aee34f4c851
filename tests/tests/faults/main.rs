//! What happens when things go wrong: bad input, bad servers, bad configuration, a damaged log, a killed gateway; and
//! whether other people's verifiers agree with ours.

mod audit;
mod bad_input;
mod bad_servers;
mod bad_system;
mod configuration;
mod damaged_log;
mod descendants;
mod faulty;
mod flipped;
mod foreign;
mod forged;
mod formats;
mod full_disk;
mod http_rules;
mod kept;
mod lost_keys;
mod newer_formats;
mod packed;
mod pruned;
mod questions;
mod rotated_keys;
mod searched;
mod server_events;
mod session;
mod witnessed;
