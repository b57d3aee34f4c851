//! The lock file itself: pretty JSON with sorted keys, so that a review shows exactly what moved.

use crate::digest;
use crate::names::{is_canonical, is_tool_name};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use thiserror::Error;
use vocab::id::{Digest, ServerId, ToolName};

/// The version of the file that this Mortise writes and reads.
pub const VERSION: u64 = 1;

/// Everything pinned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// By server.
    pub servers: BTreeMap<ServerId, PinnedServer>,
}

/// What a server said of itself when it was pinned.
#[derive(Clone, Debug, PartialEq)]
pub struct PinnedServer {
    /// The protocol version agreed on.
    pub protocol_version: String,
    /// `serverInfo`, a claim.
    pub server_info: Value,
    /// Its tools.
    pub tools: BTreeMap<ToolName, Pinned>,
}

/// One tool as it was listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// SHA-256 of the RFC 8785 text of [`Pinned::definition`].
    pub digest: Digest,
    /// The whole tool object, unknown members included. Always has an object as `inputSchema`.
    pub definition: Value,
}

impl Pinned {
    /// Pins a definition.
    pub(crate) fn new(definition: Value) -> Self {
        Self { digest: digest::of_json(&definition), definition }
    }
}

/// Why a lock file is not one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LockError {
    /// Not strict JSON.
    #[error("not JSON: {error}")]
    Json {
        /// What is wrong with the text.
        error: canon::json::JsonError,
    },
    /// Another version.
    #[error("version `{0}` of the lock file is not known")]
    Version(String),
    /// A member is missing, unknown or of the wrong kind.
    #[error("`{place}` {problem}")]
    Shape {
        /// Where, keys joined by dots.
        place: String,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A definition was edited without its digest, or the other way round.
    #[error("the digest of `{0}` is not that of its definition")]
    Digest(String),
}

impl Lock {
    /// Reads a lock file. Every digest is checked.
    ///
    /// # Errors
    /// When anything is not as [`Lock::render`] would have written it, formatting aside.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let limits = canon::json::Limits::default();
        let value = canon::json::parse(text.as_bytes(), &limits).map_err(|error| LockError::Json { error })?;
        let root = members("", &value, &["version", "servers"])?;
        let version = member("", root, "version")?;
        if version.as_u64() != Some(VERSION) {
            return Err(LockError::Version(version.to_string()));
        }
        let mut lock = Self::default();
        for (name, server) in object("servers", member("", root, "servers")?)? {
            let place = format!("servers.{name}");
            if !is_canonical(name) {
                return Err(LockError::Shape { place, problem: "is not a server name" });
            }
            lock.servers.insert(ServerId::new(name.as_str()), pinned_server(&place, server)?);
        }
        Ok(lock)
    }

    /// The file's text.
    #[must_use]
    pub fn render(&self) -> String {
        let servers: Map<String, Value> =
            self.servers.iter().map(|(name, server)| (name.to_string(), rendered_server(server))).collect();
        let mut text = format!("{:#}", sorted(&json!({ "version": VERSION, "servers": servers })));
        text.push('\n');
        text
    }

    /// A pinned tool.
    #[must_use]
    pub fn tool(&self, server: &ServerId, tool: &ToolName) -> Option<&Pinned> {
        self.servers.get(server)?.tools.get(tool)
    }
}

fn pinned_server(place: &str, value: &Value) -> Result<PinnedServer, LockError> {
    let server = members(place, value, &["protocol_version", "server_info", "tools"])?;
    let protocol_version = string(place, server, "protocol_version")?.to_owned();
    let server_info = member(place, server, "server_info")?.clone();
    let mut tools = BTreeMap::new();
    for (name, tool) in object(&format!("{place}.tools"), member(place, server, "tools")?)? {
        let place = format!("{place}.tools.{name}");
        tools.insert(ToolName::new(name.as_str()), pinned_tool(&place, name, tool)?);
    }
    Ok(PinnedServer { protocol_version, server_info, tools })
}

fn pinned_tool(place: &str, name: &str, value: &Value) -> Result<Pinned, LockError> {
    let tool = members(place, value, &["digest", "definition"])?;
    let digest = string(place, tool, "digest")?;
    let pinned = Pinned::new(member(place, tool, "definition")?.clone());
    let wrong = |problem| LockError::Shape { place: format!("{place}.definition"), problem };
    if !is_tool_name(name) || pinned.definition.get("name").and_then(Value::as_str) != Some(name) {
        return Err(wrong("does not have the name it is filed under"));
    }
    if !pinned.definition.get("inputSchema").is_some_and(Value::is_object) {
        return Err(wrong("has no input schema"));
    }
    if pinned.digest.as_str() != digest {
        return Err(LockError::Digest(place.to_owned()));
    }
    Ok(pinned)
}

fn rendered_server(server: &PinnedServer) -> Value {
    let tools: Map<String, Value> = server
        .tools
        .iter()
        .map(|(name, tool)| (name.to_string(), json!({ "digest": tool.digest, "definition": tool.definition })))
        .collect();
    json!({ "protocol_version": server.protocol_version, "server_info": server.server_info, "tools": tools })
}

/// The same value with every object's keys in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let ordered: BTreeMap<&String, &Value> = members.iter().collect();
            Value::Object(ordered.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn object<'a>(place: &str, value: &'a Value) -> Result<&'a Map<String, Value>, LockError> {
    value.as_object().ok_or_else(|| LockError::Shape { place: place.to_owned(), problem: "is not an object" })
}

/// The members of an object that has these keys and no others.
fn members<'a>(place: &str, value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, LockError> {
    let members = object(place, value)?;
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(LockError::Shape { place: join(place, key), problem: "is not a known key" }),
        None => Ok(members),
    }
}

fn member<'a>(place: &str, members: &'a Map<String, Value>, key: &str) -> Result<&'a Value, LockError> {
    members.get(key).ok_or_else(|| LockError::Shape { place: join(place, key), problem: "is missing" })
}

fn string<'a>(place: &str, members: &'a Map<String, Value>, key: &str) -> Result<&'a str, LockError> {
    let value = member(place, members, key)?;
    value.as_str().ok_or_else(|| LockError::Shape { place: join(place, key), problem: "is not text" })
}

fn join(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Lock {
        let definition = json!({ "name": "close", "zeta": [1, {"b": 1, "a": 2}], "inputSchema": {"type": "object"} });
        let server = PinnedServer {
            protocol_version: "2025-11-25".to_owned(),
            server_info: json!({"version": "1", "name": "desk"}),
            tools: [(ToolName::new("close"), Pinned::new(definition))].into(),
        };
        Lock { servers: [(ServerId::new("desk"), server)].into() }
    }

    #[test]
    fn what_is_rendered_is_read() {
        let text = lock().render();
        assert_eq!(Lock::parse(&text).unwrap(), lock());
        assert_eq!(Lock::parse(&text).unwrap().render(), text);
        assert!(text.find("\"digest\"").unwrap() > text.find("\"definition\"").unwrap(), "{text}");
        assert!(text.find("\"a\": 2").unwrap() < text.find("\"b\": 1").unwrap(), "{text}");
    }

    #[test]
    fn digest_is_over_the_canonical_whole() {
        let one = Pinned::new(json!({"name": "a", "x": 1.0, "inputSchema": {}}));
        let two = Pinned::new(json!({"inputSchema": {}, "x": 1, "name": "a"}));
        assert_eq!(one.digest, two.digest);
        assert_ne!(one.digest, Pinned::new(json!({"inputSchema": {}, "x": 2, "name": "a"})).digest);
        // sha256 of `{"inputSchema":{},"name":"a","x":1}`
        let text = br#"{"inputSchema":{},"name":"a","x":1}"#;
        assert_eq!(one.digest, digest::of_bytes(text));
    }

    #[test]
    fn edits_are_found() {
        let text = lock().render();
        let edited = text.replace("\"type\": \"object\"", "\"type\": \"string\"");
        assert_eq!(Lock::parse(&edited), Err(LockError::Digest("servers.desk.tools.close".to_owned())));
        for (from, to) in [
            ("\"version\": 1\n", "\"version\": 2\n"),
            ("\"servers\"", "\"server\""),
            ("\"protocol_version\": \"2025-11-25\"", "\"protocol_version\": 3"),
            ("\"close\": {", "\"open\": {"),
            ("\"desk\": {\n      \"proto", "\"De sk\": {\n      \"proto"),
            ("\"digest\"", "\"digestt\""),
        ] {
            let edited = text.replace(from, to);
            assert_ne!(edited, text, "{from}");
            assert!(Lock::parse(&edited).is_err(), "{from}");
        }
        assert!(matches!(Lock::parse("{"), Err(LockError::Json { .. })));
        assert!(matches!(Lock::parse(r#"{"version":1,"version":1,"servers":{}}"#), Err(LockError::Json { .. })));
        assert_eq!(Lock::parse(r#"{"version":1,"servers":{}}"#), Ok(Lock::default()));
    }
}
