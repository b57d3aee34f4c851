//! Work that comes to its end, whether or not somebody still waits for it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// A future that runs where it is awaited, and goes on as a task of its own when it is dropped half-way.
///
/// A task for each call would do the same; as long as somebody waits, which is nearly always, it would be a queue, a
/// wake-up and a worker more than is needed. As with a task, a panic is an error of whoever waits, not his own.
pub(super) struct Finished<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// `None` once it has ended.
    future: Option<Pin<Box<F>>>,
}

impl<F> Finished<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    pub(super) fn new(future: F) -> Self {
        Self { future: Some(Box::pin(future)) }
    }
}

impl<F> Future for Finished<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        // What a panic leaves behind is dropped and never looked at again.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(panic),
        };
        let left = self.future.take();
        Poll::Ready(catch_unwind(AssertUnwindSafe(|| drop(left))).and(ended))
    }
}

impl<F> Drop for Finished<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        // Outside of a runtime everything is ending, tasks included.
        if let Some(future) = self.future.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::{Notify, oneshot};

    #[tokio::test]
    async fn it_runs_in_place() {
        let (there, here) = tokio::spawn(async {
            let there = Finished::new(async { tokio::task::id() }).await;
            (there.unwrap(), tokio::task::id())
        })
        .await
        .unwrap();
        assert_eq!(there, here);
    }

    #[tokio::test]
    async fn dropped_half_way_it_runs_to_its_end() {
        let (go, gone) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (ended, end) = oneshot::channel();
        let (wait, count) = (Arc::clone(&go), Arc::clone(&gone));
        let mut work = Finished::new(async move {
            count.fetch_add(1, Ordering::SeqCst);
            wait.notified().await;
            let _ = ended.send(count.load(Ordering::SeqCst));
        });
        assert!((&mut work).now_or_never().is_none());
        drop(work);
        go.notify_one();
        assert_eq!(end.await, Ok(1), "it went on where it was");
    }

    #[tokio::test]
    async fn ended_it_is_not_run_again() {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let mut work = Finished::new(async move { count.fetch_add(1, Ordering::SeqCst) });
        assert!(matches!((&mut work).now_or_never(), Some(Ok(0))));
        drop(work);
        tokio::task::yield_now().await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let work = Finished::new(async {
            tokio::task::yield_now().await;
            assert!(Vec::<u8>::new().len() > 1, "on purpose");
        });
        assert!(work.await.is_err());
    }

    #[test]
    fn without_a_runtime_it_is_dropped_quietly() {
        drop(Finished::new(std::future::pending::<()>()));
    }
}
