//! The state that both transports feed with messages, and what ends it.

use super::error::UpstreamError;
use super::incoming::{Incoming, MAX_DROPPED, Sink, Taken};
use super::pending::{Answer, Pending, Progress};
use super::progress;
use crate::jsonrpc::{FrameError, Message, Notification, Response};
use bytes::Bytes;
use canon::json::{DEFAULT_DEPTH, Limits};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, warn};

/// One connection, whatever it runs over.
#[derive(Debug)]
pub(super) struct Connection {
    /// For log lines.
    pub(super) name: String,
    pub(super) limits: Limits,
    /// Held for a few instructions at a time, never across an await.
    pending: Mutex<Pending>,
    incoming: Sink,
    dropped: AtomicU64,
    ended: watch::Sender<Option<UpstreamError>>,
}

impl Connection {
    pub(super) fn new(name: &str, max_message_bytes: usize) -> (Self, mpsc::Receiver<Incoming>) {
        let (incoming, receiver) = Sink::new();
        let connection = Self {
            name: name.to_owned(),
            limits: Limits { depth: DEFAULT_DEPTH, bytes: max_message_bytes },
            pending: Mutex::default(),
            incoming,
            dropped: AtomicU64::new(0),
            ended: watch::Sender::new(None),
        };
        (connection, receiver)
    }

    /// Makes room for a request.
    pub(super) fn open(&self) -> Result<(u64, oneshot::Receiver<Answer>), UpstreamError> {
        self.pending().open()
    }

    pub(super) fn follow(&self, id: u64, progress: Progress) {
        self.pending().follow(id, progress);
    }

    pub(super) fn forget(&self, id: u64) {
        self.pending().forget(id);
    }

    pub(super) fn is_open(&self, id: u64) -> bool {
        self.pending().is_open(id)
    }

    /// Ends one request without an answer.
    pub(super) fn fail(&self, id: u64, error: UpstreamError) {
        self.pending().answer(id, Err(error));
    }

    /// Ends the connection. The first reason stays.
    pub(super) fn end(&self, error: &UpstreamError) {
        if self.pending().end(error) {
            debug!(server = self.name, %error, "connection ended");
            self.incoming.close();
            self.ended.send_replace(Some(error.clone()));
        }
    }

    /// Why it ended, if it did.
    pub(super) fn ended(&self) -> Option<UpstreamError> {
        self.ended.borrow().clone()
    }

    /// Waits for the end, holding on to nothing but the news of it. A connection that is dropped has ended.
    pub(super) fn closing(&self) -> impl Future<Output = UpstreamError> + Send + 'static {
        let mut ended = self.ended.subscribe();
        async move {
            let found = ended.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
            found.unwrap_or(UpstreamError::Closed { dispatched: true })
        }
    }

    /// Waits for the end.
    pub(super) async fn closed(&self) -> UpstreamError {
        let mut ended = self.ended.subscribe();
        let found = ended.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
        found.unwrap_or(UpstreamError::Closed { dispatched: true })
    }

    /// Messages that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes one frame from the server. May hold the server back.
    ///
    /// # Errors
    /// When the connection has to end.
    pub(super) async fn receive(&self, frame: &Bytes) -> Result<(), UpstreamError> {
        let incoming = match Message::parse(frame, &self.limits) {
            Ok(Message::Response(response)) => return self.answer(response),
            Ok(Message::Notification(note)) if note.method == "notifications/progress" => {
                return self.progress(&note);
            }
            Ok(Message::Notification(note)) => Incoming::Notification(note),
            Ok(Message::Request(request)) => Incoming::Request(request),
            // The server could not read something we sent. It names no request, so none is answered by it.
            Err(FrameError::NullId) => return self.drop_one("null id"),
            Err(error) => return Err(UpstreamError::garbage(&error)),
        };
        match self.incoming.offer(incoming).await? {
            Taken::Yes => Ok(()),
            Taken::Dropped => self.drop_one("not taken"),
        }
    }

    fn answer(&self, response: Response) -> Result<(), UpstreamError> {
        match response.id.as_number() {
            Some(id) if self.pending().answer(id, Ok(response.outcome)) => Ok(()),
            _ => self.drop_one("answer to nothing"),
        }
    }

    fn progress(&self, note: &Notification) -> Result<(), UpstreamError> {
        let params = note.params.as_deref().unwrap_or_default();
        let told = progress::number(params, &self.limits).is_some_and(|id| {
            let pending = self.pending();
            let Some(progress) = pending.progress(id) else {
                return false;
            };
            let restored = progress::restore(params, &progress.token, &self.limits);
            restored.is_some_and(|params| progress.sink.try_send(params).is_ok())
        });
        if told { Ok(()) } else { self.drop_one("progress of nothing") }
    }

    fn drop_one(&self, why: &'static str) -> Result<(), UpstreamError> {
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        if dropped == 1 {
            warn!(server = self.name, why, "message dropped");
        }
        if dropped > MAX_DROPPED { Err(UpstreamError::Flooded { dispatched: true }) } else { Ok(()) }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonrpc::{Id, Outcome, notification, request, response};
    use std::sync::Arc;

    fn connection() -> (Arc<Connection>, mpsc::Receiver<Incoming>) {
        let (connection, incoming) = Connection::new("test", 1024);
        (Arc::new(connection), incoming)
    }

    #[tokio::test]
    async fn answers_twice_and_answers_to_nothing_are_dropped() {
        let (connection, _incoming) = connection();
        let (id, answer) = connection.open().unwrap();
        for frame in [response(&Id::number(id), b"1"), response(&Id::number(id), b"2"), response(&Id::number(9), b"3")]
        {
            connection.receive(&frame).await.unwrap();
        }
        assert_eq!(answer.await.unwrap(), Ok(Outcome::Result(Bytes::from_static(b"1"))));
        assert_eq!(connection.dropped(), 2);
    }

    #[tokio::test]
    async fn a_flood_of_answers_to_nothing_ends_at_the_limit() {
        let (connection, _incoming) = connection();
        for _ in 0..MAX_DROPPED {
            connection.receive(&response(&Id::number(9), b"3")).await.unwrap();
        }
        let error = connection.receive(&response(&Id::number(9), b"3")).await.unwrap_err();
        assert_eq!(error, UpstreamError::Flooded { dispatched: true });
    }

    #[tokio::test]
    async fn log_lines_are_dropped_when_nobody_reads_and_requests_are_not() {
        let (connection, mut incoming) = connection();
        let log = notification("notifications/message", Some(b"{}"));
        for _ in 0..super::super::INCOMING_CAPACITY + 5 {
            connection.receive(&log.clone()).await.unwrap();
        }
        assert_eq!(connection.dropped(), 5);
        let held = tokio::spawn({
            let connection = connection.clone();
            async move { connection.receive(&request(&Id::number(1), "ping", None)).await }
        });
        for _ in 0..super::super::INCOMING_CAPACITY {
            assert!(matches!(incoming.recv().await, Some(Incoming::Notification(_))));
        }
        assert!(matches!(incoming.recv().await, Some(Incoming::Request(_))));
        held.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_does_not_read_ends_the_connection_after_the_wait() {
        let (connection, _incoming) = connection();
        let ping = request(&Id::number(1), "ping", None);
        for _ in 0..super::super::INCOMING_CAPACITY {
            connection.receive(&ping.clone()).await.unwrap();
        }
        assert_eq!(connection.receive(&ping).await.unwrap_err(), UpstreamError::Flooded { dispatched: true });
    }

    #[tokio::test]
    async fn progress_goes_to_its_request_under_the_callers_token() {
        let (connection, _incoming) = connection();
        let (id, _answer) = connection.open().unwrap();
        let (sink, mut progress) = mpsc::channel(1);
        connection.follow(id, Progress { token: Bytes::from_static(b"\"mine\""), sink });
        for number in [id, id + 1] {
            let params = format!(r#"{{"progressToken":{number},"progress":1}}"#);
            connection.receive(&notification("notifications/progress", Some(params.as_bytes()))).await.unwrap();
        }
        assert_eq!(progress.recv().await.unwrap(), r#"{"progressToken":"mine","progress":1}"#);
        assert_eq!(connection.dropped(), 1);
    }

    #[tokio::test]
    async fn the_end_reaches_everyone() {
        let (connection, mut incoming) = connection();
        let (_, answer) = connection.open().unwrap();
        let error = connection.receive(&Bytes::from_static(b"hello")).await.unwrap_err();
        connection.end(&error);
        assert_eq!(answer.await.unwrap(), Err(error.clone()));
        assert_eq!(connection.closed().await, error);
        assert_eq!(incoming.recv().await, None);
    }
}
