//! An address with its headers.

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use std::path::PathBuf;
use thiserror::Error;

/// Headers that say how a message is to be read. They are the transport's own.
const RESERVED: [&str; 14] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Where a server is reached, and what it is told with every message.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(super) url: Uri,
    /// Values are marked sensitive: they are mostly credentials.
    pub(super) headers: HeaderMap,
    /// Certificates (PEM) to trust beside those of the system.
    pub(super) ca_file: Option<PathBuf>,
    /// Whether to open a stream for what the server sends of its own accord.
    pub(super) listen: bool,
}

/// Why an address or header cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not an absolute `http` or `https` address, or one with a user name in it.
    #[error("`{0}` is not an http or https address")]
    Url(String),
    /// A header name that does not exist, or is the transport's own.
    #[error("header `{0}` cannot be set")]
    Header(String),
    /// A header value with characters that cannot be sent. The value may be secret and is not shown.
    #[error("the value of header `{0}` cannot be sent")]
    Value(String),
}

impl Endpoint {
    /// Reads an address and its headers.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn new<'a>(url: &str, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, EndpointError> {
        let bad_url = || EndpointError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| bad_url())?;
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        // A password in an address ends up in logs; there are headers for it.
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if !scheme || !plain {
            return Err(bad_url());
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let header: HeaderName = name.parse().map_err(|_| EndpointError::Header(name.to_owned()))?;
            if RESERVED.contains(&header.as_str()) {
                return Err(EndpointError::Header(name.to_owned()));
            }
            let mut value = HeaderValue::from_str(value).map_err(|_| EndpointError::Value(name.to_owned()))?;
            value.set_sensitive(true);
            map.append(header, value);
        }
        Ok(Self { url: uri, headers: map, ca_file: None, listen: true })
    }

    /// The address.
    #[must_use]
    pub const fn url(&self) -> &Uri {
        &self.url
    }

    /// What is told with every message.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Trusts the certificates of a PEM file beside those of the system.
    #[must_use]
    pub fn with_ca_file(self, file: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(file.into()), ..self }
    }

    /// Does not open a stream for what the server sends of its own accord.
    #[must_use]
    pub fn without_listening(self) -> Self {
        Self { listen: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for url in ["http://127.0.0.1:3001/mcp", "https://example.com/mcp?x=1", "http://[::1]:1/"] {
            assert!(Endpoint::new(url, []).is_ok(), "{url}");
        }
        for url in ["", "/mcp", "example.com/mcp", "file:///etc/passwd", "http://user:secret@example.com/"] {
            assert_eq!(Endpoint::new(url, []).unwrap_err(), EndpointError::Url(url.to_owned()));
        }
    }

    #[test]
    fn the_transports_own_headers_cannot_be_set() {
        for name in ["Host", "Mcp-Session-Id", "content-length", "no such"] {
            let error = Endpoint::new("http://a/", [(name, "x")]).unwrap_err();
            assert_eq!(error, EndpointError::Header(name.to_owned()));
        }
    }

    #[test]
    fn a_value_is_never_shown() {
        let endpoint = Endpoint::new("http://a/", [("authorization", "Bearer hunter2")]).unwrap();
        assert!(!format!("{endpoint:?}").contains("hunter2"));
        let error = Endpoint::new("http://a/", [("authorization", "hunter2\n")]).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
