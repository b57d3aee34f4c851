//! What an agent is told when a call does not run.
//!
//! A refusal is not a channel: it carries static text, rule ids and schema expectations, never an argument value,
//! the text of a finding or a fact of another session.

use crate::validate::Complaint;
use serde::{Deserialize, Serialize};
use vocab::Verdict;
use vocab::id::{ApprovalId, CallId, RuleId};

/// Why a call did not run, and what would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The call in the log.
    pub call: CallId,
    /// `deny`, or `ask` while a person has not answered.
    pub verdict: Verdict,
    /// The rule that decided.
    pub rule: RuleId,
    /// Its static reason; absent once it has been given often enough in the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is expected of the arguments, when the schema refused them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema: Vec<Complaint>,
    /// What would be allowed.
    pub allowed: String,
    /// How the privilege, or an answer, is asked for.
    pub how_to_ask: String,
    /// The waiting approval: retry the identical call to get its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<ApprovalId>,
    /// Where the approval stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Standing>,
}

/// Where an approval stands, as far as the agent is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Nobody has answered yet.
    Pending,
    /// A person refused.
    Denied,
    /// Nobody answered in time.
    Expired,
}

impl Refusal {
    /// One sentence for the model.
    #[must_use]
    pub fn sentence(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or("refused as before");
        match (&self.ticket, self.approval) {
            (Some(ticket), Some(Standing::Pending)) => format!(
                "Mortise: this call waits for a person ({reason}). Ticket {ticket}: repeat the identical call later to \
                 get its result; do not try another way."
            ),
            (Some(ticket), Some(Standing::Denied)) => {
                format!("Mortise: a person was asked ({reason}) and refused (ticket {ticket}). The call did not run.")
            }
            (Some(ticket), Some(Standing::Expired)) => {
                format!(
                    "Mortise: a person was asked ({reason}), nobody answered in time (ticket {ticket}). The call did not run."
                )
            }
            _ => {
                let expected =
                    self.schema.iter().map(|complaint| format!(" {}: {}.", complaint.at, complaint.expected));
                let expected: String = expected.collect();
                format!(
                    "Mortise refused this call: {reason} (rule {}).{expected} Allowed: {}. To ask: {}.",
                    self.rule, self.allowed, self.how_to_ask
                )
            }
        }
    }
}
