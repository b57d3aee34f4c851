//! The handle on one connection.

use super::connection::Connection;
use super::error::UpstreamError;
use super::pending::Progress;
use super::{http, progress, stdio};
use crate::jsonrpc::{self, Id, Outcome, ProtocolVersion};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a message that has no answer may take to be handed over.
const HANDOVER_WAIT: Duration = Duration::from_secs(10);

/// One MCP session with one server. Clones share it; when the last is dropped, a started server is killed with all its
/// descendants.
#[derive(Clone)]
pub struct Upstream {
    connection: Arc<Connection>,
    link: Arc<Link>,
}

/// What a connection runs over.
pub(super) enum Link {
    Stdio(stdio::Link),
    Http(http::Link),
}

impl Upstream {
    pub(super) fn new(connection: Arc<Connection>, link: Link) -> Self {
        Self { connection, link: Arc::new(link) }
    }

    /// Sends a request under an id of our own and waits for its answer.
    ///
    /// A progress token in `params` is replaced on the way out; the params of its progress notifications go to
    /// `progress` with the token put back, as far as there is room. Dropping the future, like running into the
    /// deadline, tells the server that nobody waits any more.
    ///
    /// # Errors
    /// [`UpstreamError::dispatched`] says whether the server may have acted.
    pub async fn request(
        &self,
        method: &str,
        params: Option<&[u8]>,
        deadline: Instant,
        progress: Option<mpsc::Sender<Bytes>>,
    ) -> Result<Outcome, UpstreamError> {
        let (id, answer) = self.connection.open()?;
        // The protocol forbids to cancel the handshake.
        let mut ticket = Ticket { upstream: self, id, cancel: method != "initialize", sent: None };
        let stamped = params.and_then(|params| progress::stamp(params, id, &self.connection.limits));
        let frame = match stamped {
            Some((params, token)) => {
                if let Some(sink) = progress {
                    self.connection.follow(id, Progress { token, sink });
                }
                jsonrpc::request(&Id::number(id), method, Some(&params))
            }
            None => jsonrpc::request(&Id::number(id), method, params),
        };
        self.fits(&frame)?;
        let sent = timeout_at(deadline, self.send(id, frame)).await;
        ticket.sent = Some(sent.map_err(|_| UpstreamError::Timeout { dispatched: false })??);
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => {
                ticket.cancel = false;
                answer
            }
            // The sender lives in the pending map until it answers, so this is only an end we have not heard of.
            Ok(Err(_)) => Err(self.connection.ended().unwrap_or(UpstreamError::Died { dispatched: true })),
            Err(_) => Err(UpstreamError::Timeout { dispatched: true }),
        }
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// When it could not be handed over.
    pub async fn notify(&self, method: &str, params: Option<&[u8]>) -> Result<(), UpstreamError> {
        self.tell(jsonrpc::notification(method, params)).await
    }

    /// Answers a request of the server; `id` is the server's.
    ///
    /// # Errors
    /// When the answer could not be handed over.
    pub async fn respond(&self, id: &Id, outcome: &Outcome) -> Result<(), UpstreamError> {
        self.tell(match outcome {
            Outcome::Result(result) => jsonrpc::response(id, result),
            Outcome::Error(error) => jsonrpc::error_raw(id, error),
        })
        .await
    }

    /// Why the connection ended, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<UpstreamError> {
        self.connection.ended()
    }

    /// Waits until the connection ends, without keeping it alive.
    pub fn closing(&self) -> impl Future<Output = UpstreamError> + Send + 'static {
        self.connection.closing()
    }

    /// Waits until the connection ends.
    pub async fn closed(&self) -> UpstreamError {
        self.connection.closed().await
    }

    /// How many messages were dropped: answers to nothing, progress of nothing, log lines nobody had room for.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.connection.dropped()
    }

    /// Ends the session in order: a started server gets the end of its stdin and a moment, a remote one a `DELETE`.
    pub async fn close(&self) {
        self.connection.end(&UpstreamError::Closed { dispatched: true });
        match &*self.link {
            Link::Stdio(link) => link.close().await,
            Link::Http(link) => link.close().await,
        }
    }

    pub(super) fn limits(&self) -> &canon::json::Limits {
        &self.connection.limits
    }

    /// Called once, after the handshake.
    pub(super) fn negotiated(&self, version: ProtocolVersion) {
        if let Link::Http(link) = &*self.link {
            link.negotiated(version);
        }
    }

    /// Called once, after the server knows that the handshake is over.
    pub(super) fn listen(&self) {
        if let Link::Http(link) = &*self.link {
            link.listen();
        }
    }

    /// The exit code of a started server that ended by itself.
    pub(super) async fn exit_code(&self) -> Option<i32> {
        match &*self.link {
            Link::Stdio(link) => link.exit_code().await,
            Link::Http(_) => None,
        }
    }

    fn fits(&self, frame: &Bytes) -> Result<(), UpstreamError> {
        let (bytes, limit) = (frame.len(), self.connection.limits.bytes);
        if bytes > limit { Err(UpstreamError::TooLarge { bytes, limit }) } else { Ok(()) }
    }

    async fn send(&self, id: u64, frame: Bytes) -> Result<Sent, UpstreamError> {
        match &*self.link {
            Link::Stdio(link) => link.send(frame).await.map(|()| Sent { exchange: None }),
            Link::Http(link) => Ok(Sent { exchange: Some(link.exchange(id, frame)) }),
        }
    }

    async fn tell(&self, frame: Bytes) -> Result<(), UpstreamError> {
        if let Some(error) = self.connection.ended() {
            return Err(error.undispatched());
        }
        self.fits(&frame)?;
        let told = async {
            match &*self.link {
                Link::Stdio(link) => link.send(frame).await,
                Link::Http(link) => link.tell(frame).await,
            }
        };
        timeout(HANDOVER_WAIT, told).await.unwrap_or(Err(UpstreamError::Timeout { dispatched: true }))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("server", &self.connection.name).finish_non_exhaustive()
    }
}

/// A request that left.
struct Sent {
    /// Over HTTP each request has a connection of its own.
    exchange: Option<AbortHandle>,
}

/// One open request. Dropped without an answer, it is cancelled.
struct Ticket<'a> {
    upstream: &'a Upstream,
    id: u64,
    cancel: bool,
    sent: Option<Sent>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let connection = &self.upstream.connection;
        connection.forget(self.id);
        let Some(sent) = self.sent.take() else { return };
        if !self.cancel {
            return;
        }
        if let Some(exchange) = sent.exchange {
            exchange.abort();
        }
        if connection.ended().is_none() {
            let params = format!("{{\"requestId\":{},\"reason\":\"nobody waits for it any more\"}}", self.id);
            let frame = jsonrpc::notification("notifications/cancelled", Some(params.as_bytes()));
            match &*self.upstream.link {
                Link::Stdio(link) => link.send_now(frame),
                Link::Http(link) => link.tell_soon(frame),
            }
        }
    }
}
