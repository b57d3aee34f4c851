//! What only a server over HTTP can do.

use super::{HttpServer, OWN, PROBE, result, settings, soon};
use bytes::Bytes;
use gateway::guardian::Guardian;
use gateway::upstream::http::Endpoint;
use gateway::upstream::{Connected, Incoming, Reach, UpstreamError, connect};
use http::StatusCode;
use std::sync::atomic::Ordering;

async fn to(endpoint: Endpoint) -> Result<Connected, UpstreamError> {
    connect(&Guardian::at(PROBE), &settings(Reach::Http(endpoint)), OWN).await
}

#[tokio::test]
async fn headers_say_who_which_session_and_which_version() {
    let server = HttpServer::start().await;
    let connected = to(server.endpoint().without_listening()).await.unwrap();
    connected.upstream.close().await;
    let seen = server.state.seen.lock().unwrap().join("\n");
    let expected = "POST Bearer t - -\n\
                    POST Bearer t session-1 2025-11-25\n\
                    DELETE Bearer t session-1 2025-11-25";
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_comes_unasked_arrives() {
    let server = HttpServer::start().await;
    let note = Bytes::from_static(b"{\"jsonrpc\":\"2.0\",\n\"method\":\"notifications/tools/list_changed\"}");
    *server.state.unasked.lock().unwrap() = Some(vec![note]);
    let mut connected = to(server.endpoint()).await.unwrap();
    let Some(Incoming::Notification(note)) = connected.incoming.recv().await else { panic!("nothing") };
    assert_eq!(note.method, "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_forgotten_session_is_lost_for_good() {
    let server = HttpServer::start().await;
    let connected = to(server.endpoint().without_listening()).await.unwrap();
    server.state.lost.store(true, Ordering::SeqCst);
    let error = connected.upstream.request("echo", Some(b"{}"), soon(), None).await.unwrap_err();
    assert!(matches!(error, UpstreamError::SessionLost { .. }), "{error:?}");
    server.state.lost.store(false, Ordering::SeqCst);
    let error = connected.upstream.request("echo", Some(b"{}"), soon(), None).await.unwrap_err();
    assert_eq!(error, UpstreamError::SessionLost { dispatched: false });
}

#[tokio::test]
async fn a_refusal_by_status_is_one_requests_matter() {
    let server = HttpServer::start().await;
    let connected = to(server.endpoint().without_listening()).await.unwrap();
    for (status, dispatched) in [(401, false), (503, true), (302, true)] {
        *server.state.broken.lock().unwrap() = Some(StatusCode::from_u16(status).unwrap());
        let error = connected.upstream.request("echo", Some(b"{}"), soon(), None).await.unwrap_err();
        assert_eq!((error.clone(), error.dispatched()), (UpstreamError::Status { status }, dispatched));
    }
    *server.state.broken.lock().unwrap() = None;
    let outcome = connected.upstream.request("echo", Some(b"{}"), soon(), None).await;
    assert_eq!(outcome, result(r#"{"z" : 1.0, "a":{}}"#));
}

#[tokio::test]
async fn accepted_is_no_answer_to_a_request() {
    let server = HttpServer::start().await;
    let connected = to(server.endpoint().without_listening()).await.unwrap();
    *server.state.broken.lock().unwrap() = Some(StatusCode::ACCEPTED);
    let error = connected.upstream.request("echo", Some(b"{}"), soon(), None).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Garbage { .. }), "{error:?}");
}

#[tokio::test]
async fn where_nobody_answers_nothing_was_sent() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = to(Endpoint::new(&format!("http://{free}/mcp"), []).unwrap()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Unreachable { .. }) && !error.dispatched(), "{error:?}");
}

#[tokio::test]
async fn plain_text_where_tls_is_expected_is_unreachable() {
    let server = HttpServer::start().await;
    let url = server.url.replace("http://", "https://");
    let error = to(Endpoint::new(&url, []).unwrap()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Unreachable { .. }), "{error:?}");
}
