//! From request to handler.

use super::body::{AnswerBody, not_allowed, response, status_only};
use super::handler::{Answer, Handler, RequestHead};
use super::origin::meant_for_us;
use super::serve::BODY_WAIT;
use super::settings::Settings;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
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

async fn whole(body: Incoming, max: usize) -> Result<Bytes, StatusCode> {
    // Said beforehand, not a byte of it needs to be read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > max) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match timeout(BODY_WAIT, Limited::new(body, max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
