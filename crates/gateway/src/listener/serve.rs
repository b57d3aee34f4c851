//! Accepting, bounding and ending connections.

use super::body::AnswerBody;
use super::handler::Handler;
use super::route::route;
use super::settings::Settings;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// Connections at once. Further ones wait in the kernel's queue.
pub const MAX_CONNECTIONS: usize = 1024;
/// How long the head of a request may take, counted from the end of the one before: also how long an idle connection is
/// kept.
pub const HEAD_WAIT: Duration = Duration::from_secs(30);
/// How long the body of a request may take.
pub const BODY_WAIT: Duration = Duration::from_secs(30);
/// How long requests under way may go on after the shutdown began.
pub const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);
/// Pause after a failed accept: out of descriptors, the next one fails at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` completes, then lets requests under way finish for [`SHUTDOWN_WAIT`].
pub async fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send,
) {
    let settings = Arc::new(settings);
    let respond = move |peer, request| {
        let (handler, settings) = (Arc::clone(&handler), Arc::clone(&settings));
        async move { route(&*handler, &settings, peer, request).await }
    };
    serve_with(listener, respond, shutdown).await;
}

/// The same for whoever answers requests with routes of its own.
pub(crate) async fn serve_with<R, F>(listener: TcpListener, respond: R, shutdown: impl Future<Output = ()> + Send)
where
    R: Fn(SocketAddr, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<AnswerBody>> + Send,
{
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        let Some((accepted, place)) = accepted else { break };
        match accepted {
            Ok((stream, peer)) => {
                let (respond, stopping) = (respond.clone(), stopping.clone());
                connections.spawn(async move {
                    connection(stream, peer, respond, stopping).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    if timeout(SHUTDOWN_WAIT, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        debug!(open = connections.len(), "connections cut off");
    }
}

async fn connection<R, F>(stream: TcpStream, peer: SocketAddr, respond: R, mut stopping: watch::Receiver<bool>)
where
    R: Fn(SocketAddr, Request<Incoming>) -> F,
    F: Future<Output = Response<AnswerBody>>,
{
    // Small events: waiting to fill a segment costs 40 ms each.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| {
        let answer = respond(peer, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = &mut connection => result,
        () = async { drop(stopping.wait_for(|stop| *stop).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        debug!(%peer, %error, "connection ended");
    }
}
