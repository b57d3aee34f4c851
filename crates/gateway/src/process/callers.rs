//! Who is calling.

use crate::intercept::mcp::Caller;
use enforce::Snapshot;
use govern::governed::{Process, Standing, read_process_table};
use govern::identity::{self, AgentKeys, Cost, Credentials, RunToken};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use store::StateDir;
use vocab::id::{AgentId, RunId, Tenant, UserId};
use vocab::{Authn, Principal, Secret};

/// How long a run token is good: a day. A run that is longer asks for another.
const RUN_LASTS_US: i64 = 24 * 3_600 * 1_000_000;

/// Where the system lists processes.
const PROC: &str = "/proc";

/// Governed processes remembered at once.
const MAX_ROOTS: usize = 4_096;

/// Why a caller is nobody.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// Nothing was presented.
    #[error("no agent: present an agent key, a run token or `--agent NAME`")]
    Nobody,
    /// What was presented is not good.
    #[error("the credential is not good")]
    Credential,
    /// The inventory does not have the agent.
    #[error("the inventory has no such agent")]
    Agent,
    /// The peer runs as another user.
    #[error("the peer runs as another user")]
    Peer,
    /// State cannot be kept.
    #[error("state cannot be kept: {0}")]
    State(String),
    /// Something is not allowed.
    #[error("{0}")]
    Refused(String),
}

/// A run that may begin.
pub struct RunStarted {
    /// The token's text.
    pub token: Secret<String>,
    /// The run.
    pub run: RunId,
}

/// Credentials and governed processes of a gateway.
pub struct Callers {
    state: Arc<StateDir>,
    run_key: Secret<[u8; 32]>,
    keys: Mutex<AgentKeys>,
    credentials: Mutex<Credentials>,
    /// Processes whose descendants are governed.
    roots: Mutex<HashSet<Process>>,
}

impl Callers {
    /// Reads the credentials of a state directory.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn open(state: Arc<StateDir>, run_key: Secret<[u8; 32]>) -> Result<Self, CallerError> {
        let keys = AgentKeys::load(&state).map_err(|error| CallerError::State(error.to_string()))?;
        let credentials = Credentials::load(&state).map_err(|error| CallerError::State(error.to_string()))?;
        Ok(Self {
            state,
            run_key,
            keys: Mutex::new(keys),
            credentials: Mutex::new(credentials),
            roots: Mutex::new(HashSet::new()),
        })
    }

    /// Who presents a bearer token over HTTP.
    ///
    /// # Errors
    /// It is nobody of the inventory.
    pub fn bearer(&self, presented: &str, snapshot: &Snapshot, now_us: i64) -> Result<Caller, CallerError> {
        if presented.starts_with("mr_") {
            return self.run(presented, snapshot, now_us);
        }
        let keys = lock(&self.keys);
        let key = keys.authenticate(presented).ok_or(CallerError::Credential)?;
        let principal = principal(snapshot, key.agent.clone(), Authn::AgentKey)?;
        Ok(Caller::new(tenant(snapshot), principal, &key.id, None))
    }

    /// Who presents a run token.
    ///
    /// # Errors
    /// The token is not good, or its agent is gone from the inventory.
    pub fn run(&self, presented: &str, snapshot: &Snapshot, now_us: i64) -> Result<Caller, CallerError> {
        let token = identity::verify(&self.run_key, presented, now_us).map_err(|_| CallerError::Credential)?;
        let mut principal = principal(snapshot, token.agent, Authn::RunToken)?;
        principal.parents = token.parents;
        principal.user = token.user.or(principal.user);
        Ok(Caller::new(tenant(snapshot), principal, token.run.as_str(), Some(token.run.clone())))
    }

    /// Who says to be an agent over the local socket, as the same user.
    ///
    /// # Errors
    /// Another user, or no such agent.
    pub fn local(&self, agent: &str, peer_uid: u32, snapshot: &Snapshot) -> Result<Caller, CallerError> {
        if peer_uid != rustix::process::geteuid().as_raw() {
            return Err(CallerError::Peer);
        }
        let principal = principal(snapshot, AgentId::new(agent), Authn::Local)?;
        Ok(Caller::new(tenant(snapshot), principal, &format!("uid-{peer_uid}"), None))
    }

    /// Mints a token for a run that begins.
    ///
    /// # Errors
    /// No such agent, or the parent may not start it.
    pub fn begin_run(
        &self,
        agent: &str,
        parent: Option<&str>,
        snapshot: &Snapshot,
        run: RunId,
        now_us: i64,
    ) -> Result<RunStarted, CallerError> {
        let id = AgentId::new(agent);
        let declared = snapshot.agent(&id).ok_or(CallerError::Agent)?;
        let exp = now_us.saturating_add(RUN_LASTS_US);
        let token = match parent {
            Some(parent) => {
                let parent = identity::verify(&self.run_key, parent, now_us).map_err(|_| CallerError::Credential)?;
                identity::attenuate(&parent, declared, run.clone(), exp)
                    .map_err(|error| CallerError::Refused(error.to_string()))?
            }
            None => RunToken { agent: id, run: run.clone(), parents: Vec::new(), user: declared.user.clone(), exp },
        };
        Ok(RunStarted { token: identity::mint(&self.run_key, &token), run })
    }

    /// Makes a key for an agent.
    ///
    /// # Errors
    /// No such agent, too many keys, or state cannot be kept.
    pub fn issue_key(&self, agent: &str, snapshot: &Snapshot, now_us: i64) -> Result<Secret<String>, CallerError> {
        let id = AgentId::new(agent);
        snapshot.agent(&id).ok_or(CallerError::Agent)?;
        let mut keys = lock(&self.keys);
        let key = keys.issue(&id, now_us).map_err(|error| CallerError::Refused(error.to_string()))?;
        keys.save(&self.state).map_err(|error| CallerError::State(error.to_string()))?;
        Ok(key)
    }

    /// Sets an approver's secret. Expensive on purpose: call it where blocking is fine.
    ///
    /// # Errors
    /// The secret is not acceptable, the present one is missing or wrong, or state cannot be kept.
    pub fn enroll(
        &self,
        approver: &UserId,
        secret: &Secret<String>,
        present: Option<&Secret<String>>,
        now_us: i64,
    ) -> Result<(), CallerError> {
        let mut credentials = lock(&self.credentials);
        let enrolled = credentials.enroll(approver, secret, present, Cost::default(), now_us);
        credentials.save(&self.state).map_err(|error| CallerError::State(error.to_string()))?;
        enrolled.map_err(|error| CallerError::Refused(error.to_string()))
    }

    /// Checks an approver's secret. Failures are counted and kept.
    ///
    /// # Errors
    /// It is wrong, or the approver is locked.
    pub fn verify(&self, approver: &UserId, secret: &Secret<String>, now_us: i64) -> Result<(), CallerError> {
        let mut credentials = lock(&self.credentials);
        let verified = credentials.verify(approver, secret, now_us);
        credentials.save(&self.state).map_err(|error| CallerError::State(error.to_string()))?;
        verified.map_err(|error| CallerError::Refused(error.to_string()))
    }

    /// Remembers that what descends from a process is governed.
    pub fn govern(&self, process: Process) {
        let mut roots = lock(&self.roots);
        if roots.len() >= MAX_ROOTS {
            let alive: HashSet<Process> = match read_process_table(Path::new(PROC)) {
                Ok(table) => roots.iter().copied().filter(|root| table.process(root.pid) == Some(*root)).collect(),
                Err(_) => return,
            };
            *roots = alive;
        }
        roots.insert(process);
    }

    /// Remembers that what descends from a process, as it is now, is governed.
    pub fn govern_pid(&self, pid: u32) {
        if let Some(process) = read_process_table(Path::new(PROC)).ok().and_then(|table| table.process(pid)) {
            self.govern(process);
        }
    }

    /// Remembers the agent host behind a connected shim.
    pub fn govern_host_of(&self, shim_pid: u32) {
        let Ok(table) = read_process_table(Path::new(PROC)) else { return };
        for process in [table.agent_host(shim_pid), table.process(shim_pid)].into_iter().flatten() {
            self.govern(process);
        }
    }

    /// Whether a process is under an agent's control, or that cannot be told.
    #[must_use]
    pub fn is_governed(&self, pid: Option<u32>) -> bool {
        let Some(pid) = pid else { return true };
        let Ok(table) = read_process_table(Path::new(PROC)) else { return true };
        let mut roots = lock(&self.roots).clone();
        // What the gateway itself started (tool servers and all below them) is governed too.
        roots.extend(table.process(std::process::id()));
        table.standing(pid, &roots) != Standing::Free
    }
}

fn principal(snapshot: &Snapshot, agent: AgentId, authn: Authn) -> Result<Principal, CallerError> {
    let user = snapshot.agent(&agent).ok_or(CallerError::Agent)?.user.clone();
    Ok(Principal { agent, parents: Vec::new(), user, authn })
}

fn tenant(snapshot: &Snapshot) -> Tenant {
    snapshot.project.settings.tenant.clone()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
