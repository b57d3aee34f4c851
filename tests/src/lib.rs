//! What the end-to-end tests share: a project folder, the built binary, clients that speak MCP.
//!
//! Everything here panics with a sentence when something is missing: these are tests.

pub mod binary;
pub mod host;
pub mod http;
pub mod project;
pub mod pty;
pub mod real;
pub mod stdio;

pub use binary::{mortise, part, workspace};
pub use http::HttpClient;
pub use project::{Gateway, Output, Project};
pub use stdio::StdioClient;

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Long: the machine may be busy; nothing is timed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until something is there.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
