//! What goes to the client: progress, notifications of servers, and their questions.

use super::conversation::Conversation;
use super::decided;
use crate::connections::{Client, ServerRequest};
use crate::jsonrpc::methods::{self, Direction, Form, Treatment};
use crate::jsonrpc::{self, Id, Notification, Outcome};
use bytes::Bytes;
use enforce::Boxed;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a client may take to answer a server's request.
const CLIENT_WAIT: Duration = Duration::from_secs(120);

/// How often, and how far apart, a client that has no stream open is tried: 5 s in all.
const REACH_TRIES: u32 = 200;
const REACH_PAUSE: Duration = Duration::from_millis(25);

/// How long an answer is kept back for progress that came before it.
const PROGRESS_WAIT: Duration = Duration::from_secs(1);

/// The passing on of one request's progress.
pub(super) struct Told(JoinHandle<()>);

impl Told {
    /// Waits until what came before the answer is passed on: after it, nobody listens any more.
    pub(super) async fn all(self) {
        let _ = tokio::time::timeout(PROGRESS_WAIT, self.0).await;
    }
}

impl Conversation {
    /// A channel for the progress of one request; what comes out goes to the client.
    pub(super) fn progress(self: &Arc<Self>, id: &Id) -> (mpsc::Sender<Bytes>, Told) {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(32);
        let (conversation, id) = (Arc::clone(self), id.clone());
        let told = tokio::spawn(async move {
            while let Some(params) = receiver.recv().await {
                conversation.deliver(Some(&id), jsonrpc::notification("notifications/progress", Some(&params)));
            }
        });
        (sender, Told(told))
    }

    /// Sends a request to the client and waits for its answer.
    pub(super) async fn ask_client(&self, method: &str, params: Option<&[u8]>) -> Result<Outcome, String> {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(number, sender);
        let frame = jsonrpc::request(&Id::number(number), method, params);
        if !self.reach(&frame).await {
            self.waiting().remove(&number);
            return Err("the client cannot be reached".to_owned());
        }
        let answer = tokio::time::timeout(CLIENT_WAIT, receiver).await;
        self.waiting().remove(&number);
        match answer {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) => Err("the client is gone".to_owned()),
            Err(_) => Err("the client did not answer in time".to_owned()),
        }
    }

    /// Hands a request to the client. A client over HTTP can be reached only while it has a stream open, and may be about
    /// to open one.
    async fn reach(&self, frame: &Bytes) -> bool {
        for _ in 0..REACH_TRIES {
            if self.deliver(None, frame.clone()) {
                return true;
            }
            tokio::time::sleep(REACH_PAUSE).await;
        }
        false
    }
}

impl Client for Conversation {
    fn notified(&self, notification: &Notification) {
        let Some(opened) = self.opened() else { return };
        // It names a request by the server's number, which means another one to the client.
        if notification.method == "notifications/cancelled" {
            return;
        }
        let found = methods::find(Direction::ServerToClient, Form::Notification, &notification.method);
        if found.map(|method| method.treatment(opened.version)) == Some(Treatment::Plumbing) {
            let _ = self.deliver(None, notification.frame.clone());
        }
    }

    fn is_waiting(&self) -> bool {
        !self.open().is_empty()
    }

    fn asked(self: Arc<Self>, request: ServerRequest) -> Boxed<'static, Outcome> {
        Box::pin(async move { decided::server_request(&self, request).await })
    }
}
