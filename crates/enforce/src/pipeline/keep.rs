//! What a decision was made on goes to the keeper; references to it, and the facts, go into the decision's record.

use super::Pipeline;
use super::case::Case;
use crate::input::{DecisionInput, InputKeeper, Keeping, RecordedFacts, Redacted, State};
use crate::route::Boxed;
use detect::Redaction;
use policy::Request;
use serde_json::Value;
use std::sync::Arc;
use store::LogError;
use vocab::{Capture, Event};

/// What the record of a decision says of what it was made on. Nothing, where nothing is kept.
#[derive(Default)]
pub(super) struct Noted {
    kept: Keeping,
    facts: Option<Value>,
}

/// Resolves when what a decision was made on is durable.
pub(super) type Writing = Option<Boxed<'static, Result<(), LogError>>>;

impl Noted {
    /// Puts it into the decision's event. What is given back is waited for together with the record.
    #[must_use]
    pub(super) fn put_into(self, event: &mut Event<'_>) -> Writing {
        event.payloads = self.kept.payloads;
        if let Some(facts) = self.facts {
            event.detail.insert(RecordedFacts::MEMBER.to_owned(), facts);
        }
        self.kept.writing
    }
}

impl Pipeline {
    /// Says who keeps what decisions are made on. Set once; without, no document is ever built.
    pub fn set_keeper(&self, keeper: Arc<dyn InputKeeper>) {
        let _ = self.keeper.set(keeper);
    }

    /// Has the keeper keep what the call was decided on. Before the refusal is counted, which is no part of it.
    pub(super) fn keep(&self, case: &Case) -> Noted {
        let Some(keeper) = self.keeper.get().filter(|_| keeps(case)) else { return Noted::default() };
        let (call, facts) = (&case.call, &case.gathered.facts);
        let state = State::of(facts, case.gathered.validation_failures, case.columns.tier);
        let document = || DecisionInput::of(call, facts, state.clone(), &case.seen).to_bytes();
        let kept = keeper.keep(call, &document);
        let unrepresentable = case.snapshot.bundle.is_unrepresentable(&Request {
            agent: &call.principal.agent,
            authn: call.principal.authn,
            action: call.action(),
            server: &call.target.server,
            arguments: call.arguments.examine(),
            facts,
        });
        let recorded = RecordedFacts { state, unrepresentable: unrepresentable.unwrap_or_default() };
        Noted { kept, facts: serde_json::to_value(recorded).ok() }
    }

    /// Records, with what a decision was made on. Both at once: what one says of the other counts for nothing before both
    /// are durable.
    pub(super) fn recorded(
        &self,
        writing: Writing,
        records: Result<Vec<Vec<u8>>, LogError>,
    ) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let recording = self.recorder.records(records);
        async move {
            match writing {
                None => recording.await,
                Some(writing) => {
                    let (written, recorded) = tokio::join!(writing, recording);
                    written.and(recorded)
                }
            }
        }
    }

    /// Notes what redacting gave, where it is kept.
    pub(super) fn note_redacted(&self, case: &mut Case, terms: &[Redaction], arguments: &Value) {
        if self.keeper.get().is_some() && keeps(case) {
            let terms = terms.iter().map(ToString::to_string).collect();
            case.seen.redacted = Some(Redacted { terms, arguments: arguments.clone() });
        }
    }
}

/// Whether what decisions are made on is kept of the agent's calls.
fn keeps(case: &Case) -> bool {
    let agent = case.snapshot.agent(&case.call.principal.agent);
    agent.is_some_and(|agent| agent.capture >= Capture::Arguments)
}
