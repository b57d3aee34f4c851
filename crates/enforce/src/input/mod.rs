//! Everything that the decision of one call read, as a document of its own: who keeps it can have the call decided again.
//!
//! A document is canonical JSON of one version; `docs/spec/decision-input.md` is the reference. It holds arguments as
//! they came in, so it is never written unencrypted. What of it may stand in a record - counters and labels, our own
//! words and numbers - is [`RecordedFacts`], which outlives it.

mod called;
mod keeper;
mod seen;
mod state;
mod stored;
#[cfg(test)]
mod tests;

pub use called::Called;
pub use keeper::{InputKeeper, Inputs, Keeping, Kept};
pub use seen::{AskedBefore, LiveThen, NotAsked, Redacted, Seen};
pub use state::{Derived, DischargedThen, RecordedFacts, State};
pub use stored::{StoreKeeper, StoredInputs};

use canon::json::{DEFAULT_BYTES, DEFAULT_DEPTH, Limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use vocab::Call;

/// The version of the document that this Mortise writes and reads.
pub const INPUT_VERSION: u32 = 1;

/// Longest document: the arguments of the longest message, once as they came in and once redacted, and 1 MiB for the
/// rest.
pub const MAX_INPUT_BYTES: usize = 2 * DEFAULT_BYTES + 1024 * 1024;

/// What the arguments lie deeper in the document than in a message.
const FRAME_DEPTH: usize = 4;

/// What one decision was made on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionInput {
    /// Its version.
    pub v: u32,
    /// Who, what, why.
    pub call: Called,
    /// What was known of session and agent, and what is declared.
    pub state: State,
    /// What was made out about the arguments.
    #[serde(default, skip_serializing_if = "Derived::is_empty")]
    pub derived: Derived,
    /// Verified records, each of which removes one ask-guard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discharges: Vec<DischargedThen>,
    /// Redaction terms that were applied before the call was stored.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub fulfilled: BTreeSet<String>,
    /// What was found on the way: from the server, from the people, from the machine.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub seen: Seen,
}

/// Why bytes are no decision input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Longer than any document.
    #[error("longer than a decision input may be")]
    TooLong,
    /// Not strict JSON in canonical form.
    #[error("not canonical JSON")]
    Form,
    /// Another version.
    #[error("a decision input of another version")]
    Version,
    /// Members are missing, unknown or of another type.
    #[error("not the members of a decision input")]
    Members,
    /// Words that this Mortise does not know.
    #[error("a word that is not known")]
    Word,
}

impl DecisionInput {
    /// The document, in canonical form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts, numbers, lists and objects with texts for names: all of it has a value.
        canon::json::canonical(&serde_json::to_value(self).unwrap_or(Value::Null))
    }

    /// Reads a document. Only what [`to_bytes`](Self::to_bytes) writes is one.
    ///
    /// # Errors
    /// Says in which way the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InputError> {
        if bytes.len() > MAX_INPUT_BYTES {
            return Err(InputError::TooLong);
        }
        let limits = Limits { depth: DEFAULT_DEPTH + FRAME_DEPTH, bytes: MAX_INPUT_BYTES };
        let value = canon::json::parse(bytes, &limits).map_err(|_| InputError::Form)?;
        if canon::json::canonical(&value) != bytes {
            return Err(InputError::Form);
        }
        if value.get("v").and_then(Value::as_u64) != Some(u64::from(INPUT_VERSION)) {
            return Err(InputError::Version);
        }
        let input = Self::deserialize(value).map_err(|_| InputError::Members)?;
        if !input.call.arguments.is_object() || input.call.target().is_none() || !input.derived.is_in_known_words() {
            return Err(InputError::Word);
        }
        Ok(input)
    }

    /// The facts as policies see them.
    #[must_use]
    pub fn facts(&self) -> policy::Facts {
        let mut facts = self.state.facts();
        self.derived.put_into(&mut facts);
        facts.purpose.clone_from(&self.call.purpose);
        facts.confidence = self.call.confidence;
        facts.on_behalf_of.clone_from(&self.call.user);
        facts.chain_depth = i64::try_from(self.call.parents.len()).unwrap_or(i64::MAX);
        facts.discharges = self.discharges.iter().map(DischargedThen::discharge).collect();
        facts.fulfilled.clone_from(&self.fulfilled);
        facts
    }

    /// The document of a call, from what its decision reads.
    pub(crate) fn of(call: &Call, facts: &policy::Facts, state: State, seen: &Seen) -> Self {
        Self {
            v: INPUT_VERSION,
            call: Called::of(call),
            state,
            derived: Derived::of(facts),
            discharges: facts.discharges.iter().map(DischargedThen::of).collect(),
            fulfilled: facts.fulfilled.clone(),
            seen: seen.clone(),
        }
    }
}
