//! A shim in place of a stdio server: newline-delimited MCP frames over the gateway's socket.

use super::mcp::{Caller, Conversation, Handled, Port, Shared};
use crate::jsonrpc::{self, Id};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use vocab::id::ServerId;

/// Frames waiting to be written to one shim.
const OUTBOX: usize = 256;

/// Frames of one shim handled at once.
const MAX_HANDLED: usize = 64;

/// Tells one shim's connections from another's.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Serves one shim until it goes, or its server ends.
pub async fn serve(
    shared: Arc<Shared>,
    caller: Caller,
    server: ServerId,
    mut reader: impl AsyncBufRead + Unpin + Send,
    writer: impl AsyncWrite + Unpin + Send + 'static,
) {
    let max = shared.pipeline.snapshot().project.settings.gateway.max_message_bytes;
    let (outbox, inbox) = mpsc::channel(OUTBOX);
    let port = Arc::new(Outbox(outbox.clone()));
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let conversation = Conversation::new(shared, caller, Some(server), Some(number), port, max);
    let writing = tokio::spawn(write(inbox, writer));
    let room = Arc::new(Semaphore::new(MAX_HANDLED));
    loop {
        let frame = tokio::select! {
            frame = read_frame(&mut reader, max) => frame,
            () = ended(&conversation) => break,
        };
        let frame = match frame {
            Ok(Line::Frame(frame)) => frame,
            Ok(Line::TooLong) => {
                let answer = conversation.refuse_long(max).await;
                let _ = outbox.send(answer).await;
                continue;
            }
            Ok(Line::End) | Err(_) => break,
        };
        // INVARIANT: the semaphore is never closed, so acquiring only ever waits.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
        let (conversation, outbox) = (Arc::clone(&conversation), outbox.clone());
        let in_order = is_in_order(&frame);
        let handling = tokio::spawn(async move {
            if let Handled::Answer(answer) = conversation.handle(frame).await {
                let _ = outbox.send(answer).await;
            }
            drop(place);
        });
        if in_order {
            let _ = handling.await;
        }
    }
    conversation.end();
    drop(conversation);
    drop(outbox);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), writing).await;
}

/// The handshake and notifications are handled before what follows them; requests run side by side.
fn is_in_order(frame: &[u8]) -> bool {
    let limits = canon::json::Limits::default();
    canon::json::scan(frame, &limits).map_or(true, |scan| {
        scan.member("id").is_none()
            || scan.member("method").is_none()
            || scan.member("method") == Some(b"\"initialize\"")
    })
}

/// Completes when a server of the conversation has ended: the shim's client must see the end of its server.
async fn ended(conversation: &Conversation) {
    loop {
        for link in conversation.links() {
            let ended = tokio::time::timeout(std::time::Duration::from_millis(250), link.upstream.closed());
            if ended.await.is_ok() {
                // Answers of calls that were in flight are on their way.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                return;
            }
        }
        if conversation.links().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// What was read.
enum Line {
    Frame(Bytes),
    /// A line over the limit; it has been read to its end and thrown away.
    TooLong,
    End,
}

/// Reads one line of at most `max` bytes; of a longer one nothing is kept.
async fn read_frame(reader: &mut (impl AsyncBufRead + Unpin), max: usize) -> std::io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            let rest = !too_long && !line.is_empty();
            return Ok(if rest { Line::Frame(Bytes::from(line)) } else { Line::End });
        }
        let (part, used, done) = match memchr::memchr(b'\n', available) {
            Some(at) => (available.get(..at).unwrap_or_default(), at + 1, true),
            None => (available, available.len(), false),
        };
        if too_long || line.len() + part.len() > max {
            too_long = true;
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        reader.consume(used);
        if done && too_long {
            return Ok(Line::TooLong);
        }
        if done && !line.iter().all(u8::is_ascii_whitespace) {
            return Ok(Line::Frame(Bytes::from(line)));
        }
    }
}

async fn write(mut inbox: mpsc::Receiver<Bytes>, mut writer: impl AsyncWrite + Unpin) {
    while let Some(frame) = inbox.recv().await {
        if writer.write_all(&jsonrpc::line(frame)).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// What goes to the shim, in order. A client that does not read loses notifications, never answers.
struct Outbox(mpsc::Sender<Bytes>);

impl Port for Outbox {
    fn deliver(&self, _about: Option<&Id>, frame: Bytes) -> bool {
        self.0.try_send(frame).is_ok()
    }
}
