//! Frames on their way to a command's stdin.
//!
//! Whoever has a frame writes it himself as long as nothing else is on its way. Who comes while another is writing leaves
//! his frame with that one, who writes it next: nobody waits for a system call of somebody else. What the pipe does not
//! take at once, and all that comes after it, goes through a queue to one writing task. No frame is written across an
//! await, so nobody who goes away can leave half of one behind.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::task::yield_now;

/// Frames that are queued. A server that does not read blocks its callers, not the gateway.
pub(super) const CAPACITY: usize = 64;
/// Frames left with the one who is writing. With what is left of his own they fit into the queue.
const LEFT: usize = CAPACITY - 1;
/// Frames that were left are written at once up to about so many bytes: what a pipe takes.
const BATCH_BYTES: usize = 64 * 1024;
/// So often one goes on writing what others left; what comes then is the task's.
const BATCHES: usize = 8;

/// The sending end.
pub(super) struct Outbox {
    /// `None` once closed. Never held across an await or a system call.
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
    /// INVARIANT: grows only under the lock of `open`, and not while a sender is writing. At zero the queue is empty and the
    /// task writes nothing.
    behind: Arc<AtomicUsize>,
    /// A sender is writing, without the lock, and looks at `left` before he ends.
    writing: bool,
    /// What came meanwhile, at most [`LEFT`].
    left: VecDeque<Bytes>,
    /// Nothing more is taken. The one who is writing closes the pipe.
    closing: bool,
}

/// What is left of one line, or of several in a row.
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

/// What becomes of a line that is offered.
enum Offered {
    /// It is written, or the one who is writing has it.
    Taken,
    /// The caller is the one who writes now.
    Write(Arc<pipe::Sender>, Bytes),
    /// It has its place behind what is on its way.
    Queue(mpsc::Sender<Queued>, Queued),
    /// As many as may be are left with the one who is writing.
    Full(Bytes),
}

impl Outbox {
    pub(super) fn new(stdin: pipe::Sender) -> (Self, Writing) {
        let (sender, queue) = mpsc::channel(CAPACITY);
        let stdin = Arc::new(stdin);
        let open = Open {
            stdin: Arc::clone(&stdin),
            queue: sender,
            behind: Arc::default(),
            writing: false,
            left: VecDeque::new(),
            closing: false,
        };
        (Self { open: Mutex::new(Some(open)) }, Writing { stdin, queue })
    }

    /// Writes a line or queues it, waiting for room.
    pub(super) async fn send(&self, mut line: Bytes) -> Result<(), Refused> {
        loop {
            match self.offer(line)? {
                Offered::Taken => return Ok(()),
                Offered::Write(stdin, line) => return self.write(&stdin, line),
                Offered::Queue(queue, queued) => return queue.send(queued).await.map_err(|_| Refused::Closed),
                // Who is writing waits for nothing, so that there is room soon.
                Offered::Full(again) => {
                    line = again;
                    yield_now().await;
                }
            }
        }
    }

    /// Writes a line, or queues it if there is room.
    pub(super) fn send_now(&self, line: Bytes) {
        match self.offer(line) {
            Ok(Offered::Write(stdin, line)) => {
                let _ = self.write(&stdin, line);
            }
            Ok(Offered::Queue(queue, queued)) => {
                let _ = queue.try_send(queued);
            }
            Ok(Offered::Taken | Offered::Full(_)) | Err(_) => {}
        }
    }

    /// Takes nothing more; the pipe is closed once everything that was taken is written.
    pub(super) fn close(&self) {
        let mut open = self.lock();
        match open.as_mut() {
            Some(writing) if writing.writing => writing.closing = true,
            _ => *open = None,
        }
    }

    fn offer(&self, line: Bytes) -> Result<Offered, Refused> {
        let mut open = self.lock();
        let open = open.as_mut().filter(|open| !open.closing).ok_or(Refused::Closed)?;
        if open.writing {
            if open.left.len() >= LEFT {
                return Ok(Offered::Full(line));
            }
            open.left.push_back(line);
            return Ok(Offered::Taken);
        }
        // With the release of each place: what the task wrote was written before.
        if open.behind.load(Ordering::Acquire) > 0 {
            return Ok(Offered::Queue(open.queue.clone(), open.behind(line)));
        }
        open.writing = true;
        Ok(Offered::Write(Arc::clone(&open.stdin), line))
    }

    /// Writes a line as far as that can be done here and now, and then what others left. The error is about the line alone:
    /// what cannot be written of the others is the task's, which meets the same error.
    fn write(&self, stdin: &pipe::Sender, mut line: Bytes) -> Result<(), Refused> {
        let written = match stdin.try_write(&line) {
            Ok(written) => written,
            Err(error) if is_for_later(&error) => 0,
            Err(_) => {
                let _ = self.end_writing(Bytes::new());
                return Err(Refused::Broken);
            }
        };
        line.advance(written);
        if !line.is_empty() {
            // Half a frame must not be followed by another one.
            return self.end_writing(line).map_err(|_| Refused::Torn);
        }
        for _ in 0..BATCHES {
            let Some(mut batch) = self.next_batch() else { return Ok(()) };
            batch.advance(stdin.try_write(&batch).unwrap_or_default());
            if !batch.is_empty() {
                // A task that has ended has told why.
                let _ = self.end_writing(batch);
                return Ok(());
            }
        }
        let _ = self.end_writing(Bytes::new());
        Ok(())
    }

    /// What others left, as much as is written at once. `None`: nothing, and the caller is no longer the one who writes.
    fn next_batch(&self) -> Option<Bytes> {
        let mut open = self.lock();
        let Some(first) = open.as_mut()?.left.pop_front() else {
            Self::finish(&mut open);
            return None;
        };
        let left = &mut open.as_mut()?.left;
        if left.is_empty() {
            return Some(first);
        }
        let mut batch = BytesMut::from(&first[..]);
        while let Some(line) = left.pop_front_if(|line| batch.len() + line.len() <= BATCH_BYTES) {
            batch.extend_from_slice(&line);
        }
        Some(batch.freeze())
    }

    /// Queues what could not be written, and all that was left meanwhile behind it.
    fn end_writing(&self, rest: Bytes) -> Result<(), Refused> {
        let mut open = self.lock();
        let Some(writing) = open.as_mut() else { return Err(Refused::Closed) };
        let left = std::mem::take(&mut writing.left);
        // The queue is empty and has room for all of them.
        let queued = Some(rest)
            .filter(|rest| !rest.is_empty())
            .into_iter()
            .chain(left)
            .try_for_each(|line| writing.queue.try_send(writing.behind(line)).map_err(|_| Refused::Closed));
        Self::finish(&mut open);
        queued
    }

    /// The one who wrote writes no longer.
    fn finish(open: &mut Option<Open>) {
        if let Some(writing) = open.as_mut() {
            writing.writing = false;
        }
        if open.as_ref().is_some_and(|open| open.closing) {
            *open = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
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

    /// The turn of one who writes now, and has not begun.
    fn begin(outbox: &Outbox, line: Bytes) -> (Arc<pipe::Sender>, Bytes) {
        match outbox.offer(line).unwrap() {
            Offered::Write(stdin, line) => (stdin, line),
            _ => panic!("somebody else is writing"),
        }
    }

    #[tokio::test]
    async fn what_comes_during_a_write_is_written_next_and_in_order() {
        let (stdin, mut reader) = pipe().await;
        let (outbox, _writing) = Outbox::new(stdin);
        let (stdin, first) = begin(&outbox, line(b'a', 3));
        outbox.send(line(b'b', 3)).now_or_never().unwrap().unwrap();
        outbox.send_now(line(b'c', 30_000));
        outbox.send_now(line(b'd', 3));
        outbox.write(&stdin, first).unwrap();
        assert!(!outbox.lock().as_ref().unwrap().writing);
        let mut read = vec![0; 4];
        reader.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"aaa\n");
        drop((outbox, stdin, _writing));
        let read = lines(reader).await;
        let lengths: Vec<_> = read.iter().map(|line| (line[0], line.len())).collect();
        assert_eq!(lengths, [(b'b', 3), (b'c', 30_000), (b'd', 3)]);
    }

    #[tokio::test]
    async fn as_many_as_fit_the_queue_are_left_and_the_next_one_waits() {
        let (stdin, reader) = pipe().await;
        let (outbox, writing) = Outbox::new(stdin);
        // The pipe takes a part of the first line, and nothing of the others.
        let (stdin, first) = begin(&outbox, line(b'a', LARGE));
        for _ in 0..LEFT {
            outbox.send(line(b'b', LARGE)).now_or_never().unwrap().unwrap();
        }
        let mut next = Box::pin(outbox.send(line(b'c', 3)));
        assert!((&mut next).now_or_never().is_none());
        outbox.send_now(line(b'x', 3));
        outbox.write(&stdin, first).unwrap();
        let task = tokio::spawn(writing.run());
        let read = tokio::spawn(lines(reader));
        next.await.unwrap();
        drop(stdin);
        outbox.close();
        task.await.unwrap().unwrap();
        let read = read.await.unwrap();
        assert_eq!(read.len(), 1 + LEFT + 1);
        assert!(read[..=LEFT].iter().all(|line| is_whole(line, LARGE)));
        assert_eq!(read.last(), Some(&b"ccc".to_vec()));
    }

    #[tokio::test]
    async fn an_outbox_closed_during_a_write_writes_what_was_left() {
        let (stdin, reader) = pipe().await;
        let (outbox, writing) = Outbox::new(stdin);
        let (stdin, first) = begin(&outbox, line(b'a', 3));
        outbox.send(line(b'b', 3)).await.unwrap();
        outbox.close();
        assert_eq!(outbox.send(line(b'x', 3)).await, Err(Refused::Closed));
        outbox.write(&stdin, first).unwrap();
        assert!(outbox.lock().is_none());
        drop(stdin);
        writing.run().await.unwrap();
        assert_eq!(lines(reader).await, [b"aaa", b"bbb"]);
    }

    #[tokio::test]
    async fn the_task_tells_of_left_lines_that_nobody_reads() {
        let (stdin, reader) = pipe().await;
        let (outbox, writing) = Outbox::new(stdin);
        let (stdin, first) = begin(&outbox, line(b'a', 3));
        outbox.send(line(b'b', 3)).await.unwrap();
        drop(reader);
        assert_eq!(outbox.write(&stdin, first), Err(Refused::Broken));
        assert_eq!(writing.run().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn what_is_left_again_and_again_becomes_the_tasks() {
        let (stdin, mut reader) = pipe().await;
        let (outbox, writing) = Outbox::new(stdin);
        let (stdin, first) = begin(&outbox, line(b'a', 3));
        // Each of these is a batch of its own.
        for _ in 0..=BATCHES {
            outbox.send(line(b'b', BATCH_BYTES)).await.unwrap();
        }
        let drained = tokio::spawn(async move {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).await.unwrap();
            read
        });
        outbox.write(&stdin, first).unwrap();
        drop(stdin);
        outbox.close();
        writing.run().await.unwrap();
        assert_eq!(drained.await.unwrap().len(), 4 + (BATCHES + 1) * (BATCH_BYTES + 1));
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
