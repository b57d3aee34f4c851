//! What has changed between a pinned and a live server.

use super::file::{Pinned, PinnedServer};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use vocab::id::ToolName;

/// The difference between what was pinned and what is live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Tools that are live but not pinned. They stay unknown.
    pub added: Vec<ToolName>,
    /// Tools that are pinned but gone.
    pub removed: Vec<ToolName>,
    /// Tools that are no longer what was reviewed.
    pub changed: Vec<Changed>,
}

/// One tool that is no longer what was reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub tool: ToolName,
    /// The members that differ: `description`, `inputSchema`, ...
    pub what: Vec<String>,
}

impl Drift {
    /// Compares by digest, so that it agrees with what a call is checked against.
    #[must_use]
    pub fn between(pinned: &PinnedServer, live: &PinnedServer) -> Self {
        let missing = |from: &PinnedServer, other: &PinnedServer| -> Vec<ToolName> {
            from.tools.keys().filter(|tool| !other.tools.contains_key(*tool)).cloned().collect()
        };
        let changed = pinned.tools.iter().filter_map(|(tool, old)| {
            let new = live.tools.get(tool)?;
            (old.digest != new.digest).then(|| Changed { tool: tool.clone(), what: differing(old, new) })
        });
        Self { added: missing(live, pinned), removed: missing(pinned, live), changed: changed.collect() }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

fn differing(old: &Pinned, new: &Pinned) -> Vec<String> {
    let none = Map::new();
    let (old, new) = (old.definition.as_object().unwrap_or(&none), new.definition.as_object().unwrap_or(&none));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let text = |value: Option<&Value>| value.map(canon::json::canonical);
    keys.into_iter().filter(|key| text(old.get(*key)) != text(new.get(*key))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Listing, pin};
    use super::*;
    use serde_json::json;

    fn server(tools: Vec<Value>) -> PinnedServer {
        pin(&Listing { protocol_version: String::new(), server_info: json!({}), tools }).unwrap()
    }

    #[test]
    fn same_in_another_order_is_no_drift() {
        let a = json!({"name": "a", "description": "d", "inputSchema": {"x": 1, "y": 2}});
        let b = json!({"inputSchema": {"y": 2, "x": 1.0}, "description": "d", "name": "a"});
        assert!(Drift::between(&server(vec![a]), &server(vec![b])).is_none());
    }

    #[test]
    fn names_what_differs() {
        let pinned = server(vec![
            json!({"name": "a", "description": "d", "inputSchema": {}}),
            json!({"name": "gone", "inputSchema": {}}),
        ]);
        let live = server(vec![
            json!({"name": "a", "description": "e", "inputSchema": {"type": "object"}, "annotations": {}}),
            json!({"name": "new", "inputSchema": {}}),
        ]);
        let drift = Drift::between(&pinned, &live);
        assert_eq!((drift.added, drift.removed), (vec![ToolName::new("new")], vec![ToolName::new("gone")]));
        assert_eq!(drift.changed[0].what, ["annotations", "description", "inputSchema"]);
    }
}
