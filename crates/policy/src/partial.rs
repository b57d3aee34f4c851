//! Deciding again when a part of what was known is gone: only where no rule that can speak looks at it.
//!
//! A part is gone as a whole or by member. Nothing is guessed: a rule that looks at something that is gone ends it, also
//! where another operand would have decided.

use crate::bundle::{Bundle, Kind};
use crate::decide::{combine, guarded};
use crate::evaluate::Call;
use crate::request::Request;
use serde_json::Map;
use vocab::Decision;
use vocab::id::RuleId;

/// What remains of a call whose arguments are gone.
pub struct Gone<'a> {
    /// Whether a member of the context, or with `None` a whole part of it, is known.
    pub is_known: &'a dyn Fn(&str, Option<&str>) -> bool,
    /// Whether policies saw less of the arguments than there was, as it was found when they were there.
    pub unrepresentable: bool,
}

/// A rule that can speak about the call looks at something that is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{rule}` looks at `{at}`")]
pub struct LooksAtUnknown {
    /// The rule.
    pub rule: RuleId,
    /// What it looks at: `args.amount`, `origin`.
    pub at: String,
}

impl Bundle {
    /// Decides a call without its arguments: those of the request are not looked at.
    ///
    /// # Errors
    /// A rule that can speak about the call looks at something that is gone.
    pub fn decide_without_arguments(&self, request: &Request<'_>, gone: &Gone<'_>) -> Result<Decision, LooksAtUnknown> {
        let Kind::Live(live) = &self.kind else { return Ok(self.decide(request)) };
        // Whoever is not known is refused without a look at the arguments.
        let Ok(call) = Call::of(live, request) else { return Ok(self.decide(request)) };
        let Ok(slice) = call.slice() else { return Ok(self.decide(request)) };
        for (rule, looks) in slice.open.iter().filter_map(|&number| call.open(number)) {
            if let Some(at) = looks.unknown(gone.is_known) {
                return Err(LooksAtUnknown { rule: rule.id.clone(), at });
            }
        }
        let none = Map::new();
        let known = call.known_without_arguments(&none, gone.unrepresentable);
        Ok(guarded(&self.digest, || match call.evaluate_on(&slice, &known) {
            Ok(evaluated) => combine(&call, &evaluated, live, request.facts, &self.digest),
            Err(_) => self.decide(request),
        }))
    }

    /// Whether policies see less of the arguments than there is; `None` when the call cannot be decided at all.
    #[must_use]
    pub fn is_unrepresentable(&self, request: &Request<'_>) -> Option<bool> {
        let live = self.live()?;
        Some(Call::of(live, request).ok()?.known().ok()?.is_unrepresentable())
    }
}
