//! What goes to the client before one request's answer.

use bytes::Bytes;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Messages waiting on one stream.
pub(super) const CAPACITY: usize = 64;

/// The stream of a request that begins. A channel would make room for messages beforehand; hardly any request has one.
pub(super) fn stream() -> (Sender, Receiver) {
    let shared = Arc::new(Mutex::new(State::default()));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// Where messages go in.
pub(super) struct Sender(Arc<Mutex<State>>);

/// Where they come out. Dropping it closes the stream.
pub(super) struct Receiver(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    messages: VecDeque<Bytes>,
    /// Who waits for the next one.
    waiting: Option<Waker>,
    closed: bool,
}

impl Sender {
    /// Hands a message over; `false` when there is no room or nobody to take it.
    pub(super) fn offer(&self, message: Bytes) -> bool {
        let waiting = {
            let mut state = lock(&self.0);
            if state.closed || state.messages.len() >= CAPACITY {
                return false;
            }
            state.messages.push_back(message);
            state.waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
        true
    }
}

impl Receiver {
    /// The next message. Waits for ever when none comes any more: whoever reads knows when the request is answered.
    pub(super) async fn next(&mut self) -> Bytes {
        poll_fn(|context| {
            let mut state = lock(&self.0);
            if let Some(message) = state.messages.pop_front() {
                return Poll::Ready(message);
            }
            match &mut state.waiting {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            Poll::Pending
        })
        .await
    }

    /// The next message that is there already.
    pub(super) fn try_next(&mut self) -> Option<Bytes> {
        lock(&self.0).messages.pop_front()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.closed = true;
        state.messages.clear();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn messages_come_out_in_order_also_to_one_who_waits() {
        let (sender, mut receiver) = stream();
        let reading = tokio::spawn(async move { [receiver.next().await, receiver.next().await] });
        tokio::task::yield_now().await;
        assert!(sender.offer(Bytes::from_static(b"1")));
        tokio::task::yield_now().await;
        assert!(sender.offer(Bytes::from_static(b"2")));
        assert_eq!(reading.await.unwrap(), ["1", "2"]);
    }

    #[test]
    fn the_capacity_is_inclusive_and_frees_again() {
        let (sender, mut receiver) = stream();
        assert!((0..CAPACITY).all(|_| sender.offer(Bytes::new())));
        assert!(!sender.offer(Bytes::new()));
        assert!(receiver.try_next().is_some());
        assert!(sender.offer(Bytes::new()) && !sender.offer(Bytes::new()));
    }

    #[test]
    fn a_closed_stream_takes_nothing_and_an_abandoned_one_waits() {
        let (sender, receiver) = stream();
        drop(receiver);
        assert!(!sender.offer(Bytes::new()));
        let (sender, mut receiver) = stream();
        drop(sender);
        assert!(receiver.next().now_or_never().is_none());
    }
}
