//! One request and all that comes back for it.

use super::sse::Parser;
use super::wire::{Content, Wire, content};
use crate::upstream::error::UpstreamError;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as Body;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer stream may go on after its answer; an orderly end lets the TCP connection be used again.
const DRAIN: Duration = Duration::from_secs(1);

/// Posts a request and feeds the connection with what comes back. The request has an answer afterwards, if only that
/// there is none.
pub(super) async fn exchange(wire: Arc<Wire>, id: u64, frame: Bytes) {
    let result = answers(&wire, id, frame).await;
    match result {
        Ok(()) => wire.connection.fail(id, UpstreamError::Died { dispatched: true }),
        // The server cannot be trusted to mean what it sends: nothing of the session goes on.
        Err(error @ (UpstreamError::Garbage { .. } | UpstreamError::Flooded { .. })) => wire.connection.end(&error),
        Err(error) => wire.connection.fail(id, error),
    }
}

/// Posts a frame that has no answer.
pub(super) async fn tell(wire: &Wire, frame: Bytes) -> Result<(), UpstreamError> {
    wire.post(frame).await.map(drop)
}

/// Feeds the connection with the events of a stream, until its end or until request `of` was answered and a moment has
/// passed.
pub(super) async fn events(
    wire: &Wire,
    parser: &mut Parser,
    mut body: Body,
    of: Option<u64>,
) -> Result<(), UpstreamError> {
    let mut found = Vec::new();
    loop {
        let answered = of.is_some_and(|id| !wire.connection.is_open(id));
        let frame = if answered {
            match timeout(DRAIN, body.frame()).await {
                Ok(frame) => frame,
                Err(_) => return Ok(()),
            }
        } else {
            body.frame().await
        };
        let Some(frame) = frame else { return Ok(()) };
        let Ok(chunk) = frame.map_err(|_| UpstreamError::Died { dispatched: true })?.into_data() else {
            continue;
        };
        parser.feed(&chunk, &mut found).map_err(|error| UpstreamError::garbage(&error))?;
        for event in found.drain(..) {
            // Events without data only carry an id.
            if event.message && !event.data.is_empty() {
                wire.connection.receive(&Bytes::from(event.data)).await?;
            }
        }
    }
}

async fn answers(wire: &Wire, id: u64, frame: Bytes) -> Result<(), UpstreamError> {
    let (head, body) = wire.post(frame).await?.into_parts();
    match answer_content(head.status, &head.headers)? {
        Content::Events => events(wire, &mut Parser::new(wire.connection.limits.bytes), body, Some(id)).await,
        _ => {
            let whole = Limited::new(body, wire.connection.limits.bytes).collect().await.map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    UpstreamError::garbage("answer larger than the limit")
                } else {
                    UpstreamError::Died { dispatched: true }
                }
            })?;
            wire.connection.receive(&whole.to_bytes()).await
        }
    }
}

fn answer_content(status: StatusCode, headers: &HeaderMap) -> Result<Content, UpstreamError> {
    match content(headers) {
        content @ (Content::Json | Content::Events) if status == StatusCode::OK => Ok(content),
        _ => Err(UpstreamError::garbage(&format!("HTTP status {} without a message for a request", status.as_u16()))),
    }
}
