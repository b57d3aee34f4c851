//! An https server that only a named certificate authority vouches for. The authority's key was thrown away; the server's
//! opens nothing but these tests.

use super::{OWN, PROBE, settings};
use bytes::Bytes;
use gateway::guardian::Guardian;
use gateway::upstream::http::Endpoint;
use gateway::upstream::{Reach, UpstreamError, connect};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming as Body;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upstream/tls");

/// Starts a server that shakes hands; its address.
async fn start() -> String {
    let certificate = CertificateDer::from_pem_file(format!("{FOLDER}/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{FOLDER}/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us ends here.
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
    format!("https://localhost:{port}/mcp")
}

async fn answer(request: http::Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut response = Response::new(Full::default());
    if memchr::memmem::find(&body, b"\"initialize\"").is_some() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;
        *response.body_mut() = Full::from(text);
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    } else {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    Ok(response)
}

async fn to(endpoint: Endpoint) -> Result<(), UpstreamError> {
    connect(&Guardian::at(PROBE), &settings(Reach::Http(endpoint.without_listening())), OWN).await.map(drop)
}

#[tokio::test]
async fn a_named_authority_is_trusted_and_a_stranger_is_not() {
    let url = start().await;
    let endpoint = || Endpoint::new(&url, []).unwrap();
    to(endpoint().with_ca_file(format!("{FOLDER}/ca.pem"))).await.unwrap();
    let error = to(endpoint()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_an_error() {
    for file in ["no-such-file.pem", "server.key"] {
        let endpoint = Endpoint::new("https://localhost:1/", []).unwrap().with_ca_file(format!("{FOLDER}/{file}"));
        let UpstreamError::Unreachable { reason } = to(endpoint).await.unwrap_err() else { panic!("accepted") };
        assert!(reason.contains(file), "{reason}");
    }
}
