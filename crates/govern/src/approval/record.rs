//! One asked call and what people said about it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use vocab::id::{AgentId, ApprovalId, Digest, RuleId, SessionId, UserId};
use vocab::{Discharge, Tier};

/// Longest call that can wait: 4 MiB, which in base64 stays well below what a state file may hold.
pub const MAX_CALL_BYTES: usize = 4 * 1024 * 1024;

/// Where an asked call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits for people.
    Pending,
    /// Enough people approved; it has not run.
    Approved,
    /// Somebody refused.
    Denied,
    /// Nobody answered in time, or another ask took its place.
    Expired,
    /// It was used. It cannot be used again.
    Consumed,
}

impl State {
    /// Whether nothing can happen to it any more.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Denied | Self::Expired | Self::Consumed)
    }
}

/// What is asked. Two asks are the same when all of it but the call's bytes is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The session it belongs to.
    pub session: SessionId,
    /// Who wants to act.
    pub agent: AgentId,
    /// That agent's tier.
    pub tier: Tier,
    /// The person at the end of the chain.
    pub user: Option<UserId>,
    /// The action: `desk/close_ticket`.
    pub action: String,
    /// Keyed hash of the arguments as received.
    pub args_hash: String,
    /// Keyed hash of the effective call: what runs when it is approved.
    pub effective_hash: String,
    /// The tool's definition.
    pub definition: Digest,
    /// The policy bundle that asked.
    pub bundle: Digest,
    /// The ask-guards. Exactly these an approval discharges.
    pub guards: Vec<AskedGuard>,
    /// Groups or people of whom each must approve; empty: any approver.
    pub approvers: BTreeSet<String>,
    /// How many people must approve; at least one does.
    pub quorum: u32,
    /// The effective call, as the caller of this module wrote it.
    pub call: CallBytes,
}

/// A guard that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedGuard {
    /// Its id.
    pub rule: RuleId,
    /// Digest of its text: another text is another guard.
    pub text: Digest,
}

/// The bytes of a call. Shown by length only.
#[derive(Clone, PartialEq, Eq)]
pub struct CallBytes(pub Vec<u8>);

/// What one person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Say {
    /// It may run.
    Approve,
    /// It may not.
    Refuse,
}

/// One person's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Who.
    pub approver: UserId,
    /// What.
    pub say: Say,
    /// Why. Never empty for a refusal.
    pub reason: String,
    /// When, microseconds since the epoch.
    pub at_us: i64,
}

/// One asked call and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Where it stands.
    pub state: State,
    /// What is asked.
    pub asked: Asked,
    /// What people said, in order.
    pub answers: Vec<Answer>,
    /// When it was asked, microseconds since the epoch.
    pub requested_us: i64,
    /// When it is too late, microseconds since the epoch. At that moment it is.
    pub expires_us: i64,
}

impl Approval {
    /// Whether it can be answered and used at this time. Before it was asked it cannot be: a clock was set back, and it would
    /// wait for longer than it may.
    #[must_use]
    pub const fn is_in_time(&self, now_us: i64) -> bool {
        self.requested_us <= now_us && now_us < self.expires_us
    }

    /// What the approval removes from a decision: one discharge for each guard that asked.
    #[must_use]
    pub fn discharges(&self) -> Vec<Discharge> {
        let discharge =
            |guard: &AskedGuard| Discharge { rule: guard.rule.clone(), text: guard.text.clone(), by: self.id.clone() };
        self.asked.guards.iter().map(discharge).collect()
    }
}

impl Asked {
    /// Whether it is about the same call of the same session: what a refusal holds for.
    #[must_use]
    pub fn is_same_edge(&self, other: &Self) -> bool {
        (&self.session, &self.action, &self.args_hash) == (&other.session, &other.action, &other.args_hash)
    }

    /// Whether an answer to the one answers the other.
    pub(super) fn is_same_question(&self, other: &Self) -> bool {
        self.is_same_edge(other)
            && (&self.agent, self.tier, &self.user) == (&other.agent, other.tier, &other.user)
            && (&self.effective_hash, &self.definition) == (&other.effective_hash, &other.definition)
            && (&self.guards, &self.approvers, self.quorum) == (&other.guards, &other.approvers, other.quorum)
    }
}

impl std::fmt::Debug for CallBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallBytes({} bytes)", self.0.len())
    }
}

impl Serialize for CallBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for CallBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}
