//! Who is calling, as established by the transport.

use vocab::Principal;
use vocab::id::{RunId, SessionId, Tenant};

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    tenant: Tenant,
    principal: Principal,
    run: Option<RunId>,
    session: SessionId,
}

impl Caller {
    /// A caller as its transport established it. `credential` tells it from others of the agent: a key's id, a user id.
    #[must_use]
    pub fn new(tenant: Tenant, principal: Principal, credential: &str, run: Option<RunId>) -> Self {
        let agent = &principal.agent;
        let session = SessionId::new(match &run {
            Some(run) => format!("{tenant}:{agent}:run:{run}"),
            None => format!("{tenant}:{agent}:{}:{credential}", principal.authn.as_str()),
        });
        Self { tenant, principal, run, session }
    }

    /// Whose data.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Who its calls are made by.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The run, when a run token was used.
    #[must_use]
    pub const fn run(&self) -> Option<&RunId> {
        self.run.as_ref()
    }

    /// The session all calls of this caller belong to. Nothing a client says takes part in it.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.session
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::Authn;
    use vocab::id::AgentId;

    fn caller(run: Option<&str>) -> Caller {
        let principal = Principal { agent: AgentId::new("bot"), parents: Vec::new(), user: None, authn: Authn::Local };
        Caller::new(Tenant::default(), principal, "uid-0", run.map(RunId::new))
    }

    #[test]
    fn one_credential_is_one_session_unless_a_run_token_says_otherwise() {
        assert_eq!(caller(None).session(), caller(None).session());
        assert_ne!(caller(Some("a")).session(), caller(Some("b")).session());
        assert_ne!(caller(Some("a")).session(), caller(None).session());
    }
}
