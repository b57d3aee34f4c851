//! Clients that do as little as a client can: fixed frames, one reused buffer, blocking reads.

use memchr::memmem::Finder;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every call says: as long as a short sentence usually is.
pub const MESSAGE: &str = "the quick brown fox jumps over the lazy dog";

/// Something that answers frames, one at a time.
pub trait Client: Send {
    /// Sends a frame and gives the answer's text. It is an error when there is none.
    fn exchange(&mut self, frame: &str) -> Result<&[u8], String>;
}

/// The frame that opens a conversation.
pub fn initialize_frame() -> &'static str {
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"load","version":"0"}}}"#
}

/// Writes the frame of a call over `frame`.
pub fn call_frame(frame: &mut String, id: u64) {
    use std::fmt::Write;
    frame.clear();
    let params = format_args!(r#"{{"name":"echo","arguments":{{"message":"{MESSAGE}"}}}}"#);
    // Text takes every write.
    let _ = write!(frame, r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#);
}

/// Tells an echo from a refusal, which may quote nothing of the call.
pub struct Checker {
    message: Finder<'static>,
    error: Finder<'static>,
}

impl Checker {
    pub fn new() -> Self {
        Self { message: Finder::new(MESSAGE), error: Finder::new("\"isError\":true") }
    }

    /// Whether this is the tool's own answer to the call.
    pub fn check(&self, id: u64, answer: &[u8]) -> Result<(), String> {
        let ours = answer.starts_with(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#).as_bytes());
        if ours && self.message.find(answer).is_some() && self.error.find(answer).is_none() {
            return Ok(());
        }
        Err(format!("call {id} was answered with {}", String::from_utf8_lossy(answer)))
    }
}

/// A keep-alive connection to an MCP endpoint.
pub struct HttpClient {
    reader: BufReader<TcpStream>,
    head: String,
    request: Vec<u8>,
    line: String,
    body: Vec<u8>,
    session: Option<String>,
}

impl HttpClient {
    /// Connects to `http://ADDRESS/mcp`.
    pub fn connect(url: &str, key: &str, session: Option<&str>) -> Result<Self, String> {
        let address: SocketAddr = url
            .strip_prefix("http://")
            .and_then(|rest| rest.strip_suffix("/mcp"))
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| format!("`{url}` is not an endpoint"))?;
        let stream = TcpStream::connect(address).map_err(|error| format!("cannot connect: {error}"))?;
        stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).map_err(|e| e.to_string())?;
        let mut head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nauthorization: Bearer {key}\r\n"
        );
        if let Some(session) = session {
            head += &format!("mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n");
        }
        let reader = BufReader::new(stream);
        Ok(Self { reader, head, request: Vec::new(), line: String::new(), body: Vec::new(), session: None })
    }

    /// Opens a conversation and gives its id.
    pub fn open(url: &str, key: &str) -> Result<String, String> {
        let mut client = Self::connect(url, key, None)?;
        let answer = String::from_utf8_lossy(client.exchange(initialize_frame())?).into_owned();
        let session = client.session.take().ok_or_else(|| format!("no conversation was opened: {answer}"))?;
        let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        Self::connect(url, key, Some(&session))?.exchange(note)?;
        Ok(session)
    }

    fn send(&mut self, frame: &str) -> std::io::Result<()> {
        self.request.clear();
        write!(self.request, "{}content-length: {}\r\n\r\n{frame}", self.head, frame.len())?;
        self.reader.get_mut().write_all(&self.request)
    }

    /// The status of the reply; the body is left in `body`.
    fn receive(&mut self) -> std::io::Result<u16> {
        self.next_line()?;
        let status = self.line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let mut length = 0;
        loop {
            self.next_line()?;
            let line = self.line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            } else if self.session.is_none() && name.eq_ignore_ascii_case("mcp-session-id") {
                self.session = Some(value.trim().to_owned());
            }
        }
        self.body.resize(length, 0);
        self.reader.read_exact(&mut self.body)?;
        Ok(status)
    }

    fn next_line(&mut self) -> std::io::Result<()> {
        self.line.clear();
        match self.reader.read_line(&mut self.line)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl Client for HttpClient {
    fn exchange(&mut self, frame: &str) -> Result<&[u8], String> {
        let status = self.send(frame).and_then(|()| self.receive()).map_err(|error| format!("no reply: {error}"))?;
        match status {
            200 | 202 => Ok(&self.body),
            _ => Err(format!("status {status}: {}", String::from_utf8_lossy(&self.body))),
        }
    }
}

/// Connections of one conversation, so with one server process behind them.
pub fn connect_all(url: &str, key: &str, count: usize) -> Result<Vec<Box<dyn Client>>, String> {
    let session = HttpClient::open(url, key)?;
    let connect = |_| HttpClient::connect(url, key, Some(&session)).map(|client| Box::new(client) as Box<dyn Client>);
    (0..count).map(connect).collect()
}

/// The server itself as a child.
pub struct StdioClient {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl StdioClient {
    /// Starts a server and shakes hands.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("cannot start the server: {error}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the server has no pipes".into());
        };
        let mut client = Self { child, stdin, stdout: BufReader::new(stdout), line: Vec::new() };
        client.exchange(initialize_frame())?;
        Ok(client)
    }
}

impl Client for StdioClient {
    fn exchange(&mut self, frame: &str) -> Result<&[u8], String> {
        self.line.clear();
        self.line.extend_from_slice(frame.as_bytes());
        self.line.push(b'\n');
        let sent = self.stdin.write_all(&self.line);
        self.line.clear();
        let received = sent.and_then(|()| self.stdout.read_until(b'\n', &mut self.line));
        match received {
            Ok(0) => Err("the server ended".into()),
            Ok(_) => Ok(&self.line),
            Err(error) => Err(format!("no answer: {error}")),
        }
    }
}

impl Drop for StdioClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tools_own_answer_counts() {
        let checker = Checker::new();
        let answer =
            |id: u64, rest: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":"{MESSAGE}"{rest}}}}}"#);
        assert!(checker.check(7, answer(7, "").as_bytes()).is_ok());
        assert!(checker.check(7, answer(70, "").as_bytes()).is_err(), "another call's answer");
        assert!(checker.check(7, answer(7, r#","isError":true"#).as_bytes()).is_err(), "a refusal");
        assert!(checker.check(7, br#"{"jsonrpc":"2.0","id":7,"result":{}}"#).is_err(), "an empty answer");
    }
}
