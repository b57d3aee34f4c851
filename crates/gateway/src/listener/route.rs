//! From request to handler.

use super::body::{AnswerBody, not_allowed, response, status_only};
use super::handler::{Answer, Handler, RequestHead};
use super::origin::meant_for_us;
use super::serve::BODY_WAIT;
use super::settings::Settings;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::net::SocketAddr;
use tokio::time::timeout;

/// Answers one request.
pub(super) async fn route<H: Handler>(
    handler: &H,
    settings: &Settings,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let (head, body) = request.into_parts();
    if !meant_for_us(&head, settings) {
        return status_only(StatusCode::FORBIDDEN);
    }
    match head.uri.path() {
        "/mcp" => {}
        "/healthz" if head.method == Method::GET => return status_only(StatusCode::OK),
        "/healthz" => return not_allowed("GET"),
        _ => return status_only(StatusCode::NOT_FOUND),
    }
    let (method, head) = (head.method, RequestHead { headers: head.headers, peer });
    response(match method {
        Method::POST if !is_json(&head.headers) => Answer::Status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        Method::POST => match whole(body, settings.max_message_bytes).await {
            Ok(body) => handler.post(head, body).await,
            Err(status) => Answer::Status(status),
        },
        Method::GET => handler.get(head).await,
        Method::DELETE => handler.delete(head).await,
        _ => return not_allowed("DELETE, GET, POST"),
    })
}

/// A form or plain text is what a page may send to another site without being asked first.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// The whole body, which may be `max` bytes long.
pub(crate) async fn whole(mut body: Incoming, max: usize) -> Result<Bytes, StatusCode> {
    // Said beforehand, not a byte of it needs to be read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > max) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    timeout(BODY_WAIT, collect(&mut body, max)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

/// Nearly every body comes in one piece, which is then all there is: nothing is copied.
async fn collect(body: &mut Incoming, max: usize) -> Result<Bytes, StatusCode> {
    let Some(first) = piece(body).await? else { return Ok(Bytes::new()) };
    if first.len() > max {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(next) = piece(body).await? {
        if next.len() > max - whole.len() {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        whole.extend_from_slice(&next);
    }
    Ok(whole.freeze())
}

/// The next piece of a body; `None` at its end. Trailers are nobody's business here.
async fn piece(body: &mut Incoming) -> Result<Option<Bytes>, StatusCode> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
