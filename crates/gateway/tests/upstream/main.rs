//! Upstreams, over both transports against the same scripted server: right, wrong and hostile.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test says so by failing")]

mod http_only;
mod http_server;
#[path = "../../probe/script.rs"]
mod script;
mod stdio_only;
mod tls;

use bytes::Bytes;
use gateway::guardian::Guardian;
use gateway::jsonrpc::{Outcome, ProtocolVersion};
use gateway::upstream::{
    Connected, Hello, INCOMING_CAPACITY, Incoming, MAX_DROPPED, MAX_LIST_PAGES, Reach, Server, Upstream, UpstreamError,
    connect,
};
use http_server::HttpServer;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

const PROBE: &str = env!("CARGO_BIN_EXE_gateway-probe");
const MAX_BYTES: usize = 4096;
const OWN: Hello<'static> = Hello::Own {
    client_info: br#"{"name":"test","version":"1"}"#,
    capabilities: br#"{"roots":{}}"#,
    version: ProtocolVersion::V2025_11_25,
};

#[derive(Clone, Copy, PartialEq)]
enum Transport {
    Stdio,
    Http,
}

/// A connection and whatever has to live as long.
struct Peer {
    up: Upstream,
    incoming: mpsc::Receiver<Incoming>,
    initialized: Bytes,
    _server: Option<HttpServer>,
}

impl Transport {
    async fn connect(self, hello: Hello<'_>) -> Peer {
        let (reach, server) = match self {
            Self::Stdio => (Reach::Start(stdio_only::command(&["script"])), None),
            Self::Http => {
                let server = HttpServer::start().await;
                (Reach::Http(server.endpoint()), Some(server))
            }
        };
        let Connected { upstream, incoming, initialized } =
            connect(&Guardian::at(PROBE), &settings(reach), hello).await.unwrap();
        assert_eq!(initialized.version, ProtocolVersion::V2025_11_25);
        Peer { up: upstream, incoming, initialized: initialized.result, _server: server }
    }
}

fn settings(reach: Reach) -> Server {
    Server { name: "test".into(), reach, start_timeout: Duration::from_secs(30), max_message_bytes: MAX_BYTES }
}

/// Far enough away never to be what a test sees.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

impl Peer {
    async fn ask(&self, method: &str, params: &str) -> Result<Outcome, UpstreamError> {
        self.up.request(method, Some(params.as_bytes()), soon(), None).await
    }
}

fn result(text: &str) -> Result<Outcome, UpstreamError> {
    Ok(Outcome::Result(Bytes::copy_from_slice(text.as_bytes())))
}

async fn both_handshakes(transport: Transport) {
    let own = transport.connect(OWN).await;
    let text = String::from_utf8_lossy(&own.initialized);
    assert!(
        text.contains(r#""x-extra":1"#) && text.contains(r#""clientInfo":{"name":"test","version":"1"}"#),
        "{text}"
    );
    let params = br#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"agent"},"x-agent":[1]}"#;
    let passed = transport.connect(Hello::Client(params)).await;
    let text = String::from_utf8_lossy(&passed.initialized);
    assert!(text.contains(r#""x-agent":[1]"#), "{text}");
}

async fn results_and_errors_keep_their_bytes(transport: Transport) {
    let peer = transport.connect(OWN).await;
    assert_eq!(peer.ask("echo", r#"{"b":[1]}"#).await, result(r#"{"z" : 1.0, "a":{"b":[1]}}"#));
    let error = Bytes::from_static(br#"{"code" : -5,"message":"m","x":[]}"#);
    assert_eq!(peer.ask("fail", "{}").await, Ok(Outcome::Error(error)));
}

async fn many_requests_at_once_find_their_answers(transport: Transport) {
    let peer = transport.connect(OWN).await;
    let calls = (0..50).map(|n| {
        let up = peer.up.clone();
        tokio::spawn(async move { up.request("echo", Some(format!("{{\"n\":{n}}}").as_bytes()), soon(), None).await })
    });
    for (n, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), result(&format!(r#"{{"z" : 1.0, "a":{{"n":{n}}}}}"#)));
    }
}

async fn progress_comes_back_under_the_callers_token(transport: Transport) {
    let peer = transport.connect(OWN).await;
    let (sink, mut progress) = mpsc::channel(8);
    let params = br#"{"_meta":{"progressToken":"mine"}}"#;
    let outcome = peer.up.request("progress", Some(params), soon(), Some(sink)).await.unwrap();
    let Outcome::Result(seen) = outcome else { panic!("{outcome:?}") };
    assert!(!String::from_utf8_lossy(&seen).contains("mine"), "the server saw the caller's token");
    for n in [1, 2] {
        let told = format!(r#"{{"progressToken":"mine","progress":{n}}}"#);
        assert_eq!(progress.recv().await.unwrap(), told);
    }
    assert_eq!(progress.recv().await, None);
}

async fn a_server_asks_and_hears(transport: Transport) {
    let mut peer = transport.connect(OWN).await;
    let up = peer.up.clone();
    let call = tokio::spawn(async move { up.request("ask", None, soon(), None).await });
    let Some(Incoming::Request(request)) = peer.incoming.recv().await else { panic!("no request") };
    assert_eq!((request.method.as_str(), request.params.as_deref()), ("roots/list", None));
    let roots = Outcome::Result(Bytes::from_static(b"{\n\"roots\":[]}"));
    peer.up.respond(&request.id, &roots).await.unwrap();
    let heard = r#"{"heard":{"id":"s-1","result":{"roots":[]},"error":null}}"#;
    assert_eq!(call.await.unwrap(), result(heard));
}

async fn notifications_arrive(transport: Transport) {
    let mut peer = transport.connect(OWN).await;
    assert_eq!(peer.ask("note", "{}").await, result("{}"));
    let Some(Incoming::Notification(note)) = peer.incoming.recv().await else { panic!("no notification") };
    assert_eq!(note.method, "notifications/tools/list_changed");
}

async fn answers_twice_and_to_nobody_are_counted(transport: Transport) {
    let peer = transport.connect(OWN).await;
    assert_eq!(peer.ask("twice", "{}").await, result("\"first\""));
    // The second answer is on its way while the first is looked at.
    while peer.up.dropped() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(peer.ask("echo", "{}").await, result(r#"{"z" : 1.0, "a":{}}"#));
    assert_eq!(peer.up.dropped(), 2);
}

async fn garbage_ends_the_connection(transport: Transport) {
    for method in ["garbage", "batch"] {
        let mut peer = transport.connect(OWN).await;
        let error = peer.ask(method, "{}").await.unwrap_err();
        assert!(matches!(error, UpstreamError::Garbage { dispatched: true, .. }), "{error:?}");
        assert!(error.dispatched());
        assert_eq!(peer.up.closed().await, error);
        assert_eq!(peer.incoming.recv().await, None);
        let error = peer.ask("echo", "{}").await.unwrap_err();
        assert!(matches!(error, UpstreamError::Garbage { dispatched: false, .. }), "{error:?}");
    }
}

async fn the_message_limit_is_inclusive(transport: Transport) {
    let peer = transport.connect(OWN).await;
    // `{"jsonrpc":"2.0","id":2,"result":"..."}` around it.
    let room = MAX_BYTES - 36;
    let Ok(Outcome::Result(text)) = peer.ask("huge", &format!("{{\"bytes\":{room}}}")).await else { panic!("refused") };
    assert_eq!(text.len(), room + 2);
    let error = peer.ask("huge", &format!("{{\"bytes\":{}}}", room + 1)).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Garbage { .. }), "{error:?}");
    let peer = transport.connect(OWN).await;
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(MAX_BYTES));
    let error = peer.ask("echo", &long).await.unwrap_err();
    assert!(matches!(error, UpstreamError::TooLarge { .. }) && !error.dispatched(), "{error:?}");
    assert_eq!(peer.ask("echo", "{}").await, result(r#"{"z" : 1.0, "a":{}}"#));
}

async fn a_flood_of_log_lines_ends_the_connection(transport: Transport) {
    let peer = transport.connect(OWN).await;
    let error = peer.ask("flood", "{}").await.unwrap_err();
    assert_eq!(error, UpstreamError::Flooded { dispatched: true });
    assert_eq!(peer.up.dropped(), MAX_DROPPED + 1);
    assert_eq!(peer.incoming.len(), INCOMING_CAPACITY);
}

async fn death_in_the_middle_is_unknown(transport: Transport) {
    let peer = transport.connect(OWN).await;
    assert_eq!(peer.ask("die", "{}").await, Err(UpstreamError::Died { dispatched: true }));
}

async fn no_answer_in_time_is_cancelled(transport: Transport) {
    let peer = transport.connect(OWN).await;
    let deadline = Instant::now() + Duration::from_millis(100);
    let error = peer.up.request("silent", None, deadline, None).await.unwrap_err();
    assert_eq!(error, UpstreamError::Timeout { dispatched: true });
    // The handshake was number 1.
    cancelled(&peer, "[2]").await;
}

async fn a_caller_who_is_gone_is_a_cancellation(transport: Transport) {
    let peer = transport.connect(OWN).await;
    let up = peer.up.clone();
    let call = tokio::spawn(async move { up.request("silent", None, soon(), None).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    call.abort();
    cancelled(&peer, "[2]").await;
}

/// Waits until the server has heard of exactly these cancellations.
async fn cancelled(peer: &Peer, ids: &str) {
    let start = Instant::now();
    while peer.ask("cancelled", "{}").await != result(ids) {
        assert!(start.elapsed() < Duration::from_secs(30), "never cancelled");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn lists_are_read_to_their_end_or_not_at_all(transport: Transport) {
    let peer = transport.connect(OWN).await;
    let tools = peer.up.list_all("tools/list", "tools", soon()).await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| String::from_utf8_lossy(tool).into_owned()).collect();
    assert_eq!(names.concat(), ["a0", "b0", "a1", "b1", "a2", "b2"].map(|n| format!(r#"{{"name":"{n}"}}"#)).concat());
    let error = peer.up.list_all("loop/list", "tools", soon()).await.unwrap_err();
    assert_eq!(error, UpstreamError::Malformed { reason: format!("more than {MAX_LIST_PAGES} pages") });
    for (method, key) in [("odd/list", "tools"), ("tools/list", "toys")] {
        let error = peer.up.list_all(method, key, soon()).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Malformed { .. }), "{error:?}");
    }
    let error = peer.up.list_all("prompts/list", "prompts", soon()).await.unwrap_err();
    assert_eq!(error, UpstreamError::Answered { code: -32601 });
}

async fn a_closed_connection_answers_nobody(transport: Transport) {
    let mut peer = transport.connect(OWN).await;
    let up = peer.up.clone();
    let call = tokio::spawn(async move { up.request("silent", None, soon(), None).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    peer.up.close().await;
    assert_eq!(call.await.unwrap(), Err(UpstreamError::Closed { dispatched: true }));
    assert_eq!(peer.ask("echo", "{}").await, Err(UpstreamError::Closed { dispatched: false }));
    assert_eq!(peer.up.notify("notifications/x", None).await, Err(UpstreamError::Closed { dispatched: false }));
    assert_eq!(peer.incoming.recv().await, None);
}

macro_rules! over_both_transports {
    ($($test:ident)*) => {
        mod stdio { $( #[tokio::test] async fn $test() { super::$test(super::Transport::Stdio).await } )* }
        mod http { $( #[tokio::test] async fn $test() { super::$test(super::Transport::Http).await } )* }
    };
}

over_both_transports! {
    both_handshakes
    results_and_errors_keep_their_bytes
    many_requests_at_once_find_their_answers
    progress_comes_back_under_the_callers_token
    a_server_asks_and_hears
    notifications_arrive
    answers_twice_and_to_nobody_are_counted
    garbage_ends_the_connection
    the_message_limit_is_inclusive
    a_flood_of_log_lines_ends_the_connection
    death_in_the_middle_is_unknown
    no_answer_in_time_is_cancelled
    a_caller_who_is_gone_is_a_cancellation
    lists_are_read_to_their_end_or_not_at_all
    a_closed_connection_answers_nobody
}
