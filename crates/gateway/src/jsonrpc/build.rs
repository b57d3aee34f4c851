//! From parts to a frame.

use super::error::ErrorObject;
use super::id::Id;
use bytes::{BufMut, Bytes, BytesMut};

/// Room for everything in a frame but id, method and payload, and for the end of the line it may become.
const ENVELOPE_BYTES: usize = 64;

/// A response with a result; `result` keeps its own bytes.
#[must_use]
pub fn response(id: &Id, result: &[u8]) -> Bytes {
    let mut frame = start(id.raw().len() + result.len());
    put_id(&mut frame, id);
    frame.put_slice(b",\"result\":");
    frame.put_slice(result);
    end(frame)
}

/// A response with an error. `data` is raw JSON.
#[must_use]
pub fn error(id: &Id, code: i32, message: &str, data: Option<&[u8]>) -> Bytes {
    error_raw(id, &ErrorObject::encode(code, message, data))
}

/// A response with an error object that keeps its own bytes.
#[must_use]
pub fn error_raw(id: &Id, error: &[u8]) -> Bytes {
    let mut frame = start(id.raw().len() + error.len());
    put_id(&mut frame, id);
    frame.put_slice(b",\"error\":");
    frame.put_slice(error);
    end(frame)
}

/// A request; `params` keeps its own bytes.
#[must_use]
pub fn request(id: &Id, method: &str, params: Option<&[u8]>) -> Bytes {
    let mut frame = start(id.raw().len() + method.len() + params.map_or(0, <[u8]>::len));
    put_id(&mut frame, id);
    put_method(&mut frame, method, params);
    end(frame)
}

/// A notification; `params` keeps its own bytes.
#[must_use]
pub fn notification(method: &str, params: Option<&[u8]>) -> Bytes {
    let mut frame = start(method.len() + params.map_or(0, <[u8]>::len));
    put_method(&mut frame, method, params);
    end(frame)
}

/// The frame as one line, line feed included: raw line breaks become spaces.
///
/// A JSON string cannot hold a raw line break, so those in a scanned frame are white space between tokens (an answer
/// that came pretty-printed over HTTP); left in, each would start another message on a newline-delimited transport.
#[must_use]
pub fn line(frame: Bytes) -> Bytes {
    // Copied only if somebody else still needs the frame: room for the line feed was made with it.
    let mut line = frame.try_into_mut().unwrap_or_else(|frame| {
        let mut line = BytesMut::with_capacity(frame.len() + 1);
        line.put_slice(&frame);
        line
    });
    let mut from = 0;
    while let Some(found) = line.get(from..).and_then(|rest| memchr::memchr2(b'\n', b'\r', rest)) {
        from += found;
        if let Some(byte) = line.get_mut(from) {
            *byte = b' ';
        }
    }
    line.put_u8(b'\n');
    line.freeze()
}

fn start(payload: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(ENVELOPE_BYTES + payload);
    frame.put_slice(b"{\"jsonrpc\":\"2.0\"");
    frame
}

fn put_id(frame: &mut BytesMut, id: &Id) {
    frame.put_slice(b",\"id\":");
    frame.put_slice(id.raw());
}

fn put_method(frame: &mut BytesMut, method: &str, params: Option<&[u8]>) {
    frame.put_slice(b",\"method\":");
    put_string(frame, method);
    if let Some(params) = params {
        frame.put_slice(b",\"params\":");
        frame.put_slice(params);
    }
}

fn end(mut frame: BytesMut) -> Bytes {
    frame.put_u8(b'}');
    frame.freeze()
}

/// Writes a text as a JSON string: nearly every method's name is one between quotes.
fn put_string(frame: &mut BytesMut, text: &str) {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'.')) {
        frame.put_u8(b'"');
        frame.put_slice(text.as_bytes());
        frame.put_u8(b'"');
    } else {
        frame.put_slice(&json_string(text));
    }
}

/// A text as a JSON string.
pub(super) fn json_string(text: &str) -> Vec<u8> {
    // Writing a string into memory cannot fail; were it to, the frame would hold an empty string and be refused.
    serde_json::to_vec(text).unwrap_or_else(|_| b"\"\"".to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::{Message, Outcome};
    use super::*;
    use canon::json::Limits;
    use proptest::prelude::*;

    fn parse(frame: &Bytes) -> Message {
        Message::parse(frame, &Limits::default()).unwrap()
    }

    #[test]
    fn frames_are_exact() {
        let id = Id::number(7);
        assert_eq!(request(&id, "ping", None), r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#);
        assert_eq!(
            notification("notifications/progress", Some(b"{}")),
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#
        );
        assert_eq!(response(&id, b"{\"a\" : 1}"), r#"{"jsonrpc":"2.0","id":7,"result":{"a" : 1}}"#);
        assert_eq!(
            error(&id, -32601, "a \"b\"", Some(b"[1]")),
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"a \"b\"","data":[1]}}"#
        );
    }

    #[test]
    fn a_pretty_printed_result_is_one_line() {
        let frame = response(&Id::number(1), b"{\r\n  \"a\": \"b\\n\"\n}");
        assert_eq!(line(frame.clone()), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{    \"a\": \"b\\n\" }}\n");
    }

    proptest! {
        #[test]
        fn what_is_built_parses_to_its_parts(method in "\\PC{1,40}", text in any::<String>(), number in any::<u64>()) {
            let id = Id::from_token(Bytes::from(json_string(&text)));
            let id = id.unwrap_or_else(|| Id::number(number));
            let params = serde_json::json!({ &text: text }).to_string();
            let Message::Request(read) = parse(&request(&id, &method, Some(params.as_bytes()))) else {
                return Err(TestCaseError::fail("not a request"));
            };
            prop_assert_eq!(&read.id, &id);
            prop_assert_eq!(read.method, method);
            prop_assert_eq!(read.params.as_deref(), Some(params.as_bytes()));
            let Message::Response(read) = parse(&response(&id, params.as_bytes())) else {
                return Err(TestCaseError::fail("not a response"));
            };
            prop_assert_eq!(read.outcome, Outcome::Result(Bytes::from(params)));
        }

        #[test]
        fn a_line_ends_once_and_means_the_same(value in "[a-z\\\\\"\n\r]{0,40}", pad in "[ \n\r\t]{0,8}") {
            let raw = format!("{pad}{}{pad}", serde_json::to_string(&value).unwrap());
            let line = line(Bytes::from(raw));
            prop_assert_eq!(memchr::memchr2_iter(b'\n', b'\r', &line).count(), 1);
            prop_assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), value);
        }
    }
}
