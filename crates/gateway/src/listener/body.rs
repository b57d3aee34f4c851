//! From answer to bytes.

use super::handler::Answer;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How often an idle stream says that it is still there. Proxies close streams that are silent for a minute or half of
/// one, and it is how the end of a client that vanished is noticed.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The body of an answer.
pub(crate) enum AnswerBody {
    Whole(Full<Bytes>),
    Events { events: mpsc::Receiver<Bytes>, keep_alive: Interval },
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(body) => Pin::new(body).poll_frame(context),
            Self::Events { events, keep_alive } => {
                if let Poll::Ready(message) = events.poll_recv(context) {
                    keep_alive.reset();
                    return Poll::Ready(message.map(|message| Ok(Frame::data(event(message)))));
                }
                ready!(keep_alive.poll_tick(context));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": keep-alive\n\n")))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Events { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Events { .. } => SizeHint::default(),
        }
    }
}

/// An answer as an HTTP response.
pub(super) fn response(answer: Answer) -> Response<AnswerBody> {
    match answer {
        Answer::Json { status, headers, body } => {
            let mut response = with_headers(status, headers, AnswerBody::Whole(Full::new(body)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Answer::Sse { headers, events } => {
            let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
            keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut response = with_headers(StatusCode::OK, headers, AnswerBody::Events { events, keep_alive });
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
            response
        }
        Answer::Status(status) => status_only(status),
    }
}

pub(crate) fn status_only(status: StatusCode) -> Response<AnswerBody> {
    with_headers(status, HeaderMap::new(), AnswerBody::Whole(Full::default()))
}

pub(crate) fn not_allowed(methods: &'static str) -> Response<AnswerBody> {
    let mut response = status_only(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// A body of text of a type.
pub(crate) fn text(status: StatusCode, kind: &'static str, text: String) -> Response<AnswerBody> {
    let mut response = with_headers(status, HeaderMap::new(), AnswerBody::Whole(Full::new(text.into())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn with_headers(status: StatusCode, headers: HeaderMap, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// One message as one event. Raw line breaks are white space in JSON and would end the field here: they become spaces.
fn event(message: Bytes) -> Bytes {
    let line = crate::jsonrpc::line(message);
    let mut event = BytesMut::with_capacity(line.len() + 24);
    event.put_slice(b"event: message\ndata: ");
    event.put_slice(&line);
    event.put_u8(b'\n');
    event.freeze()
}
