//! What a command writes to stderr: for whoever debugs it, never protocol.

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStderr;
use tracing::debug;

/// Bytes of one line that are shown; the rest of the line is skipped.
pub const MAX_STDERR_LINE_BYTES: usize = 4096;

/// Reads to the end in the background: a command that fills its stderr must not block on it.
pub(super) fn follow(label: String, stderr: ChildStderr) {
    tokio::spawn(async move {
        let mut lines = Lines::new();
        let mut reader = BufReader::new(stderr);
        while let Ok(chunk) = reader.fill_buf().await {
            if chunk.is_empty() {
                break;
            }
            let length = chunk.len();
            lines.feed(chunk, |line| debug!(server = label, line = &*String::from_utf8_lossy(line), "stderr"));
            reader.consume(length);
        }
    });
}

struct Lines {
    line: Vec<u8>,
}

impl Lines {
    const fn new() -> Self {
        Self { line: Vec::new() }
    }

    fn feed(&mut self, chunk: &[u8], mut show: impl FnMut(&[u8])) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = MAX_STDERR_LINE_BYTES - self.line.len();
            self.line.extend(text.iter().take(room));
            if ended {
                show(&self.line);
                self.line.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_survive_chunking() {
        let mut lines = Lines::new();
        let mut seen: Vec<usize> = Vec::new();
        let long = vec![b'x'; MAX_STDERR_LINE_BYTES + 1];
        for chunk in [b"on".as_slice(), b"e\ntwo\n", &long, b"tail\n", b"\nopen"] {
            lines.feed(chunk, |line| seen.push(line.len()));
        }
        assert_eq!(seen, [3, 3, MAX_STDERR_LINE_BYTES, 0]);
    }
}
