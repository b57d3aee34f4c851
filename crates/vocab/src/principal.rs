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

words!(Mode { Observe => "observe", Shadow => "shadow", Enforce => "enforce" });
