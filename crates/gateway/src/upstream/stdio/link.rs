//! A guarded command as one end of a connection.

use super::line::{LineError, Lines};
use crate::guardian::{Command, Guard, Guarded, Guardian};
use crate::jsonrpc::line;
use crate::upstream::connection::Connection;
use crate::upstream::error::UpstreamError;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::ChildStdout;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::debug;

/// Frames on their way to the server's stdin. A server that does not read blocks its callers, not the gateway.
const OUTBOX: usize = 64;
/// How long a server may go on after its stdin was closed, or after it closed its stdout.
const GRACE: Duration = Duration::from_secs(2);

/// A guarded command as one end of a connection. Dropping it kills the command.
pub(in crate::upstream) struct Link {
    /// `None` once closed: the writer then closes the command's stdin.
    outbox: Mutex<Option<mpsc::Sender<Bytes>>>,
    guard: Arc<Mutex<Option<Guard>>>,
    exit: watch::Receiver<Option<i32>>,
    tasks: [AbortHandle; 2],
}

impl Link {
    /// Starts the command.
    pub(in crate::upstream) fn start(
        guardian: &Guardian,
        command: &Command,
        connection: &Arc<Connection>,
    ) -> Result<Self, UpstreamError> {
        let Guarded { stdin, stdout, guard } =
            guardian.spawn(command).map_err(|error| UpstreamError::NotStarted { reason: error.to_string() })?;
        let guard = Arc::new(Mutex::new(Some(guard)));
        let (outbox, frames) = mpsc::channel(OUTBOX);
        let (exited, exit) = watch::channel(None);
        let writer = tokio::spawn(write(stdin, frames, Arc::clone(connection)));
        let reader = tokio::spawn(read(stdout, Arc::clone(connection), Arc::clone(&guard), exited));
        let tasks = [writer.abort_handle(), reader.abort_handle()];
        Ok(Self { outbox: Mutex::new(Some(outbox)), guard, exit, tasks })
    }

    /// Queues a frame, waiting for room.
    pub(in crate::upstream) async fn send(&self, frame: Bytes) -> Result<(), UpstreamError> {
        let closed = || UpstreamError::Died { dispatched: false };
        self.outbox().ok_or_else(closed)?.send(frame).await.map_err(|_| closed())
    }

    /// Queues a frame if there is room.
    pub(in crate::upstream) fn send_now(&self, frame: Bytes) {
        if let Some(outbox) = self.outbox() {
            let _ = outbox.try_send(frame);
        }
    }

    /// Closes the command's stdin, waits a moment, then kills.
    pub(in crate::upstream) async fn close(&self) {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(guard) = take(&self.guard) {
            let _ = guard.stop(GRACE).await;
        }
    }

    /// The code of a command that ended by itself, as soon as it is known.
    pub(in crate::upstream) async fn exit_code(&self) -> Option<i32> {
        let mut exit = self.exit.clone();
        let code = timeout(GRACE * 2, exit.wait_for(Option::is_some)).await.ok()?.ok()?;
        *code
    }

    fn outbox(&self) -> Option<mpsc::Sender<Bytes>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // The aborted reader may hold its share a moment longer; the command has no moment left.
        drop(take(&self.guard));
    }
}

fn take(guard: &Mutex<Option<Guard>>) -> Option<Guard> {
    guard.lock().unwrap_or_else(PoisonError::into_inner).take()
}

async fn write(mut stdin: pipe::Sender, mut frames: mpsc::Receiver<Bytes>, connection: Arc<Connection>) {
    while let Some(frame) = frames.recv().await {
        if stdin.write_all(&line(&frame)).await.is_err() {
            connection.end(&UpstreamError::Died { dispatched: true });
            return;
        }
    }
}

async fn read(
    stdout: ChildStdout,
    connection: Arc<Connection>,
    guard: Arc<Mutex<Option<Guard>>>,
    exited: watch::Sender<Option<i32>>,
) {
    let error = read_lines(stdout, &connection).await;
    connection.end(&error);
    let Some(guard) = take(&guard) else { return };
    // A server that closed its stdout may be on its way out; one that broke the protocol gets no time.
    let grace = if matches!(error, UpstreamError::Died { .. }) { GRACE } else { Duration::ZERO };
    let code = guard.stop(grace).await.ok();
    debug!(server = connection.name, code, "command ended");
    exited.send_replace(code);
}

async fn read_lines(stdout: ChildStdout, connection: &Connection) -> UpstreamError {
    let mut lines = Lines::new(stdout, connection.limits.bytes);
    loop {
        match lines.next().await {
            Ok(Some(frame)) => {
                if let Err(error) = connection.receive(&frame).await {
                    return error;
                }
            }
            Ok(None) | Err(LineError::Io(_)) => return UpstreamError::Died { dispatched: true },
            Err(error @ (LineError::TooLong(_) | LineError::Torn)) => return UpstreamError::garbage(&error),
        }
    }
}
