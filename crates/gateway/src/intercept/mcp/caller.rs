//! Who is calling, as established by the transport.

use vocab::id::{AgentId, RunId, SessionId, Tenant, UserId};
use vocab::{Authn, Principal};

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose data.
    pub tenant: Tenant,
    /// The agent.
    pub agent: AgentId,
    /// Agents that started it, nearest first.
    pub parents: Vec<AgentId>,
    /// The person at the end of the chain.
    pub user: Option<UserId>,
    /// How it was established.
    pub authn: Authn,
    /// What tells this credential from others of the agent: a key's id, a user id.
    pub credential: String,
    /// The run, when a run token was used.
    pub run: Option<RunId>,
}

impl Caller {
    /// The session all calls of this caller belong to. Nothing a client says takes part in it.
    #[must_use]
    pub fn session(&self) -> SessionId {
        let Self { tenant, agent, credential, .. } = self;
        match &self.run {
            Some(run) => SessionId::new(format!("{tenant}:{agent}:run:{run}")),
            None => SessionId::new(format!("{tenant}:{agent}:{}:{credential}", self.authn.as_str())),
        }
    }

    /// The principal of its calls.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal {
            agent: self.agent.clone(),
            parents: self.parents.clone(),
            user: self.user.clone(),
            authn: self.authn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(run: Option<&str>) -> Caller {
        Caller {
            tenant: Tenant::default(),
            agent: AgentId::new("bot"),
            parents: Vec::new(),
            user: None,
            authn: Authn::Local,
            credential: "uid-0".into(),
            run: run.map(RunId::new),
        }
    }

    #[test]
    fn one_credential_is_one_session_unless_a_run_token_says_otherwise() {
        assert_eq!(caller(None).session(), caller(None).session());
        assert_ne!(caller(Some("a")).session(), caller(Some("b")).session());
        assert_ne!(caller(Some("a")).session(), caller(None).session());
    }
}
