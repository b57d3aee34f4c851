//! From one frame to one message.

use super::id::Id;
use bytes::Bytes;
use canon::json::{JsonError, Kind, Limits, Scan, scan};
use thiserror::Error;

/// The longest method name in bytes. The longest in the table has 38.
pub const MAX_METHOD_BYTES: usize = 256;

/// One message: a request, a notification or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// Is one.
    Response(Response),
}

/// A message that wants an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// To be repeated in the answer.
    pub id: Id,
    /// What is wanted.
    pub method: String,
    /// A JSON object, as sent.
    pub params: Option<Bytes>,
    /// The whole frame, as sent.
    pub frame: Bytes,
}

/// A message that wants no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What is told.
    pub method: String,
    /// A JSON object, as sent.
    pub params: Option<Bytes>,
    /// The whole frame, as sent.
    pub frame: Bytes,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Of the request that is answered.
    pub id: Id,
    /// What came of it.
    pub outcome: Outcome,
    /// The whole frame, as sent.
    pub frame: Bytes,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The `result` member, as sent.
    Result(Bytes),
    /// The `error` member, as sent: an object.
    Error(Bytes),
}

/// Why a frame is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Not strict JSON, or beyond a limit.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// An array of messages. Batches were removed from the protocol and are read differently by different peers.
    #[error("batches are not accepted")]
    Batch,
    /// Neither an object nor an array.
    #[error("not a JSON object")]
    NotAnObject,
    /// `jsonrpc` is not `"2.0"`.
    #[error("member `jsonrpc` is not \"2.0\"")]
    Version,
    /// An `id` that is null. In a response it means that the peer could not read what we sent.
    #[error("member `id` is null")]
    NullId,
    /// An `id` that is neither string nor number, or too long.
    #[error("member `id` is neither a string nor a number, or is too long")]
    Id,
    /// A `method` that is no string, empty or too long.
    #[error("member `method` is not a string of 1 to {MAX_METHOD_BYTES} bytes")]
    Method,
    /// `params` that is no object.
    #[error("member `params` is not an object")]
    Params,
    /// `error` that is no object.
    #[error("member `error` is not an object")]
    Error,
    /// Both a question and an answer, or two answers.
    #[error("more than one of the members `method`, `result` and `error`")]
    Ambiguous,
    /// None of them.
    #[error("none of the members `method`, `result` and `error`")]
    Empty,
    /// A response without an id.
    #[error("response without an `id`")]
    Unaddressed,
}

impl Message {
    /// Reads one frame.
    ///
    /// # Errors
    /// When the frame is not strict JSON or can be read as anything but exactly one message.
    pub fn parse(frame: &Bytes, limits: &Limits) -> Result<Self, FrameError> {
        let scan = scan(frame, limits)?;
        match scan.kind() {
            Kind::Object => {}
            Kind::Array => return Err(FrameError::Batch),
            _ => return Err(FrameError::NotAnObject),
        }
        if scan.member("jsonrpc") != Some(br#""2.0""#.as_slice()) {
            return Err(FrameError::Version);
        }
        let member = |name| scan.member(name).map(|raw| frame.slice_ref(raw));
        let id = id(member("id"))?;
        let answer = match (member("method"), member("result"), member("error")) {
            (Some(method), None, None) => {
                let method = method_name(&method)?;
                let params = params(&scan)?.map(|raw| frame.slice_ref(raw));
                return Ok(match id {
                    Some(id) => Self::Request(Request { id, method, params, frame: frame.clone() }),
                    None => Self::Notification(Notification { method, params, frame: frame.clone() }),
                });
            }
            (None, Some(result), None) => Outcome::Result(result),
            (None, None, Some(error)) if Kind::of(&error) == Some(Kind::Object) => Outcome::Error(error),
            (None, None, Some(_)) => return Err(FrameError::Error),
            (None, None, None) => return Err(FrameError::Empty),
            _ => return Err(FrameError::Ambiguous),
        };
        let id = id.ok_or(FrameError::Unaddressed)?;
        Ok(Self::Response(Response { id, outcome: answer, frame: frame.clone() }))
    }
}

fn id(raw: Option<Bytes>) -> Result<Option<Id>, FrameError> {
    match raw {
        None => Ok(None),
        Some(raw) if raw == b"null".as_slice() => Err(FrameError::NullId),
        Some(raw) => Id::from_token(raw).map(Some).ok_or(FrameError::Id),
    }
}

fn method_name(raw: &[u8]) -> Result<String, FrameError> {
    let name: String = serde_json::from_slice(raw).map_err(|_| FrameError::Method)?;
    if name.is_empty() || name.len() > MAX_METHOD_BYTES { Err(FrameError::Method) } else { Ok(name) }
}

fn params<'a>(scan: &Scan<'a>) -> Result<Option<&'a [u8]>, FrameError> {
    match scan.member("params") {
        Some(raw) if Kind::of(raw) != Some(Kind::Object) => Err(FrameError::Params),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use canon::json::JsonErrorKind;

    fn parse(text: &str) -> Result<Message, FrameError> {
        Message::parse(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
    }

    #[test]
    fn a_request_keeps_every_byte() {
        let text = r#" {"jsonrpc":"2.0", "id": "a" ,"method":"tools\/call","params":{"x-new" : 1.0},"extra":[] }"#;
        let Message::Request(request) = parse(text).unwrap() else { panic!("not a request") };
        assert_eq!((request.method.as_str(), request.id.raw().as_ref()), ("tools/call", br#""a""#.as_slice()));
        assert_eq!(request.params.as_deref(), Some(br#"{"x-new" : 1.0}"#.as_slice()));
        assert_eq!(request.frame, text.as_bytes());
    }

    #[test]
    fn notifications_and_responses() {
        let Message::Notification(note) = parse(r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#).unwrap()
        else {
            panic!("not a notification")
        };
        assert_eq!((note.method.as_str(), note.params), ("notifications/progress", None));
        let Message::Response(response) = parse(r#"{"jsonrpc":"2.0","id":3,"result":null}"#).unwrap() else {
            panic!("not a response")
        };
        assert_eq!(response.outcome, Outcome::Result(Bytes::from_static(b"null")));
        assert_eq!(response.id.as_number(), Some(3));
        let Message::Response(response) = parse(r#"{"jsonrpc":"2.0","id":3,"error":{"code":1}}"#).unwrap() else {
            panic!("not a response")
        };
        assert_eq!(response.outcome, Outcome::Error(Bytes::from_static(br#"{"code":1}"#)));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, error) in [
            (r#"[{"jsonrpc":"2.0","method":"ping"}]"#, FrameError::Batch),
            ("[]", FrameError::Batch),
            ("7", FrameError::NotAnObject),
            (r#"{"method":"ping","id":1}"#, FrameError::Version),
            (r#"{"jsonrpc":2.0,"method":"ping","id":1}"#, FrameError::Version),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, FrameError::NullId),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, FrameError::Id),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, FrameError::Method),
            (r#"{"jsonrpc":"2.0","id":1,"method":""}"#, FrameError::Method),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, FrameError::Params),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, FrameError::Params),
            (r#"{"jsonrpc":"2.0","id":1}"#, FrameError::Empty),
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, FrameError::Ambiguous),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, FrameError::Ambiguous),
            (r#"{"jsonrpc":"2.0","id":1,"error":"no"}"#, FrameError::Error),
            (r#"{"jsonrpc":"2.0","result":{}}"#, FrameError::Unaddressed),
        ] {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn duplicate_keys_at_any_depth_are_refused() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#;
        let Err(FrameError::Json(error)) = parse(text) else { panic!("accepted") };
        assert_eq!(error.kind, JsonErrorKind::DuplicateKey);
    }

    #[test]
    fn the_method_limit_is_inclusive() {
        let text = |length| format!(r#"{{"jsonrpc":"2.0","method":"{}"}}"#, "m".repeat(length));
        assert!(parse(&text(MAX_METHOD_BYTES)).is_ok());
        assert_eq!(parse(&text(MAX_METHOD_BYTES + 1)).unwrap_err(), FrameError::Method);
    }
}
