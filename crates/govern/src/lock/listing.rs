//! What a server lists, read strictly enough to be pinned.

use super::file::{Pinned, PinnedServer};
use crate::names::is_tool_name;
use serde_json::Value;
use std::collections::BTreeMap;
use thiserror::Error;
use vocab::id::ToolName;

/// Most tools of one server. No model can choose among more.
pub const MAX_TOOLS: usize = 1_024;

/// What a live server says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The protocol version agreed on.
    pub protocol_version: String,
    /// `serverInfo`, a claim.
    pub server_info: Value,
    /// The tool objects of `tools/list`, all pages.
    pub tools: Vec<Value>,
}

/// Why a listing cannot be pinned or compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ListingError {
    /// More tools than [`MAX_TOOLS`].
    #[error("more than {MAX_TOOLS} tools")]
    TooMany,
    /// A tool without a usable name.
    #[error("tool {0} of the list has no usable name")]
    Name(usize),
    /// Two tools of one name: which one would be called?
    #[error("the tool `{0}` is listed twice")]
    Twice(ToolName),
    /// Without a schema arguments cannot be checked.
    #[error("the tool `{0}` has no input schema")]
    Schema(ToolName),
}

/// Pins what a live server lists.
///
/// # Errors
/// When the list is too long or ambiguous, or a tool has no name or no input schema.
pub fn pin(listing: &Listing) -> Result<PinnedServer, ListingError> {
    if listing.tools.len() > MAX_TOOLS {
        return Err(ListingError::TooMany);
    }
    let mut tools = BTreeMap::new();
    for (index, definition) in listing.tools.iter().enumerate() {
        let name = definition.get("name").and_then(Value::as_str).filter(|name| is_tool_name(name));
        let name = ToolName::new(name.ok_or(ListingError::Name(index + 1))?);
        if !definition.get("inputSchema").is_some_and(Value::is_object) {
            return Err(ListingError::Schema(name));
        }
        if tools.insert(name.clone(), Pinned::new(definition.clone())).is_some() {
            return Err(ListingError::Twice(name));
        }
    }
    Ok(PinnedServer {
        protocol_version: listing.protocol_version.clone(),
        server_info: listing.server_info.clone(),
        tools,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listing(tools: Vec<Value>) -> Listing {
        Listing { protocol_version: "2025-11-25".to_owned(), server_info: json!({"name": "desk"}), tools }
    }

    fn tool(name: &str) -> Value {
        json!({ "name": name, "inputSchema": { "type": "object" } })
    }

    #[test]
    fn pins_whole_objects() {
        let pinned = pin(&listing(vec![json!({"name": "a", "x-own": 1, "inputSchema": {}})])).unwrap();
        assert_eq!(pinned.tools[&ToolName::new("a")].definition["x-own"], 1);
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        assert_eq!(pin(&listing(vec![tool("a"), tool("a")])), Err(ListingError::Twice(ToolName::new("a"))));
        assert_eq!(pin(&listing(vec![tool("a"), json!({})])), Err(ListingError::Name(2)));
        assert_eq!(pin(&listing(vec![json!({"name": "a b", "inputSchema": {}})])), Err(ListingError::Name(1)));
        let bare = json!({"name": "a", "inputSchema": true});
        assert_eq!(pin(&listing(vec![bare])), Err(ListingError::Schema(ToolName::new("a"))));
    }

    #[test]
    fn number_of_tools_is_bounded() {
        let many = |n: usize| listing((0..n).map(|n| tool(&format!("t{n}"))).collect());
        assert_eq!(pin(&many(MAX_TOOLS)).unwrap().tools.len(), MAX_TOOLS);
        assert_eq!(pin(&many(MAX_TOOLS + 1)), Err(ListingError::TooMany));
    }
}
