//! The other end: one request, one response.

use super::protocol::{Hello, MAX_LINE_BYTES, PROTOCOL, Request, Response};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take. Checking a typed secret and compiling policies are the slowest.
const WAIT: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No gateway serves the project.
    #[error("no gateway is running for this project")]
    NoGateway,
    /// The connection broke.
    #[error("the gateway did not answer: {0}")]
    Broken(String),
    /// The gateway refuses.
    #[error("{message}")]
    Refused {
        /// Stable code.
        code: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

/// A control connection.
pub struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the gateway whose socket this is.
    ///
    /// # Errors
    /// Nobody is there.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let path = super::short_path(socket).map_err(|error| ClientError::Broken(error.to_string()))?;
        let stream = UnixStream::connect(path).map_err(|_| ClientError::NoGateway)?;
        let broken = |error: std::io::Error| ClientError::Broken(error.to_string());
        stream.set_read_timeout(Some(WAIT)).map_err(broken)?;
        let mut client = Self { reader: BufReader::new(stream) };
        client.send(&Hello::Control { protocol: PROTOCOL })?;
        Ok(client)
    }

    /// Asks.
    ///
    /// # Errors
    /// The gateway refuses or is gone.
    pub fn ask(&mut self, request: &Request) -> Result<Value, ClientError> {
        self.send(request)?;
        let mut line = String::new();
        let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
        let read = self.reader.by_ref().take(limit).read_line(&mut line);
        read.map_err(|error| ClientError::Broken(error.to_string()))?;
        let response = serde_json::from_str(&line).map_err(|_| ClientError::Broken("the answer is cut off".into()))?;
        match response {
            Response::Ok(value) => Ok(value),
            Response::Refused { code, message, help } => Err(ClientError::Refused { code, message, help }),
        }
    }

    fn send(&mut self, value: &impl serde::Serialize) -> Result<(), ClientError> {
        let mut line = serde_json::to_vec(value).map_err(|error| ClientError::Broken(error.to_string()))?;
        line.push(b'\n');
        self.reader.get_mut().write_all(&line).map_err(|error| ClientError::Broken(error.to_string()))
    }
}
