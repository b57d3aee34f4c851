//! What a decision was made on goes to the keeper; references to it, and the facts, go into the decision's record.

use super::Pipeline;
use super::case::Case;
use crate::input::{DecisionInput, InputKeeper, RecordedFacts, Redacted, State};
use detect::Redaction;
use policy::Request;
use serde_json::Value;
use std::sync::Arc;
use vocab::Event;
use vocab::event::Payload;

/// What the record of a decision says of what it was made on. Nothing, where nothing is kept.
#[derive(Default)]
pub(super) struct Keeping {
    payloads: Vec<Payload<'static>>,
    facts: Option<Value>,
}

impl Keeping {
    /// Puts it into the decision's event.
    pub(super) fn put_into(self, event: &mut Event<'_>) {
        event.payloads = self.payloads;
        if let Some(facts) = self.facts {
            event.detail.insert(RecordedFacts::MEMBER.to_owned(), facts);
        }
    }
}

impl Pipeline {
    /// Says who keeps what decisions are made on. Set once; without, no document is ever built.
    pub fn set_keeper(&self, keeper: Arc<dyn InputKeeper>) {
        let _ = self.keeper.set(keeper);
    }

    /// Has the keeper keep what the call was decided on. Before the refusal is counted, which is no part of it.
    pub(super) fn keep(&self, case: &Case) -> Keeping {
        let Some(keeper) = self.keeper.get() else { return Keeping::default() };
        let (call, facts) = (&case.call, &case.gathered.facts);
        let state = State::of(facts, case.gathered.validation_failures, case.columns.tier);
        let document = || DecisionInput::of(call, facts, state.clone(), &case.seen).to_bytes();
        let payloads = keeper.keep(call, &document);
        let unrepresentable = case.snapshot.bundle.is_unrepresentable(&Request {
            agent: &call.principal.agent,
            authn: call.principal.authn,
            action: call.action(),
            server: &call.target.server,
            arguments: call.arguments.examine(),
            facts,
        });
        let recorded = RecordedFacts { state, unrepresentable: unrepresentable.unwrap_or_default() };
        Keeping { payloads, facts: serde_json::to_value(recorded).ok() }
    }

    /// Notes what redacting gave, where it is kept.
    pub(super) fn note_redacted(&self, case: &mut Case, terms: &[Redaction], arguments: &Value) {
        if self.keeper.get().is_some() {
            let terms = terms.iter().map(ToString::to_string).collect();
            case.seen.redacted = Some(Redacted { terms, arguments: arguments.clone() });
        }
    }
}
