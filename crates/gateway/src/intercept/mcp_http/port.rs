//! Where a client's own messages go over HTTP: to the stream of the request they belong to, else to that of any open
//! request, else to the client's listening stream.

use super::stream::{self, CAPACITY, stream};
use crate::intercept::mcp::Port;
use crate::jsonrpc::Id;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc;

/// The streams of one client.
#[derive(Default)]
pub struct HttpPort(Mutex<Streams>);

#[derive(Default)]
struct Streams {
    requests: HashMap<Id, stream::Sender>,
    newest: Option<Id>,
    listening: Option<mpsc::Sender<Bytes>>,
}

impl HttpPort {
    /// The stream of a request that begins.
    pub(super) fn begin(&self, id: &Id) -> stream::Receiver {
        let (sender, receiver) = stream();
        let mut streams = self.lock();
        streams.requests.insert(id.clone(), sender);
        streams.newest = Some(id.clone());
        receiver
    }

    /// The request is answered.
    pub fn end(&self, id: &Id) {
        let mut streams = self.lock();
        streams.requests.remove(id);
        if streams.newest.as_ref() == Some(id) {
            streams.newest = streams.requests.keys().next().cloned();
        }
    }

    /// The listening stream; `None` while another one is open.
    pub fn listen(&self) -> Option<mpsc::Receiver<Bytes>> {
        let mut streams = self.lock();
        if streams.listening.as_ref().is_some_and(|known| !known.is_closed()) {
            return None;
        }
        let (sender, receiver) = mpsc::channel(CAPACITY);
        streams.listening = Some(sender);
        Some(receiver)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Port for HttpPort {
    fn deliver(&self, about: Option<&Id>, frame: Bytes) -> bool {
        let streams = self.lock();
        let of_request = |id: &Id, frame| streams.requests.get(id).is_some_and(|stream| stream.offer(frame));
        match (about, &streams.listening) {
            (Some(id), _) => of_request(id, frame),
            (None, Some(listening)) if !listening.is_closed() => listening.try_send(frame).is_ok(),
            (None, _) => streams.newest.as_ref().is_some_and(|id| of_request(id, frame)),
        }
    }
}
