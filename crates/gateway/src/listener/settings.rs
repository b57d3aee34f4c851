//! Which names the listener answers to, and its limits.

/// What a listener is told at its start. Names are compared without regard to case.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `Host` values accepted beside the loopback names: `name` for any port, or `name:port`.
    pub allowed_hosts: Vec<String>,
    /// `Origin` values accepted beside those of the loopback names: `scheme://name[:port]`.
    pub allowed_origins: Vec<String>,
    /// The largest body in bytes.
    pub max_message_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            max_message_bytes: crate::upstream::DEFAULT_MESSAGE_BYTES,
        }
    }
}
