//! What a request and an answer are to whoever decides.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// What stands above a body.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The headers as sent. Host, origin and content type have been checked.
    pub headers: HeaderMap,
    /// Who is at the other end of the TCP connection.
    pub peer: SocketAddr,
}

/// What to answer.
#[derive(Debug)]
pub enum Answer {
    /// A JSON body.
    Json {
        /// The status.
        status: StatusCode,
        /// Headers beside content type and length.
        headers: HeaderMap,
        /// The body.
        body: Bytes,
    },
    /// An event stream that ends when the sender is dropped.
    Sse {
        /// Headers beside the content type.
        headers: HeaderMap,
        /// One JSON message each; becomes one event. The channel's bound is the back-pressure. It closes when the
        /// client is gone, which the sender sees (`closed`), at the latest after [`super::KEEP_ALIVE`].
        events: mpsc::Receiver<Bytes>,
    },
    /// No body.
    Status(StatusCode),
}

/// Answers the requests that were let through.
///
/// When the client goes away before there is an answer, the future is dropped.
pub trait Handler: Send + Sync + 'static {
    /// `POST /mcp`: one frame.
    fn post(&self, head: RequestHead, body: Bytes) -> impl Future<Output = Answer> + Send;

    /// `GET /mcp`: the stream of what comes unasked.
    fn get(&self, head: RequestHead) -> impl Future<Output = Answer> + Send;

    /// `DELETE /mcp`: the end of a session.
    fn delete(&self, head: RequestHead) -> impl Future<Output = Answer> + Send;
}
