//! From a server's settings to a connection that has shaken hands.

use super::connection::Connection;
use super::error::UpstreamError;
use super::handle::{Link, Upstream};
use super::incoming::Incoming;
use super::{http, stdio};
use crate::guardian::{Command, Guardian};
use crate::jsonrpc::{ErrorObject, Outcome, ProtocolVersion};
use bytes::Bytes;
use canon::json::scan;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A server, and how to get at it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name in the inventory, for log lines.
    pub name: String,
    /// How to get at it.
    pub reach: Reach,
    /// How long it may take until it has answered the handshake.
    pub start_timeout: Duration,
    /// The largest message in either direction, within [`super::MESSAGE_BYTES`].
    pub max_message_bytes: usize,
}

/// How to get at a server.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Started here, under guard, over stdin and stdout.
    Start(Command),
    /// Reached over HTTP.
    Http(http::Endpoint),
}

/// Who shakes hands.
#[derive(Clone, Copy, Debug)]
pub enum Hello<'a> {
    /// Mortise. Both are raw JSON objects.
    Own {
        /// The `clientInfo` member.
        client_info: &'a [u8],
        /// The `capabilities` member.
        capabilities: &'a [u8],
        /// The version to offer.
        version: ProtocolVersion,
    },
    /// The agent: the params of its own `initialize`, as sent.
    Client(&'a [u8]),
}

/// A connection that has shaken hands.
#[derive(Debug)]
pub struct Connected {
    /// The handle.
    pub upstream: Upstream,
    /// What the server sends of its own accord; ends with the connection.
    pub incoming: mpsc::Receiver<Incoming>,
    /// What it said of itself.
    pub initialized: Initialized,
}

/// What a server said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialized {
    /// The whole result, as sent.
    pub result: Bytes,
    /// The version that was agreed on.
    pub version: ProtocolVersion,
}

/// Starts or reaches a server and shakes hands: `initialize`, then `notifications/initialized` (so an agent's own
/// must not be passed on).
///
/// # Errors
/// When any of it fails; a server started for it is then gone.
pub async fn connect(guardian: &Guardian, server: &Server, hello: Hello<'_>) -> Result<Connected, UpstreamError> {
    let (connection, incoming) = Connection::new(&server.name, server.max_message_bytes);
    let connection = Arc::new(connection);
    let link = match &server.reach {
        Reach::Start(command) => Link::Stdio(stdio::Link::start(guardian, command, &connection)?),
        Reach::Http(endpoint) => Link::Http(http::Link::new(endpoint, &connection)?),
    };
    let upstream = Upstream::new(connection, link);
    match shake_hands(&upstream, hello, Instant::now() + server.start_timeout).await {
        Ok(initialized) => Ok(Connected { upstream, incoming, initialized }),
        Err(error @ UpstreamError::Died { .. }) => Err(match upstream.exit_code().await {
            Some(code) => UpstreamError::NotStarted { reason: format!("it ended with code {code}") },
            None => error,
        }),
        Err(error) => Err(error),
    }
}

async fn shake_hands(up: &Upstream, hello: Hello<'_>, deadline: Instant) -> Result<Initialized, UpstreamError> {
    let own;
    let params = match hello {
        Hello::Client(params) => params,
        Hello::Own { client_info, capabilities, version } => {
            own = params(client_info, capabilities, version);
            &own
        }
    };
    let result = match up.request("initialize", Some(params), deadline, None).await? {
        Outcome::Result(result) => result,
        Outcome::Error(error) => {
            let code = ErrorObject::decode(&error).map_or(0, |error| error.code);
            return Err(handshake(format!("the server answered with error {code}")));
        }
    };
    let version = version(&result, up)?;
    up.negotiated(version);
    up.notify("notifications/initialized", None).await?;
    up.listen();
    Ok(Initialized { result, version })
}

fn version(result: &[u8], up: &Upstream) -> Result<ProtocolVersion, UpstreamError> {
    let scan = scan(result, up.limits()).map_err(|error| UpstreamError::garbage(&error))?;
    let raw = scan.member("protocolVersion").unwrap_or(b"null");
    let text: String =
        serde_json::from_slice(raw).map_err(|_| handshake("the server names no protocol version".to_owned()))?;
    ProtocolVersion::parse(&text)
        .ok_or_else(|| handshake(format!("the server speaks protocol version `{}`", text.escape_debug())))
}

fn params(client_info: &[u8], capabilities: &[u8], version: ProtocolVersion) -> Vec<u8> {
    let version = version.as_str().as_bytes();
    [b"{\"protocolVersion\":\"", version, b"\",\"capabilities\":", capabilities, b",\"clientInfo\":", client_info, b"}"]
        .concat()
}

const fn handshake(reason: String) -> UpstreamError {
    UpstreamError::Handshake { reason }
}
