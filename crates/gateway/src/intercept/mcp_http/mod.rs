//! Streamable HTTP: many clients, one endpoint.

mod port;
mod stream;
mod table;

use super::mcp::Handled;
use crate::jsonrpc::{Id, Message, code};
use crate::listener::{Answer, Handler, RequestHead};
use crate::process::{CallerError, Gateway, Identified};
use bytes::Bytes;
use enforce::Snapshot;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use port::HttpPort;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use table::{Entry, Table};
use tokio::task::JoinSet;

pub use table::MAX_CONVERSATIONS;

const SESSION_HEADER: &str = "mcp-session-id";

/// Serves MCP over HTTP for a gateway.
pub struct Endpoint {
    gateway: Arc<Gateway>,
    table: Table,
}

impl Endpoint {
    /// An endpoint without conversations.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway, table: Table::default() }
    }

    /// Who is calling, or why nobody is.
    fn caller(&self, head: &RequestHead, now: &Now) -> Result<Identified, Box<Answer>> {
        let found = match bearer(head) {
            Some(token) => self.gateway.callers.bearer(token, &now.snapshot, now.us),
            None => Err(CallerError::Nobody),
        };
        found.map_err(|error| Box::new(unauthorized(&error.to_string())))
    }

    fn now(&self) -> Now {
        let pipeline = &self.gateway.shared.pipeline;
        Now { snapshot: pipeline.snapshot(), us: pipeline.recorder().clock().now() }
    }

    async fn open(&self, head: &RequestHead, frame: Bytes) -> Answer {
        let now = self.now();
        let caller = match self.caller(head, &now) {
            Ok(identified) => identified.caller,
            Err(answer) => return *answer,
        };
        let max = now.snapshot.project.settings.gateway.max_message_bytes;
        let Some((id, entry)) = self.table.open(Arc::clone(&self.gateway.shared), caller, max) else {
            return Answer::Status(StatusCode::SERVICE_UNAVAILABLE);
        };
        match entry.conversation.handle(frame).await {
            Handled::Answer(body) => {
                let mut headers = HeaderMap::new();
                if entry.conversation.is_open()
                    && let Ok(value) = HeaderValue::from_str(&id)
                {
                    headers.insert(SESSION_HEADER, value);
                } else {
                    self.table.close(&id);
                }
                Answer::Json { status: StatusCode::OK, headers, body }
            }
            Handled::Nothing => Answer::Status(StatusCode::BAD_REQUEST),
        }
    }

    /// The conversation a request names, if it is its caller's.
    fn find(&self, head: &RequestHead) -> Result<Arc<Entry>, Box<Answer>> {
        let now = self.now();
        let named = head.headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok());
        let entry = named.and_then(|id| self.table.find(id));
        if let (Some(token), Some(entry)) = (bearer(head), &entry)
            && entry.knows(|accepted| accepted.covers(token, &self.gateway.callers, &now.snapshot, now.us))
        {
            entry.touch();
            return Ok(Arc::clone(entry));
        }
        let Identified { caller, accepted } = self.caller(head, &now)?;
        if named.is_none() {
            return Err(Box::new(Answer::Status(StatusCode::BAD_REQUEST)));
        }
        match entry.filter(|entry| entry.conversation.caller().session() == caller.session()) {
            Some(entry) => {
                entry.remember(accepted);
                entry.touch();
                Ok(entry)
            }
            None => Err(Box::new(Answer::Status(StatusCode::NOT_FOUND))),
        }
    }
}

/// What is in force when a request arrives.
struct Now {
    snapshot: Arc<Snapshot>,
    /// Microseconds since the epoch.
    us: i64,
}

fn bearer(head: &RequestHead) -> Option<&str> {
    let value = head.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")).map(str::trim)
}

impl Handler for Endpoint {
    async fn post(&self, head: RequestHead, body: Bytes) -> Answer {
        let _busy = Busy::begin(&self.gateway);
        if !head.headers.contains_key(SESSION_HEADER) && is_initialize(&body) {
            return Box::pin(self.open(&head, body)).await;
        }
        let entry = match self.find(&head) {
            Ok(entry) => entry,
            Err(answer) => return *answer,
        };
        let conversation = Arc::clone(&entry.conversation);
        let limits = conversation.limits();
        let message = match Message::parse(&body, &limits) {
            Ok(message) => message,
            Err(_) => {
                return match Box::pin(conversation.handle(body)).await {
                    Handled::Answer(body) => json(StatusCode::BAD_REQUEST, body),
                    Handled::Nothing => Answer::Status(StatusCode::BAD_REQUEST),
                };
            }
        };
        let Message::Request(request) = message else {
            Box::pin(conversation.take(message)).await;
            return Answer::Status(StatusCode::ACCEPTED);
        };
        let mut events = entry.port.begin(&request.id);
        let open = OpenStream { port: Arc::clone(&entry.port), id: request.id.clone() };
        let handling = async move {
            let handled = conversation.take(Message::Request(request)).await;
            drop(open);
            handled
        };
        let mut handling = Box::pin(handling);
        // The first thing that is ready decides: the answer is plain JSON, anything before it makes a stream.
        let first = tokio::select! {
            biased;
            handled = &mut handling => {
                return match handled {
                    Handled::Answer(body) => json(StatusCode::OK, body),
                    Handled::Nothing => Answer::Status(StatusCode::ACCEPTED),
                };
            }
            first = events.next() => first,
        };
        answer_by_stream(first, events, handling)
    }

    async fn get(&self, head: RequestHead) -> Answer {
        match self.find(&head) {
            Ok(entry) => match entry.port.listen() {
                Some(events) => Answer::Sse { headers: HeaderMap::new(), events },
                None => Answer::Status(StatusCode::CONFLICT),
            },
            Err(answer) => *answer,
        }
    }

    async fn delete(&self, head: RequestHead) -> Answer {
        match self.find(&head) {
            Ok(entry) => {
                self.table.close(&entry.id);
                Answer::Status(StatusCode::OK)
            }
            Err(answer) => *answer,
        }
    }
}

/// A stream of what comes before the answer, then the answer.
///
/// Handling goes on in a task of its own, however slowly the client reads what came before: the result is recorded, and
/// the session marked with it, when it comes. Dropped with the stream, it is as one nobody waits for.
fn answer_by_stream(
    first: Bytes,
    mut events: stream::Receiver,
    handling: impl Future<Output = Handled> + Send + 'static,
) -> Answer {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    let mut handling = JoinSet::from_iter([handling]);
    tokio::spawn(async move {
        if sender.send(first).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                biased;
                event = events.next() => {
                    if sender.send(event).await.is_err() {
                        return;
                    }
                }
                handled = handling.join_next() => {
                    while let Some(event) = events.try_next() {
                        let _ = sender.send(event).await;
                    }
                    if let Some(Ok(Handled::Answer(body))) = handled {
                        let _ = sender.send(body).await;
                    }
                    return;
                }
            }
        }
    });
    Answer::Sse { headers: HeaderMap::new(), events: receiver }
}

fn is_initialize(body: &[u8]) -> bool {
    let limits = canon::json::Limits::default();
    canon::json::scan(body, &limits).is_ok_and(|scan| scan.member("method") == Some(b"\"initialize\""))
}

fn json(status: StatusCode, body: Bytes) -> Answer {
    Answer::Json { status, headers: HeaderMap::new(), body }
}

fn unauthorized(reason: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mortise\""));
    let body = super::mcp::error_without_id(
        code::REFUSED,
        &format!("{reason}; make a key with `mortise agents key` and send it as `Authorization: Bearer`"),
    );
    Answer::Json { status: StatusCode::UNAUTHORIZED, headers, body }
}

/// The stream of a request, for as long as it is handled: also when the client goes away half-way.
struct OpenStream {
    port: Arc<HttpPort>,
    id: Id,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.port.end(&self.id);
    }
}

/// Counts a request as under way, for as long as it is.
struct Busy(Arc<Gateway>);

impl Busy {
    fn begin(gateway: &Arc<Gateway>) -> Self {
        gateway.busy.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gateway))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::{Notify, oneshot};

    /// More than the answer's own channel takes.
    fn talkative() -> (stream::Sender, stream::Receiver) {
        let (sender, events) = stream::stream();
        for _ in 0..stream::CAPACITY {
            assert!(sender.offer(Bytes::from_static(b"{}")));
        }
        (sender, events)
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_nothing_up() {
        let (_sender, events) = talkative();
        let (ended, end) = oneshot::channel();
        let handling = async move {
            tokio::task::yield_now().await;
            let _ = ended.send(());
            Handled::Nothing
        };
        let answer = answer_by_stream(Bytes::from_static(b"{}"), events, handling);
        let ended = tokio::time::timeout(Duration::from_secs(10), end).await;
        assert!(matches!(ended, Ok(Ok(()))), "handled while nobody reads");
        drop(answer);
    }

    #[tokio::test]
    async fn a_stream_that_is_dropped_is_waited_for_by_nobody() {
        struct Gone(Arc<Notify>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let (_sender, events) = talkative();
        let gone = Arc::new(Notify::new());
        let waiting = Gone(Arc::clone(&gone));
        let handling = async move {
            let _waiting = waiting;
            std::future::pending::<Handled>().await
        };
        drop(answer_by_stream(Bytes::from_static(b"{}"), events, handling));
        let dropped = tokio::time::timeout(Duration::from_secs(10), gone.notified()).await;
        assert!(dropped.is_ok(), "the future that waits is dropped with the stream");
    }
}
