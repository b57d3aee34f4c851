//! An HTTP server as one end of a connection.

use super::endpoint::Endpoint;
use super::exchange::{exchange, tell};
use super::listen::listen;
use super::wire::Wire;
use crate::jsonrpc::ProtocolVersion;
use crate::upstream::connection::Connection;
use crate::upstream::error::UpstreamError;
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// How long the end of a session may take.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// An HTTP server as one end of a connection.
pub(in crate::upstream) struct Link {
    wire: Arc<Wire>,
    wants_to_listen: bool,
    listening: OnceLock<AbortHandle>,
}

impl Link {
    /// Connects to nothing yet.
    pub(in crate::upstream) fn new(endpoint: &Endpoint, connection: &Arc<Connection>) -> Result<Self, UpstreamError> {
        let wire = Arc::new(Wire::new(endpoint, connection)?);
        Ok(Self { wire, wants_to_listen: endpoint.listen, listening: OnceLock::new() })
    }

    /// Posts a request in the background.
    pub(in crate::upstream) fn exchange(&self, id: u64, frame: Bytes) -> AbortHandle {
        tokio::spawn(exchange(Arc::clone(&self.wire), id, frame)).abort_handle()
    }

    /// Posts a frame that has no answer.
    pub(in crate::upstream) async fn tell(&self, frame: Bytes) -> Result<(), UpstreamError> {
        tell(&self.wire, frame).await
    }

    /// Posts a frame that has no answer, in the background. Without a runtime there is no one left to tell.
    pub(in crate::upstream) fn tell_soon(&self, frame: Bytes) {
        let wire = Arc::clone(&self.wire);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { timeout(CLOSE_WAIT, tell(&wire, frame)).await });
        }
    }

    pub(in crate::upstream) fn negotiated(&self, version: ProtocolVersion) {
        self.wire.negotiated(version);
    }

    pub(in crate::upstream) fn listen(&self) {
        if self.wants_to_listen {
            self.listening.get_or_init(|| tokio::spawn(listen(Arc::clone(&self.wire))).abort_handle());
        }
    }

    /// Ends the session.
    pub(in crate::upstream) async fn close(&self) {
        self.stop_listening();
        let _ = timeout(CLOSE_WAIT, self.wire.delete()).await;
    }

    fn stop_listening(&self) {
        if let Some(task) = self.listening.get() {
            task.abort();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop_listening();
    }
}
