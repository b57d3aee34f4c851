//! The log over a whole and over a failing disk.

mod appending;
mod crashing;
mod failing;
mod faults;
mod opening;
pub(crate) mod rotating;
