//! One HTTP exchange: our headers out, the status in.

use super::endpoint::Endpoint;
use super::tls;
use crate::jsonrpc::ProtocolVersion;
use crate::upstream::connection::Connection;
use crate::upstream::error::UpstreamError;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming as Body;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// The longest session id that is repeated to a server with every message.
const MAX_SESSION_BYTES: usize = 1024;
/// How long an unused TCP connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// The way to one server.
pub(super) struct Wire {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    headers: HeaderMap,
    session: OnceLock<HeaderValue>,
    version: OnceLock<HeaderValue>,
    pub(super) connection: Arc<Connection>,
}

/// The kinds of body an answer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Json,
    Events,
    Other,
}

impl Wire {
    pub(super) fn new(endpoint: &Endpoint, connection: &Arc<Connection>) -> Result<Self, UpstreamError> {
        let connector = tls::connector(endpoint).map_err(|reason| UpstreamError::Unreachable { reason })?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self {
            client,
            url: endpoint.url.clone(),
            headers: endpoint.headers.clone(),
            session: OnceLock::new(),
            version: OnceLock::new(),
            connection: Arc::clone(connection),
        })
    }

    pub(super) fn negotiated(&self, version: ProtocolVersion) {
        let _ = self.version.set(HeaderValue::from_static(version.as_str()));
    }

    pub(super) fn has_session(&self) -> bool {
        self.session.get().is_some()
    }

    /// Posts a frame.
    pub(super) async fn post(&self, frame: Bytes) -> Result<Response<Body>, UpstreamError> {
        let mut request = self.request(Method::POST, Full::new(frame));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accepted = HeaderValue::from_static("application/json, text/event-stream");
        request.headers_mut().insert(ACCEPT, accepted);
        let response = self.send(request).await?;
        self.learn_session(response.headers())?;
        Ok(response)
    }

    /// Asks for the stream of what the server sends of its own accord.
    pub(super) async fn get(&self, last_event: Option<HeaderValue>) -> Result<Response<Body>, UpstreamError> {
        let mut request = self.request(Method::GET, Full::default());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_event {
            request.headers_mut().insert(LAST_EVENT, id);
        }
        self.send(request).await
    }

    /// Ends the session, as far as the server is interested.
    pub(super) async fn delete(&self) {
        if self.has_session() {
            let _ = self.send(self.request(Method::DELETE, Full::default())).await;
        }
    }

    fn request(&self, method: Method, body: Full<Bytes>) -> Request<Full<Bytes>> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        for (name, value) in [(SESSION, self.session.get()), (VERSION, self.version.get())] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        request
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, UpstreamError> {
        let response = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                UpstreamError::Unreachable { reason: whole(&error) }
            } else {
                UpstreamError::Died { dispatched: true }
            }
        })?;
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND if self.has_session() => {
                let lost = UpstreamError::SessionLost { dispatched: false };
                self.connection.end(&UpstreamError::SessionLost { dispatched: true });
                Err(lost)
            }
            status => Err(UpstreamError::Status { status: status.as_u16() }),
        }
    }

    /// The session is named once, in the answer to the handshake.
    fn learn_session(&self, headers: &HeaderMap) -> Result<(), UpstreamError> {
        let Some(session) = headers.get(&SESSION) else {
            return Ok(());
        };
        if self.version.get().is_some() {
            return Ok(());
        }
        // Visible ASCII, says the specification.
        if session.is_empty()
            || session.len() > MAX_SESSION_BYTES
            || !session.as_bytes().iter().all(u8::is_ascii_graphic)
        {
            return Err(UpstreamError::garbage("unusable session id"));
        }
        let mut session = session.clone();
        session.set_sensitive(true);
        let _ = self.session.set(session);
        Ok(())
    }
}

/// What an answer says it is.
pub(super) fn content(headers: &HeaderMap) -> Content {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Content::Json
    } else if essence.eq_ignore_ascii_case("text/event-stream") {
        Content::Events
    } else {
        Content::Other
    }
}

/// An error with its causes: the outermost only says "client error".
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
