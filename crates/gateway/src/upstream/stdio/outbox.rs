//! Frames on their way to a command's stdin.
//!
//! Whoever has a frame writes it himself as long as nothing else is on its way; what the pipe does not take at once, and
//! all that comes after it, goes through a queue to one writing task. No frame is written across an await, so nobody
//! who goes away can leave half of one behind.

use bytes::{Buf, Bytes};
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// Frames that are queued. A server that does not read blocks its callers, not the gateway.
pub(super) const CAPACITY: usize = 64;

/// The sending end.
pub(super) struct Outbox {
    /// `None` once closed. Held for at most one write that does not block, never across an await.
    open: Mutex<Option<Open>>,
}

/// Why a frame was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The outbox is closed, or its writing task has ended.
    Closed,
    /// Nobody reads what would be written. Nothing of the frame was.
    Broken,
    /// The pipe was lost in the middle of the frame.
    Torn,
}

struct Open {
    stdin: Arc<pipe::Sender>,
    queue: mpsc::Sender<Queued>,
    /// Frames that are queued, being written by the task, or waiting for room in the queue.
    ///
    /// INVARIANT: grows only under the lock of `open`. At zero, whoever holds the lock is the only one who writes, and the
    /// queue is empty.
    behind: Arc<AtomicUsize>,
}

/// What is left of one line.
struct Queued {
    line: Bytes,
    _place: Place,
}

/// One of those that are behind, until it is written or given up.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// The task's end.
pub(super) struct Writing {
    stdin: Arc<pipe::Sender>,
    queue: mpsc::Receiver<Queued>,
}

impl Outbox {
    pub(super) fn new(stdin: pipe::Sender) -> (Self, Writing) {
        let (sender, queue) = mpsc::channel(CAPACITY);
        let stdin = Arc::new(stdin);
        let open = Open { stdin: Arc::clone(&stdin), queue: sender, behind: Arc::default() };
        (Self { open: Mutex::new(Some(open)) }, Writing { stdin, queue })
    }

    /// Writes a line or queues it, waiting for room.
    pub(super) async fn send(&self, line: Bytes) -> Result<(), Refused> {
        let (queue, queued) = {
            let open = self.lock();
            let open = open.as_ref().ok_or(Refused::Closed)?;
            match open.offer(line)? {
                Some(queued) => (open.queue.clone(), queued),
                None => return Ok(()),
            }
        };
        queue.send(queued).await.map_err(|_| Refused::Closed)
    }

    /// Writes a line, or queues it if there is room.
    pub(super) fn send_now(&self, line: Bytes) {
        if let Some(open) = self.lock().as_ref()
            && let Ok(Some(queued)) = open.offer(line)
        {
            let _ = open.queue.try_send(queued);
        }
    }

    /// Takes nothing more; the pipe is closed once everything that was taken is written.
    pub(super) fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Writes a line as far as that can be done here and now; `Some` is to be queued behind what is on its way.
    fn offer(&self, mut line: Bytes) -> Result<Option<Queued>, Refused> {
        // With the release of each place: what the task wrote was written before.
        if self.behind.load(Ordering::Acquire) > 0 {
            return Ok(Some(self.behind(line)));
        }
        let written = match self.stdin.try_write(&line) {
            Ok(written) => written,
            Err(error) if is_for_later(&error) => 0,
            Err(_) => return Err(Refused::Broken),
        };
        if written == line.len() {
            return Ok(None);
        }
        line.advance(written);
        // The queue is empty and has room. Were it not so, half a frame must not be followed by another one.
        self.queue.try_send(self.behind(line)).map_err(|_| Refused::Torn)?;
        Ok(None)
    }

    fn behind(&self, line: Bytes) -> Queued {
        self.behind.fetch_add(1, Ordering::Relaxed);
        Queued { line, _place: Place(Arc::clone(&self.behind)) }
    }
}

impl Writing {
    /// Writes what is queued, until the outbox is closed.
    pub(super) async fn run(mut self) -> io::Result<()> {
        while let Some(mut queued) = self.queue.recv().await {
            while !queued.line.is_empty() {
                match self.stdin.try_write(&queued.line) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(written) => queued.line.advance(written),
                    Err(error) if is_for_later(&error) => self.stdin.writable().await?,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;
    use tokio::time::timeout;

    /// More than a pipe takes at once.
    const LARGE: usize = 300_000;

    /// A pipe of which it is known that it can be written to, as of any one that was.
    async fn pipe() -> (pipe::Sender, pipe::Receiver) {
        let (stdin, reader) = pipe::pipe().unwrap();
        stdin.writable().await.unwrap();
        (stdin, reader)
    }

    fn line(letter: u8, length: usize) -> Bytes {
        let mut line = vec![letter; length];
        line.push(b'\n');
        line.into()
    }

    async fn lines(mut reader: pipe::Receiver) -> Vec<Vec<u8>> {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).await.unwrap();
        assert_eq!(read.pop(), Some(b'\n'), "the last line is whole");
        read.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn is_whole(line: &[u8], length: usize) -> bool {
        line.len() == length && line.iter().all(|byte| *byte == line[0])
    }

    #[tokio::test]
    async fn what_fits_is_written_without_the_task() {
        let (stdin, mut reader) = pipe().await;
        let (outbox, _writing) = Outbox::new(stdin);
        outbox.send(line(b'a', 3)).await.unwrap();
        outbox.send_now(line(b'b', 3));
        let mut read = [0; 8];
        reader.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"aaa\nbbb\n");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_writers_never_mix_lines() {
        let (stdin, reader) = pipe().await;
        let (outbox, writing) = Outbox::new(stdin);
        let outbox = Arc::new(outbox);
        let task = tokio::spawn(writing.run());
        let senders: Vec<_> = (0..16_u8)
            .map(|number| {
                let outbox = Arc::clone(&outbox);
                tokio::spawn(async move {
                    for turn in 0..20 {
                        // Small ones that fit beside large ones that do not.
                        let length = if (turn + number) % 5 == 0 { LARGE } else { 100 };
                        outbox.send(line(b'a' + number, length)).await.unwrap();
                    }
                })
            })
            .collect();
        let read = tokio::spawn(lines(reader));
        for sender in senders {
            sender.await.unwrap();
        }
        outbox.close();
        task.await.unwrap().unwrap();
        let read = read.await.unwrap();
        assert_eq!(read.len(), 16 * 20);
        assert!(read.iter().all(|line| is_whole(line, LARGE) || is_whole(line, 100)));
        // The lines of one sender stay in order: each waits for its own.
        assert_eq!(read.iter().filter(|line| line.len() == LARGE).count(), 16 * 4);
    }

    #[tokio::test]
    async fn a_sender_who_goes_away_leaves_whole_lines() {
        let (stdin, reader) = pipe().await;
        let (outbox, writing) = Outbox::new(stdin);
        // Nobody reads: the first line is cut by the full pipe, the queue fills, and one more sender waits for room.
        for _ in 0..CAPACITY {
            outbox.send(line(b'a', LARGE)).await.unwrap();
        }
        let mut waiting = Box::pin(outbox.send(line(b'x', LARGE)));
        assert!((&mut waiting).now_or_never().is_none());
        drop(waiting);
        let task = tokio::spawn(writing.run());
        let read = tokio::spawn(lines(reader));
        outbox.send(line(b'b', 100)).await.unwrap();
        outbox.close();
        task.await.unwrap().unwrap();
        let read = read.await.unwrap();
        assert_eq!(read.len(), CAPACITY + 1);
        assert!(read.iter().take(CAPACITY).all(|line| is_whole(line, LARGE) && line[0] == b'a'));
        assert_eq!(read.last(), Some(&vec![b'b'; 100]));
    }

    #[tokio::test]
    async fn after_a_queue_that_emptied_lines_are_written_directly_again() {
        let (stdin, mut reader) = pipe().await;
        let (outbox, writing) = Outbox::new(stdin);
        outbox.send(line(b'a', LARGE)).await.unwrap();
        let task = tokio::spawn(writing.run());
        let mut read = vec![0; LARGE + 1];
        reader.read_exact(&mut read).await.unwrap();
        let behind = Arc::clone(&outbox.lock().as_ref().unwrap().behind);
        while behind.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        task.abort();
        outbox.send(line(b'b', 3)).await.unwrap();
        let mut read = [0; 4];
        reader.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"bbb\n");
    }

    #[tokio::test]
    async fn a_queue_that_is_full_holds_its_senders_and_nobody_else() {
        let (stdin, _reader) = pipe().await;
        let (outbox, _writing) = Outbox::new(stdin);
        for _ in 0..CAPACITY {
            outbox.send(line(b'a', LARGE)).await.unwrap();
        }
        outbox.send_now(line(b'x', 1));
        assert!(timeout(Duration::from_millis(1), outbox.send(line(b'x', 1))).await.is_err());
    }

    #[tokio::test]
    async fn nobody_who_reads_and_a_closed_outbox_take_nothing() {
        let (stdin, reader) = pipe().await;
        let (outbox, _writing) = Outbox::new(stdin);
        drop(reader);
        assert_eq!(outbox.send(line(b'a', 3)).await, Err(Refused::Broken));
        outbox.close();
        assert_eq!(outbox.send(line(b'a', 3)).await, Err(Refused::Closed));
    }
}
