//! `mortise.lock`: tool definitions as they were reviewed, and what has become of them since.

mod drift;
mod file;
mod listing;

pub use crate::digest::of_json as definition_digest;
pub use drift::{Changed, Drift};
pub use file::{Lock, LockError, Pinned, PinnedServer, VERSION};
pub use listing::{Listing, ListingError, MAX_TOOLS, pin};
