//! Who acts: the agent, on whose behalf, and how that was established.

use crate::id::{AgentId, UserId};
use crate::label::words;
use serde::{Deserialize, Serialize};

/// The chain agent -> parent agents -> user. What a client says of itself (`clientInfo`) is never part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The agent that makes the call.
    pub agent: AgentId,
    /// The agents that started it, nearest first.
    pub parents: Vec<AgentId>,
    /// The person at the end of the chain, when known.
    pub user: Option<UserId>,
    /// How the agent proved who it is.
    pub authn: Authn,
}

/// How a caller was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authn {
    /// An agent key presented over HTTP.
    AgentKey,
    /// A run token minted by `mortise run`.
    RunToken,
    /// `--agent NAME` on a local socket, with the peer's user id checked by the kernel.
    Local,
}

words!(Authn { AgentKey => "agent_key", RunToken => "run_token", Local => "local" });

/// An agent's risk tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Little to lose.
    Low,
    /// Some harm, easily repaired.
    Medium,
    /// Serious harm.
    High,
    /// Harm that cannot be undone.
    Critical,
}

words!(Tier { Low => "low", Medium => "medium", High => "high", Critical => "critical" });

/// How far an agent's rules bind while it is being adopted. Inventory, schemas, pins, built-in guards and faults bind
/// in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// User rules are only recorded.
    Observe,
    /// Permit rules and hard guards are enforced, soft guards recorded.
    Shadow,
    /// Everything is enforced.
    #[default]
    Enforce,
}

/// What of an agent's calls is kept apart from their records.
///
/// Keeping costs room, and what is kept can be lost: how much of it a trace needs depends on the risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// Nothing: records have keyed digests of arguments and results.
    Digests,
    /// What a decision was made on, arguments included: every decision can be made again.
    Arguments,
    /// And what was said and done: arguments as they left, results as they were answered.
    Full,
}

words!(Capture { Digests => "digests", Arguments => "arguments", Full => "full" });

impl Capture {
    /// What is kept when an agent's file does not say: keeping the input of every decision takes about half as much
    /// processor time again as deciding and recording it, so it begins where there is much to lose.
    #[must_use]
    pub const fn of(tier: Tier) -> Self {
        match tier {
            Tier::Low | Tier::Medium => Self::Digests,
            Tier::High | Tier::Critical => Self::Full,
        }
    }
}

words!(Mode { Observe => "observe", Shadow => "shadow", Enforce => "enforce" });
