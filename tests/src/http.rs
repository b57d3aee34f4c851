//! A client over Streamable HTTP, by hand: what is sent is what a test says.

use crate::PATIENCE;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The JSON-RPC messages of the body, whether it is JSON or an event stream.
    pub fn messages(&self) -> Vec<Value> {
        let stream = self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !stream {
            return serde_json::from_str(&self.body).into_iter().collect();
        }
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
        data.map(|data| serde_json::from_str(data.trim()).expect("a JSON event")).collect()
    }
}

/// An MCP client over HTTP.
pub struct HttpClient {
    address: SocketAddr,
    token: String,
    session: Option<String>,
    next: u64,
}

impl HttpClient {
    /// A client for `http://ADDRESS/mcp` with a bearer token.
    pub fn new(url: &str, token: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches("/mcp").parse().expect("an address");
        Self { address, token: token.to_owned(), session: None, next: 1 }
    }

    /// One HTTP exchange on a connection of its own.
    pub fn exchange(&self, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        read_reply(self.send(method, headers, body))
    }

    fn send(&self, method: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut head = format!("{method} /mcp HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).expect("a sent head");
        let _ = stream.write_all(body);
        stream
    }

    /// Posts one frame with the usual headers.
    pub fn post(&self, frame: &[u8]) -> Reply {
        read_reply(self.posted(frame))
    }

    /// Posts one frame; whoever drops the connection does not wait for the answer.
    pub fn posted(&self, frame: &[u8]) -> TcpStream {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("authorization", bearer.as_str()),
        ];
        if let Some(session) = &self.session {
            headers.push(("mcp-session-id", session));
            headers.push(("mcp-protocol-version", "2025-11-25"));
        }
        self.send("POST", &headers, frame)
    }

    /// Shakes hands, and gives the answer.
    pub fn initialize(&mut self) -> Value {
        let info = json!({"name": "harness", "version": "0"});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
        let frame = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let reply = self.post(frame.to_string().as_bytes());
        self.session = reply.header("mcp-session-id").map(ToOwned::to_owned);
        let answer = reply.messages().pop().unwrap_or_else(|| panic!("{reply:?}"));
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.post(note.to_string().as_bytes());
        answer
    }

    /// Sends a request and gives the last message of the answer.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        let frame = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let reply = self.post(frame.to_string().as_bytes());
        reply.messages().pop().unwrap_or_else(|| panic!("{reply:?}"))
    }

    /// Calls a tool and gives the whole answer.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }
}

fn read_reply(stream: TcpStream) -> Reply {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').expect("a header");
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut raw = Vec::new();
    let _ = reader.read_to_end(&mut raw);
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunk(&raw) } else { raw };
    Reply { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&raw[..end]).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { break };
        let from = end + 2;
        body.extend_from_slice(&raw[from..(from + size).min(raw.len())]);
        raw = raw.get(from + size + 2..).unwrap_or_default();
    }
    body
}
