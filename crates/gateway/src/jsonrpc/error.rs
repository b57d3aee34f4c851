//! The error member of a response.

use super::build::json_string;
use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;

/// Error codes of JSON-RPC and MCP, and our own.
pub mod code {
    /// The frame is not JSON.
    pub const PARSE_ERROR: i32 = -32700;
    /// The frame is not one message.
    pub const INVALID_REQUEST: i32 = -32600;
    /// Unknown or refused method.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// The params do not fit the method.
    pub const INVALID_PARAMS: i32 = -32602;
    /// Our fault, or the server's.
    pub const INTERNAL_ERROR: i32 = -32603;
    /// MCP: no such resource.
    pub const RESOURCE_NOT_FOUND: i32 = -32002;
    /// Refused by a decision. -32000 to -32019 are left to implementations by every version of the protocol.
    pub const REFUSED: i32 = -32010;
}

/// A decoded error member.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ErrorObject {
    /// The code.
    pub code: i64,
    /// The peer's words: untrusted.
    #[serde(default)]
    pub message: String,
}

impl ErrorObject {
    /// Reads a raw error member. `None` when it is not an object with a whole-number code.
    #[must_use]
    pub fn decode(raw: &[u8]) -> Option<Self> {
        serde_json::from_slice(raw).ok()
    }

    /// Writes an error member. `data` is raw JSON.
    #[must_use]
    pub fn encode(code: i32, message: &str, data: Option<&[u8]>) -> Bytes {
        let mut raw = BytesMut::with_capacity(48 + message.len() + data.map_or(0, <[u8]>::len));
        raw.put_slice(b"{\"code\":");
        raw.put_slice(code.to_string().as_bytes());
        raw.put_slice(b",\"message\":");
        raw.put_slice(&json_string(message));
        if let Some(data) = data {
            raw.put_slice(b",\"data\":");
            raw.put_slice(data);
        }
        raw.put_u8(b'}');
        raw.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way() {
        let raw = ErrorObject::encode(code::REFUSED, "line\n\"two\"", Some(b"{\"rule\":\"x\"}"));
        let error = ErrorObject::decode(&raw).unwrap();
        assert_eq!((error.code, error.message.as_str()), (-32010, "line\n\"two\""));
        assert_eq!(ErrorObject::decode(b"{\"message\":\"no code\"}"), None);
    }
}
