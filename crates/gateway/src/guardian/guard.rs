//! The gateway's hold on a guardian.

use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::Child;
use tokio::time::timeout;

/// The gateway's hold on one guardian. Dropping it kills the command and all its descendants.
#[derive(Debug)]
pub struct Guard {
    /// Closing it is the only signal a guardian gets, from us or from the kernel.
    liveness: UnixStream,
    process: Child,
}

impl Guard {
    pub(super) const fn new(liveness: UnixStream, process: Child) -> Self {
        Self { liveness, process }
    }

    /// The guardian's process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits for the command to end by itself; its exit code, or 128 and the signal that ended it.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub async fn wait(&mut self) -> io::Result<i32> {
        self.process.wait().await.map(code)
    }

    /// Waits `grace` for the command to end by itself (its stdin should be closed by now), then kills it; returns when
    /// all descendants are gone.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub async fn stop(mut self, grace: Duration) -> io::Result<i32> {
        if let Ok(ended) = timeout(grace, self.process.wait()).await {
            return ended.map(code);
        }
        drop(self.liveness);
        self.process.wait().await.map(code)
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| status.signal().map_or(-1, |signal| 128 + signal))
}
