//! The stream of what the server sends of its own accord.

use super::exchange::events;
use super::sse::Parser;
use super::wire::{Content, Wire, content};
use crate::upstream::error::UpstreamError;
use http::{HeaderValue, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tracing::debug;

/// How long to wait before opening a stream again that ended: what the server asks for, within bounds.
const RETRY: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);
/// Opened again this often without a single event in between, a stream is given up.
const FRUITLESS: u32 = 10;

/// Reads the stream, again and again, until the connection ends or the server has none.
pub(super) async fn listen(wire: Arc<Wire>) {
    let (mut last_id, mut fruitless) = (None, 0);
    while fruitless < FRUITLESS && wire.connection.ended().is_none() {
        let mut parser = Parser::new(wire.connection.limits.bytes);
        match once(&wire, &mut parser, last_id.as_deref()).await {
            Ok(()) | Err(UpstreamError::Died { .. } | UpstreamError::Unreachable { .. }) => {}
            Err(error @ (UpstreamError::Garbage { .. } | UpstreamError::Flooded { .. })) => {
                wire.connection.end(&error);
                return;
            }
            Err(error) => {
                // 405: the server has no such stream, which the protocol allows.
                let none = UpstreamError::Status { status: StatusCode::METHOD_NOT_ALLOWED.as_u16() };
                debug!(server = wire.connection.name, offered = error != none, %error, "not listening");
                return;
            }
        }
        fruitless = if parser.last_id.is_some() { 0 } else { fruitless + 1 };
        last_id = parser.last_id.or(last_id);
        let asked = parser.retry_ms.map_or(*RETRY.start(), Duration::from_millis);
        sleep(asked.clamp(*RETRY.start(), *RETRY.end())).await;
    }
}

async fn once(wire: &Wire, parser: &mut Parser, last_id: Option<&str>) -> Result<(), UpstreamError> {
    let last_id = last_id.and_then(|id| HeaderValue::from_str(id).ok());
    let response = wire.get(last_id).await?;
    if content(response.headers()) != Content::Events {
        return Err(UpstreamError::Status { status: response.status().as_u16() });
    }
    events(wire, parser, response.into_body(), None).await
}
