//! What all events of one call say alike.

use crate::snapshot::{Snapshot, ToolEntry};
use serde_json::Value;
use std::borrow::Cow;
use vocab::event::{Kind, Shared};
use vocab::id::Digest;
use vocab::{Call, Effect, Event, Mode, Operation, Target, Tier, UNDECLARED};

/// Longest name of a tool that nobody declared which is recorded as it is, in bytes. Longer ones are no names but texts.
const MAX_UNDECLARED: usize = 64;

/// The columns every event of a call shares, and the bytes they are written as.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Risk tier of the agent.
    pub tier: Option<Tier>,
    /// How far its rules bind.
    pub mode: Option<Mode>,
    /// Declared model.
    pub model_id: Option<String>,
    /// What the tool does.
    pub effect: Option<Effect>,
    /// Pinned definition.
    pub definition: Option<Digest>,
    /// Policy bundle in force.
    pub bundle: Digest,
    /// Configuration in force.
    pub revision: Digest,
    /// Running with `--dev`.
    pub dev: bool,
    /// Keyed hash of the arguments as received.
    pub args_hash: String,
    /// Keyed hash of the tool's name, where that is not written: no pinned tool has it, and it could be any text.
    pub tool_digest: Option<String>,
    /// Written once; events of another call than this one are written whole.
    written: Option<(Call, Shared)>,
}

impl Columns {
    /// The columns of a call under what is in force, of which the tool is the call's.
    pub(crate) fn of(
        snapshot: &Snapshot,
        tool: Option<&ToolEntry>,
        call: &Call,
        args_hash: String,
        hash: impl FnOnce(&Value) -> String,
    ) -> Self {
        let agent = snapshot.agent(&call.principal.agent);
        let described = tool.map(|tool| &tool.description);
        // Unknown tools count as the worst.
        let declared = || described.map_or_else(Effect::default, |tool| tool.effect);
        let mut columns = Self {
            tier: agent.map(|agent| agent.tier),
            mode: agent.map(|agent| agent.mode),
            model_id: agent.and_then(|agent| agent.model.clone()),
            effect: Some(call.target.operation.effect().unwrap_or_else(declared)),
            definition: described.map(|tool| tool.definition.clone()),
            bundle: snapshot.bundle.digest().clone(),
            revision: snapshot.revision().clone(),
            dev: snapshot.dev,
            args_hash,
            tool_digest: tool.is_none().then(|| unsafe_name(&call.target)).flatten().map(|name| hash(&name.into())),
            written: None,
        };
        let mut event = Event::new(Kind::ToolIntent, Cow::Borrowed(""), 0, &call.tenant);
        columns.fill(&mut event, call);
        let shared = Shared::of(&event);
        columns.written = Some((call.clone(), shared));
        columns
    }

    /// The columns as they are written, if they are for this very call.
    pub(crate) fn written_for(&self, call: &Call) -> Option<&Shared> {
        self.written.as_ref().filter(|(written, _)| written.is(call)).map(|(_, shared)| shared)
    }

    /// Puts the columns into an event of this call.
    pub(crate) fn fill<'a>(&'a self, event: &mut Event<'a>, call: &'a Call) {
        event.agent = Some((&call.principal.agent).into());
        event.authn = Some(call.principal.authn);
        event.parents = Cow::Borrowed(&call.principal.parents);
        event.user = call.principal.user.as_ref().map(Into::into);
        event.session = Some((&call.session).into());
        event.run = call.run.as_ref().map(Into::into);
        event.call = Some((&call.id).into());
        event.server = Some((&call.target.server).into());
        let name = if self.tool_digest.is_some() { UNDECLARED } else { call.target.tool_name() };
        event.tool_name = Some(name.into());
        event.args_hash = Some(self.args_hash.as_str().into());
        event.tier = self.tier;
        event.mode = self.mode;
        event.model_id = self.model_id.as_deref().map(Into::into);
        event.effect = self.effect;
        event.definition = self.definition.as_ref().map(Into::into);
        event.policy_bundle = Some((&self.bundle).into());
        event.config_revision = Some((&self.revision).into());
        event.dev = self.dev;
    }
}

/// The name of a tool that is text of the agent: records, and what leaves of them, do not have it.
fn unsafe_name(target: &Target) -> Option<&str> {
    let Operation::Tool(name) = &target.operation else { return None };
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let is_name = (1..=MAX_UNDECLARED).contains(&name.as_str().len()) && name.as_str().bytes().all(is_of_names);
    (!is_name).then_some(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::id::{ServerId, ToolName};

    #[test]
    fn only_what_has_the_form_of_a_name_is_recorded_of_a_tool_that_nobody_declared() {
        let is_recorded = |name: &str| {
            unsafe_name(&Target { server: ServerId::new("desk"), operation: Operation::Tool(ToolName::new(name)) })
                .is_none()
        };
        for name in ["drop_table", "Search.v2-x", &"x".repeat(MAX_UNDECLARED)] {
            assert!(is_recorded(name), "{name}");
        }
        let texts = ["", "my ssn is 123-45-6789", "desk/search", "a\n", "\u{202e}x", "ä", "=1+1", "a:b"];
        for name in texts.into_iter().chain([&*"x".repeat(MAX_UNDECLARED + 1)]) {
            assert!(!is_recorded(name), "{name}");
        }
        let fixed = Target { server: ServerId::new("desk"), operation: Operation::ReadResource };
        assert!(unsafe_name(&fixed).is_none(), "the method of another operation is a word of ours");
    }
}
