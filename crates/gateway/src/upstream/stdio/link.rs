//! A guarded command as one end of a connection.

use super::line::{LineError, Lines};
use super::outbox::{Outbox, Refused, Writing};
use crate::guardian::{Command, Guard, Guarded, Guardian};
use crate::jsonrpc::line;
use crate::upstream::connection::Connection;
use crate::upstream::error::UpstreamError;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::process::ChildStdout;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::debug;

/// How long a server may go on after its stdin was closed, or after it closed its stdout.
const GRACE: Duration = Duration::from_secs(2);

/// A guarded command as one end of a connection. Dropping it kills the command.
pub(in crate::upstream) struct Link {
    outbox: Outbox,
    connection: Arc<Connection>,
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
        let (outbox, writing) = Outbox::new(stdin);
        let (exited, exit) = watch::channel(None);
        let writer = tokio::spawn(write(writing, Arc::clone(connection)));
        let reader = tokio::spawn(read(stdout, Arc::clone(connection), Arc::clone(&guard), exited));
        let tasks = [writer.abort_handle(), reader.abort_handle()];
        Ok(Self { outbox, connection: Arc::clone(connection), guard, exit, tasks })
    }

    /// Writes a frame or queues it, waiting for room.
    pub(in crate::upstream) async fn send(&self, frame: Bytes) -> Result<(), UpstreamError> {
        let sent = self.outbox.send(line(frame)).await;
        sent.map_err(|refused| {
            if refused != Refused::Closed {
                self.connection.end(&UpstreamError::Died { dispatched: true });
            }
            UpstreamError::Died { dispatched: refused == Refused::Torn }
        })
    }

    /// Writes a frame, or queues it if there is room.
    pub(in crate::upstream) fn send_now(&self, frame: Bytes) {
        self.outbox.send_now(line(frame));
    }

    /// Closes the command's stdin, waits a moment, then kills.
    pub(in crate::upstream) async fn close(&self) {
        self.outbox.close();
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

async fn write(writing: Writing, connection: Arc<Connection>) {
    if writing.run().await.is_err() {
        connection.end(&UpstreamError::Died { dispatched: true });
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
