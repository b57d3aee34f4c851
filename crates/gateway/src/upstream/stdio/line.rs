//! Lines of bounded length.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Room that is made before each read: the default size of a Linux pipe.
const CHUNK: usize = 64 * 1024;

/// Reads lines from a server.
pub(super) struct Lines<R> {
    reader: R,
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no line feed.
    searched: usize,
    max: usize,
}

/// Why there is no next line.
#[derive(Debug, Error)]
pub(super) enum LineError {
    #[error("line longer than {0} bytes")]
    TooLong(usize),
    #[error("output ends inside a line")]
    Torn,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, max: usize) -> Self {
        Self { reader, buffer: BytesMut::new(), searched: 0, max }
    }

    /// The next line that is not blank, without its line end; `None` at the end of the output.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, LineError> {
        loop {
            while let Some(line) = self.buffered()? {
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line));
                }
            }
            self.buffer.reserve(CHUNK);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.trim_ascii().is_empty() { Ok(None) } else { Err(LineError::Torn) };
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Bytes>, LineError> {
        let unseen = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', unseen).map(|at| self.searched + at) else {
            self.searched = self.buffer.len();
            // One byte more than the limit may still be the `\r` of the line end.
            return if self.searched > self.max + 1 { Err(LineError::TooLong(self.max)) } else { Ok(None) };
        };
        let mut line = self.buffer.split_to(at).freeze();
        self.buffer.advance(1);
        self.searched = 0;
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.max { Err(LineError::TooLong(self.max)) } else { Ok(Some(line)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out its chunks one by one.
    struct Chunks(std::collections::VecDeque<Vec<u8>>);

    impl AsyncRead for Chunks {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            while let Some(chunk) = self.0.pop_front() {
                if !chunk.is_empty() {
                    buf.put_slice(&chunk);
                    break;
                }
            }
            std::task::Poll::Ready(Ok(()))
        }
    }

    async fn read(chunks: Vec<Vec<u8>>, max: usize) -> (Vec<Bytes>, Option<String>) {
        let mut lines = Lines::new(Chunks(chunks.into()), max);
        let mut found = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) => found.push(line),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }

    #[tokio::test]
    async fn line_ends_and_blank_lines() {
        let (lines, error) = read(vec![b"a\r\n\n \nb\nc".to_vec(), b"c\n\n".to_vec()], 8).await;
        assert_eq!((lines, error), (vec!["a".into(), "b".into(), "cc".into()], None));
    }

    #[tokio::test]
    async fn the_limit_is_inclusive_with_and_without_a_carriage_return() {
        let (lines, error) = read(vec![b"12345678\r\n".to_vec(), b"12345678\n".to_vec()], 8).await;
        assert_eq!((lines.len(), error), (2, None));
        for text in ["123456789\n", "123456789\r\n", "1234567890"] {
            let (lines, error) = read(vec![text.into()], 8).await;
            assert_eq!((lines.len(), error.as_deref()), (0, Some("line longer than 8 bytes")), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_torn_line_is_an_error() {
        let (lines, error) = read(vec![b"a\nb".to_vec()], 8).await;
        assert_eq!((lines.len(), error.as_deref()), (1, Some("output ends inside a line")));
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(text in "[ab\n]{0,60}", cuts in proptest::collection::vec(0usize..60, 0..8)) {
            let text = format!("{text}\n");
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks = cuts.windows(2).map(|pair| text.as_bytes()[pair[0]..pair[1]].to_vec()).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (lines, error) = runtime.block_on(read(chunks, 100));
            let expected: Vec<Bytes> =
                text.split('\n').filter(|line| !line.is_empty()).map(|line| Bytes::copy_from_slice(line.as_bytes())).collect();
            prop_assert_eq!((lines, error), (expected, None));
        }
    }
}
