//! The listener, byte by byte: what gets through to a handler and what does not.
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use bytes::Bytes;
use gateway::listener::{Answer, Handler, KEEP_ALIVE, RequestHead, Settings, serve};
use http::{HeaderMap, StatusCode};
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

const MAX: usize = 64;

/// Echoes bodies; streams what the test sends; notices who went away.
#[derive(Default)]
struct Probe {
    bodies: Mutex<Vec<Bytes>>,
    stream: Mutex<Option<mpsc::Receiver<Bytes>>>,
    gone: Mutex<Option<oneshot::Sender<()>>>,
}

struct SaysWhenDropped(Option<oneshot::Sender<()>>);

impl Drop for SaysWhenDropped {
    fn drop(&mut self) {
        if let Some(gone) = self.0.take() {
            let _ = gone.send(());
        }
    }
}

impl Handler for Probe {
    async fn post(&self, _: RequestHead, body: Bytes) -> Answer {
        self.bodies.lock().unwrap().push(body.clone());
        if body == "wait" {
            let _guard = SaysWhenDropped(self.gone.lock().unwrap().take());
            pending::<()>().await;
        }
        Answer::Json { status: StatusCode::OK, headers: HeaderMap::new(), body }
    }

    async fn get(&self, head: RequestHead) -> Answer {
        assert!(head.peer.ip().is_loopback());
        let Some(events) = self.stream.lock().unwrap().take() else {
            return Answer::Status(StatusCode::CONFLICT);
        };
        Answer::Sse { headers: HeaderMap::new(), events }
    }

    async fn delete(&self, _: RequestHead) -> Answer {
        Answer::Status(StatusCode::NO_CONTENT)
    }
}

struct Server {
    address: SocketAddr,
    probe: Arc<Probe>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

async fn start() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let probe = Arc::new(Probe::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let settings = Settings { max_message_bytes: MAX, ..Settings::default() };
    let serving = tokio::spawn(serve(listener, Arc::clone(&probe), settings, async { drop(stopped.await) }));
    Server { address, probe, stop, serving }
}

impl Server {
    async fn open(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request on a connection of its own; all that comes back.
    async fn raw(&self, request: &str) -> String {
        let mut stream = self.open().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A refusal before the end of a body may reset the connection after the answer.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn status(&self, line: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        let answer = self
            .raw(&format!("{line} HTTP/1.1\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"))
            .await;
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

const JSON: &str = "host: localhost\r\ncontent-type: application/json; charset=utf-8\r\n";

async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        text.push(char::from(stream.read_u8().await.unwrap()));
    }
    text
}

#[tokio::test]
async fn routes() {
    let server = start().await;
    for (line, status) in [
        ("POST /mcp", "200"),
        ("DELETE /mcp", "204"),
        ("GET /mcp", "409"),
        ("PUT /mcp", "405"),
        ("GET /healthz", "200"),
        ("POST /healthz", "405"),
        ("GET /", "404"),
        ("POST /mcp/", "404"),
        ("POST //mcp", "404"),
    ] {
        assert_eq!(server.status(line, JSON, "{}").await, status, "{line}");
    }
}

#[tokio::test]
async fn a_wrong_host_or_origin_is_403_and_never_reaches_the_handler() {
    let server = start().await;
    for headers in [
        "host: evil.example\r\n",
        "host: localhost\r\norigin: http://evil.example\r\n",
        "host: localhost\r\norigin: null\r\n",
        "host: localhost\r\nhost: localhost\r\n",
        "",
    ] {
        let headers = format!("{headers}content-type: application/json\r\n");
        for line in ["POST /mcp", "GET /healthz"] {
            let status = server.status(line, &headers, "{}").await;
            assert!(["403", "400"].contains(&status.as_str()), "{headers}: {status}");
        }
    }
    let good = format!("{JSON}origin: http://127.0.0.1:9\r\n");
    assert_eq!(server.status("POST /mcp", &good, "{}").await, "200");
    assert_eq!(server.probe.bodies.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn only_json_is_taken() {
    let server = start().await;
    for kind in ["", "content-type: text/plain\r\n", "content-type: application/x-www-form-urlencoded\r\n"] {
        assert_eq!(server.status("POST /mcp", &format!("host: localhost\r\n{kind}"), "{}").await, "415", "{kind}");
    }
}

#[tokio::test]
async fn the_body_limit_is_inclusive_announced_or_not() {
    let server = start().await;
    assert_eq!(server.status("POST /mcp", JSON, &"x".repeat(MAX)).await, "200");
    assert_eq!(server.status("POST /mcp", JSON, &"x".repeat(MAX + 1)).await, "413");
    // Announced only: not a byte is waited for.
    let answer = server.raw(&format!("POST /mcp HTTP/1.1\r\n{JSON}content-length: 99999999999\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunk = |length| format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
    for (length, status) in [(MAX, "200"), (MAX + 1, "413")] {
        let head = format!("POST /mcp HTTP/1.1\r\n{JSON}transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
        let answer = server.raw(&format!("{head}{}", chunk(length))).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = start().await;
    let mut stream = server.open().await;
    for body in ["first!", "second"] {
        let length = body.len();
        stream
            .write_all(format!("POST /mcp HTTP/1.1\r\n{JSON}content-length: {length}\r\n\r\n{body}").as_bytes())
            .await
            .unwrap();
        let answer = until(&mut stream, body).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn every_request_of_a_connection_is_looked_at() {
    let server = start().await;
    let mut stream = server.open().await;
    for (host, status) in [("localhost", "200"), ("localhost:80", "200"), ("evil.example", "403"), ("localhost", "200")]
    {
        let head = format!("POST /mcp HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n");
        stream.write_all(format!("{head}content-length: 2\r\n\r\n{{}}").as_bytes()).await.unwrap();
        let end = if status == "200" { "{}" } else { "\r\n\r\n" };
        let answer = until(&mut stream, end).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
        if status == "403" {
            // A body that was not read may cost the connection.
            stream = server.open().await;
        }
    }
    assert_eq!(server.probe.bodies.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_body_may_come_in_pieces() {
    let server = start().await;
    let mut stream = server.open().await;
    stream.write_all(format!("POST /mcp HTTP/1.1\r\n{JSON}content-length: 6\r\n\r\n").as_bytes()).await.unwrap();
    for piece in ["ab", "c", "def"] {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    until(&mut stream, "abcdef").await;
    let chunked = "2\r\nab\r\n1\r\nc\r\n3\r\ndef\r\n0\r\n\r\n";
    let head = format!("POST /mcp HTTP/1.1\r\n{JSON}transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    assert!(server.raw(&format!("{head}{chunked}")).await.ends_with("abcdef"));
    for length in 1..=MAX.min(4) {
        // The limit holds for the sum of the pieces.
        let pieces = format!("{:x}\r\n{}\r\n", MAX + 1 - length, "x".repeat(MAX + 1 - length));
        let last = format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
        let answer = server.raw(&format!("{head}{pieces}{last}")).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
}

#[tokio::test]
async fn events_arrive_one_by_one_and_the_stream_ends() {
    let server = start().await;
    let (events, receiver) = mpsc::channel(1);
    *server.probe.stream.lock().unwrap() = Some(receiver);
    let mut stream = server.open().await;
    stream.write_all(b"GET /mcp HTTP/1.1\r\nhost: [::1]:5\r\n\r\n").await.unwrap();
    let head = until(&mut stream, "\r\n\r\n").await;
    assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
    for message in ["{\"a\":1}", "{\r\n\"b\":2}"] {
        events.send(Bytes::copy_from_slice(message.as_bytes())).await.unwrap();
        let event = until(&mut stream, "\n\n").await;
        let line = message.replace(['\r', '\n'], " ");
        assert!(event.ends_with(&format!("event: message\ndata: {line}\n\n")), "{event:?}");
    }
    drop(events);
    assert!(until(&mut stream, "0\r\n\r\n").await.len() < 10);
}

#[tokio::test]
async fn an_idle_stream_says_that_it_is_there() {
    let server = start().await;
    let (_events, receiver) = mpsc::channel(1);
    *server.probe.stream.lock().unwrap() = Some(receiver);
    let mut stream = server.open().await;
    stream.write_all(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    until(&mut stream, "\r\n\r\n").await;
    tokio::time::pause();
    tokio::time::advance(KEEP_ALIVE).await;
    tokio::time::resume();
    assert!(until(&mut stream, "\n\n").await.ends_with(": keep-alive\n\n"));
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed() {
    let server = start().await;
    let (gone, noticed) = oneshot::channel();
    *server.probe.gone.lock().unwrap() = Some(gone);
    let mut stream = server.open().await;
    stream.write_all(format!("POST /mcp HTTP/1.1\r\n{JSON}content-length: 4\r\n\r\nwait").as_bytes()).await.unwrap();
    while server.probe.bodies.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    noticed.await.unwrap();

    let (events, receiver) = mpsc::channel(1);
    *server.probe.stream.lock().unwrap() = Some(receiver);
    let mut stream = server.open().await;
    stream.write_all(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    until(&mut stream, "\r\n\r\n").await;
    drop(stream);
    events.closed().await;
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_takes_no_more() {
    let server = start().await;
    let (events, receiver) = mpsc::channel(1);
    *server.probe.stream.lock().unwrap() = Some(receiver);
    let mut stream = server.open().await;
    stream.write_all(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    until(&mut stream, "\r\n\r\n").await;
    server.stop.send(()).unwrap();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    events.send(Bytes::from_static(b"{}")).await.unwrap();
    drop(events);
    assert!(until(&mut stream, "0\r\n\r\n").await.contains("data: {}"));
    server.serving.await.unwrap();
}
