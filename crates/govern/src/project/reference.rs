//! How one file names what another describes: `desk/close_ticket`, `desk/*`, `desk#elicitation`.

use crate::names::{is_canonical, is_tool_name};
use thiserror::Error;
use vocab::Operation;
use vocab::id::{ServerId, ToolName};

/// One tool: `desk/close_ticket`. Prompts are named the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolRef {
    /// The server.
    pub server: ServerId,
    /// The tool's name there.
    pub tool: ToolName,
}

/// What an agent's `tools` may list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ToolPattern {
    /// `desk/close_ticket`.
    One(ToolRef),
    /// `desk/*`: every pinned tool of a server. Only in tier low.
    All(ServerId),
}

/// What a server may ask of the client: `desk#elicitation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientRequest {
    /// The client's model.
    Sampling,
    /// The client's user.
    Elicitation,
    /// The client's roots.
    Roots,
}

/// Why a text names nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// Not of the form `server/tool`.
    #[error("`{0}` is not of the form `server/tool`")]
    Form(String),
    /// Not of the form `server#request`.
    #[error("`{0}` is none of `server#sampling`, `server#elicitation`, `server#roots`")]
    RequestForm(String),
    /// The server's part is no canonical name.
    #[error("`{0}` is not a server name (lower-case letters, digits, `-` and `_`)")]
    Server(String),
    /// A `*` beside other letters, or as part of the server.
    #[error("`{0}` uses `*` for a part of a name")]
    PartialWildcard(String),
}

impl ToolRef {
    /// Reads `server/tool`.
    ///
    /// # Errors
    /// When it has another form.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        match ToolPattern::parse(text)? {
            ToolPattern::One(tool) => Ok(tool),
            ToolPattern::All(_) => Err(ReferenceError::PartialWildcard(text.to_owned())),
        }
    }

    /// Whether a prompt or tool of this name is meant.
    #[must_use]
    pub fn is(&self, server: &ServerId, tool: &str) -> bool {
        self.server == *server && self.tool.as_str() == tool
    }
}

impl std::fmt::Display for ToolRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.server, self.tool)
    }
}

impl ToolPattern {
    /// Reads `server/tool` or `server/*`.
    ///
    /// # Errors
    /// When it has another form.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let (server, tool) = text.split_once('/').ok_or_else(|| ReferenceError::Form(text.to_owned()))?;
        if !is_canonical(server) {
            let wildcard = server.contains('*');
            let reason = if wildcard { ReferenceError::PartialWildcard } else { ReferenceError::Server };
            return Err(reason(if wildcard { text } else { server }.to_owned()));
        }
        let server = ServerId::new(server);
        match tool {
            "*" => Ok(Self::All(server)),
            _ if tool.contains('*') => Err(ReferenceError::PartialWildcard(text.to_owned())),
            _ if is_tool_name(tool) => Ok(Self::One(ToolRef { server, tool: ToolName::new(tool) })),
            _ => Err(ReferenceError::Form(text.to_owned())),
        }
    }

    /// The server it names.
    #[must_use]
    pub const fn server(&self) -> &ServerId {
        match self {
            Self::One(tool) => &tool.server,
            Self::All(server) => server,
        }
    }

    /// Whether everything the other names is named by this one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match self {
            Self::One(_) => self == other,
            Self::All(server) => server == other.server(),
        }
    }
}

impl std::fmt::Display for ToolPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(tool) => tool.fmt(f),
            Self::All(server) => write!(f, "{server}/*"),
        }
    }
}

impl ClientRequest {
    /// Reads `server#request`.
    ///
    /// # Errors
    /// When it has another form.
    pub fn parse(text: &str) -> Result<(ServerId, Self), ReferenceError> {
        let wrong = || ReferenceError::RequestForm(text.to_owned());
        let (server, request) = text.split_once('#').ok_or_else(wrong)?;
        if !is_canonical(server) {
            return Err(ReferenceError::Server(server.to_owned()));
        }
        let request = match request {
            "sampling" => Self::Sampling,
            "elicitation" => Self::Elicitation,
            "roots" => Self::Roots,
            _ => return Err(wrong()),
        };
        Ok((ServerId::new(server), request))
    }

    /// The operation it allows.
    #[must_use]
    pub const fn operation(self) -> Operation {
        match self {
            Self::Sampling => Operation::Sampling,
            Self::Elicitation => Operation::Elicitation,
            Self::Roots => Operation::Roots,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_read_and_write() {
        for text in ["desk/close", "desk/*", "desk/a/b", "d/Ärger.v2"] {
            assert_eq!(ToolPattern::parse(text).unwrap().to_string(), text);
        }
        for text in ["desk", "/x", "desk/", "Desk/x", "*/x", "desk/cl*", "de*k/x", "desk/a b"] {
            assert!(ToolPattern::parse(text).is_err(), "{text}");
        }
        assert!(ToolRef::parse("desk/*").is_err());
    }

    #[test]
    fn client_requests_are_three() {
        assert_eq!(ClientRequest::parse("desk#roots").unwrap().1, ClientRequest::Roots);
        for text in ["desk", "desk#", "desk#tools", "De#roots", "desk/roots"] {
            assert!(ClientRequest::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wildcard_covers_its_server_only() {
        let all = ToolPattern::parse("desk/*").unwrap();
        let one = ToolPattern::parse("desk/x").unwrap();
        assert!(all.covers(&one) && all.covers(&all) && one.covers(&one));
        assert!(!one.covers(&all) && !all.covers(&ToolPattern::parse("shop/x").unwrap()));
    }
}
