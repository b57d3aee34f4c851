//! What a server sends of its own accord.

use super::error::UpstreamError;
use crate::jsonrpc::{Notification, Request};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Messages that wait for the gateway at most: 32 of the largest default size are 512 MiB.
pub const INCOMING_CAPACITY: usize = 32;
/// How long a server is held back when the gateway does not keep up. Answers behind it are held back too, so a
/// consumer that itself waits for one of them must not wait for ever.
pub const INCOMING_WAIT: Duration = Duration::from_secs(5);
/// Messages of one connection that may be dropped (log lines nobody had room for, answers to nothing) before it ends.
pub const MAX_DROPPED: u64 = 10_000;

/// Something a server sent of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Wants an answer by [`super::Upstream::respond`]. Its id is the server's.
    Request(Request),
    /// Wants none. Progress is not among them: it goes to its request.
    Notification(Notification),
}

impl Incoming {
    /// Log lines are the one thing a server may send much of and nobody depends on.
    fn droppable(&self) -> bool {
        matches!(self, Self::Notification(note) if note.method == "notifications/message")
    }
}

/// The sending end, until the connection ends.
#[derive(Debug)]
pub(super) struct Sink(Mutex<Option<mpsc::Sender<Incoming>>>);

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    Dropped,
}

impl Sink {
    pub(super) fn new() -> (Self, mpsc::Receiver<Incoming>) {
        let (sender, receiver) = mpsc::channel(INCOMING_CAPACITY);
        (Self(Mutex::new(Some(sender))), receiver)
    }

    /// Makes the receiving end see the end.
    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Passes a message on, holding the server back for [`INCOMING_WAIT`] at most.
    pub(super) async fn offer(&self, message: Incoming) -> Result<Taken, UpstreamError> {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A gateway that let go of the receiver is not interested.
        let Some(sender) = sender else {
            return Ok(Taken::Dropped);
        };
        let message = match sender.try_send(message) {
            Ok(()) => return Ok(Taken::Yes),
            Err(TrySendError::Closed(_)) => return Ok(Taken::Dropped),
            Err(TrySendError::Full(message)) if message.droppable() => {
                drop(message);
                return Ok(Taken::Dropped);
            }
            Err(TrySendError::Full(message)) => message,
        };
        match sender.send_timeout(message, INCOMING_WAIT).await {
            Ok(()) => Ok(Taken::Yes),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Ok(Taken::Dropped),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(UpstreamError::Flooded { dispatched: true }),
        }
    }
}
