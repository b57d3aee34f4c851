//! Event streams, strictly and boundedly read.
//!
//! Source: the "event stream interpretation" of the HTML standard. Stricter: bytes that are not UTF-8 are an error
//! instead of being replaced.

use thiserror::Error;

/// One event of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The lines of its data, joined by line feeds.
    pub(super) data: Vec<u8>,
    /// Whether it is of the one type that carries messages: `message`, or none.
    pub(super) message: bool,
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum StreamError {
    #[error("event larger than {0} bytes")]
    TooLarge(usize),
    #[error("event stream is not UTF-8")]
    NotUtf8,
}

/// Takes a stream apart.
#[derive(Debug)]
pub(super) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    message: bool,
    /// A line feed that follows now belongs to the line end before.
    after_return: bool,
    first_line: bool,
    /// The last id seen, which a reader that comes back names.
    pub(super) last_id: Option<String>,
    /// What the server asked a reader to wait before coming back, in milliseconds.
    pub(super) retry_ms: Option<u64>,
    max: usize,
}

impl Parser {
    /// Of events with at most `max` bytes of data.
    pub(super) const fn new(max: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            message: true,
            after_return: false,
            first_line: true,
            last_id: None,
            retry_ms: None,
            max,
        }
    }

    /// Takes the next bytes and adds the events that are complete now. An event that the stream ends in is lost, as the
    /// standard says.
    pub(super) fn feed(&mut self, mut chunk: &[u8], events: &mut Vec<Event>) -> Result<(), StreamError> {
        while !chunk.is_empty() {
            if std::mem::take(&mut self.after_return)
                && let Some(rest) = chunk.strip_prefix(b"\n")
            {
                chunk = rest;
                continue;
            }
            let Some(at) = memchr::memchr2(b'\n', b'\r', chunk) else {
                self.extend_line(chunk)?;
                return Ok(());
            };
            let (text, rest) = chunk.split_at(at);
            self.extend_line(text)?;
            self.after_return = rest.first() == Some(&b'\r');
            chunk = rest.get(1..).unwrap_or_default();
            let line = std::mem::take(&mut self.line);
            self.take_line(&line, events)?;
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    fn extend_line(&mut self, text: &[u8]) -> Result<(), StreamError> {
        // The longest line that can matter is a field name and a whole event.
        let max = self.max.saturating_add("data: ".len());
        if self.line.len() + text.len() > max {
            return Err(StreamError::TooLarge(self.max));
        }
        self.line.extend_from_slice(text);
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], events: &mut Vec<Event>) -> Result<(), StreamError> {
        let line = std::str::from_utf8(line).map_err(|_| StreamError::NotUtf8)?;
        let line =
            if std::mem::take(&mut self.first_line) { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        if line.is_empty() {
            self.dispatch(events);
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => return self.add_data(value),
            "event" => self.message = value.is_empty() || value == "message",
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            // Comments (an empty field name) and fields of the future.
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &str) -> Result<(), StreamError> {
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        if self.data.len() + value.len() > self.max {
            return Err(StreamError::TooLarge(self.max));
        }
        self.data.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) {
        let data = std::mem::take(&mut self.data);
        let message = std::mem::replace(&mut self.message, true);
        if std::mem::take(&mut self.has_data) {
            events.push(Event { data, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(chunks: &[&[u8]], max: usize) -> Result<Vec<String>, StreamError> {
        let mut parser = Parser::new(max);
        let mut events = Vec::new();
        for chunk in chunks {
            parser.feed(chunk, &mut events)?;
        }
        let text = |event: Event| {
            format!("{}{}", if event.message { "" } else { "!" }, String::from_utf8(event.data).unwrap())
        };
        Ok(events.into_iter().map(text).collect())
    }

    #[test]
    fn fields_comments_and_types() {
        let stream = "\u{feff}: hello\nevent: message\nid: 7\ndata: {\"a\":1}\n\nevent: ping\ndata\n\nretry: 50\ndata:a\ndata: b\nunknown: x\n\n\nid: 8\n\ndata: lost";
        assert_eq!(read(&[stream.as_bytes()], 64).unwrap(), ["{\"a\":1}", "!", "a\nb"]);
        let mut parser = Parser::new(64);
        parser.feed(stream.as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!((parser.last_id.as_deref(), parser.retry_ms), (Some("8"), Some(50)));
    }

    #[test]
    fn all_three_line_ends() {
        for stream in ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r"] {
            assert_eq!(read(&[stream.as_bytes()], 64).unwrap(), ["a", "b"], "{stream:?}");
        }
        // Were the `\n` of a `\r\n` a line end of its own, the event would end after its first line.
        assert_eq!(read(&[b"data: a\r\ndata: b\r", b"\n\r\n"], 64).unwrap(), ["a\nb"]);
    }

    #[test]
    fn the_size_limit_is_inclusive() {
        assert_eq!(read(&[b"data: 12345678\n\n"], 8).unwrap(), ["12345678"]);
        assert_eq!(read(&[b"data: 1234\ndata: 567\n\n"], 8).unwrap(), ["1234\n567"]);
        for stream in ["data: 123456789\n\n", "data: 123456789", "data: 1234\ndata: 5678\n\n"] {
            assert_eq!(read(&[stream.as_bytes()], 8).unwrap_err(), StreamError::TooLarge(8), "{stream:?}");
        }
    }

    #[test]
    fn other_encodings_are_refused() {
        assert_eq!(read(&[b"data: \xff\n\n"], 64).unwrap_err(), StreamError::NotUtf8);
        assert_eq!(read(&[b": \xff\n\n"], 64).unwrap_err(), StreamError::NotUtf8);
        assert_eq!(read(&[b"data: \xc3", b"\xa9\n\n"], 64).unwrap(), ["é"]);
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(stream in "(data: ?[a-z]{0,3}|id:x|:c|event:e|)(\n|\r|\r\n)((data: ?[a-zé]{0,3}|:c|)(\n|\r|\r\n)){0,12}",
                                    cut in 0usize..80, second in 0usize..80) {
            let bytes = stream.as_bytes();
            let (a, b) = (cut.min(second).min(bytes.len()), cut.max(second).min(bytes.len()));
            prop_assert_eq!(read(&[&bytes[..a], &bytes[a..b], &bytes[b..]], 64), read(&[bytes], 64));
        }
    }
}
