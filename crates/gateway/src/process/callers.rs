//! Who is calling.

use super::accepted::Accepted;
use crate::intercept::mcp::Caller;
use enforce::Snapshot;
use govern::governed::{Process, Standing, read_process_table};
use govern::identity::{self, AgentKeys, Cost, Credentials, RunToken};
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// Who presented a credential.
pub struct Identified {
    /// The caller.
    pub caller: Caller,
    /// What spares the next check of the same credential.
    pub accepted: Accepted,
}

/// Credentials and governed processes of a gateway.
pub struct Callers {
    state: Arc<StateDir>,
    run_key: Secret<[u8; 32]>,
    /// Changed by [`Callers::change`] only.
    keys: Mutex<AgentKeys>,
    /// How often they were.
    changes: AtomicU64,
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
            changes: AtomicU64::new(0),
            credentials: Mutex::new(credentials),
            roots: Mutex::new(HashSet::new()),
        })
    }

    /// Who presents a bearer token over HTTP.
    ///
    /// # Errors
    /// It is nobody of the inventory.
    pub fn bearer(&self, presented: &str, snapshot: &Arc<Snapshot>, now_us: i64) -> Result<Identified, CallerError> {
        // Before anything is looked up: what is found by keys that are replaced meanwhile holds for nobody.
        let changes = self.changes();
        let (caller, until_us) = if presented.starts_with("mr_") {
            let token = identity::verify(&self.run_key, presented, now_us).map_err(|_| CallerError::Credential)?;
            let until_us = token.exp;
            (by_run(token, snapshot)?, until_us)
        } else {
            let keys = lock(&self.keys);
            let key = keys.authenticate(presented).ok_or(CallerError::Credential)?;
            let principal = principal(snapshot, key.agent.clone(), Authn::AgentKey)?;
            (Caller::new(tenant(snapshot), principal, &key.id, None), i64::MAX)
        };
        Ok(Identified { caller, accepted: Accepted::new(presented, changes, snapshot, until_us) })
    }

    /// Who presents a run token.
    ///
    /// # Errors
    /// The token is not good, or its agent is gone from the inventory.
    pub fn run(&self, presented: &str, snapshot: &Snapshot, now_us: i64) -> Result<Caller, CallerError> {
        let token = identity::verify(&self.run_key, presented, now_us).map_err(|_| CallerError::Credential)?;
        by_run(token, snapshot)
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
        self.change(|keys| {
            let key = keys.issue(&id, now_us).map_err(|error| CallerError::Refused(error.to_string()))?;
            keys.save(&self.state).map_err(|error| CallerError::State(error.to_string()))?;
            Ok(key)
        })
    }

    /// How often the keys were changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    fn change<T>(&self, change: impl FnOnce(&mut AgentKeys) -> T) -> T {
        let mut keys = lock(&self.keys);
        let changed = change(&mut keys);
        // INVARIANT: counted before they can be looked up, so that nothing found by the keys before outlives them.
        self.changes.fetch_add(1, Ordering::AcqRel);
        changed
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

fn by_run(token: RunToken, snapshot: &Snapshot) -> Result<Caller, CallerError> {
    let mut principal = principal(snapshot, token.agent, Authn::RunToken)?;
    principal.parents = token.parents;
    principal.user = token.user.or(principal.user);
    Ok(Caller::new(tenant(snapshot), principal, token.run.as_str(), Some(token.run.clone())))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Configuration, Found};
    use govern::protected::Protected;
    use std::fs;

    const NOW: i64 = 1_000;
    const AGENT: &str = "owner = \"o@example.com\"\npurpose = \"p\"\ntier = \"high\"\n";

    struct Place {
        callers: Callers,
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let agents = folder.path().join("project/mortise/agents");
            fs::create_dir_all(&agents).unwrap();
            fs::write(folder.path().join("project/mortise.toml"), "[project]\nname = \"p\"\n").unwrap();
            fs::write(agents.join("bot.toml"), AGENT).unwrap();
            let state = Arc::new(StateDir::open(&folder.path().join("state")).unwrap());
            Self { callers: Callers::open(state, Secret::new([7; 32])).unwrap(), folder }
        }

        fn snapshot(&self) -> Arc<Snapshot> {
            let state = Arc::new(StateDir::open(&self.folder.path().join("other")).unwrap());
            let root = self.folder.path().join("project");
            let protected = Protected::new("/p", "/s", None).unwrap();
            let found = Found::read(&root, &state).unwrap();
            Arc::new(Configuration::open(found, state, protected, false, NOW).unwrap().1)
        }

        fn key(&self, snapshot: &Snapshot) -> Secret<String> {
            self.callers.issue_key("bot", snapshot, NOW).unwrap()
        }
    }

    #[test]
    fn a_key_that_was_accepted_is_covered_until_it_is_revoked() {
        let place = Place::new();
        let (callers, snapshot) = (&place.callers, place.snapshot());
        let key = place.key(&snapshot);
        let found = callers.bearer(key.expose(), &snapshot, NOW).unwrap();
        assert!(found.accepted.covers(key.expose(), callers, &snapshot, NOW));
        let id = lock(&callers.keys).list().next().unwrap().id.clone();
        assert!(callers.change(|keys| keys.revoke(&id)));
        assert!(!found.accepted.covers(key.expose(), callers, &snapshot, NOW));
        assert!(matches!(callers.bearer(key.expose(), &snapshot, NOW), Err(CallerError::Credential)));
    }

    #[test]
    fn only_the_very_credential_under_the_very_configuration_is_covered() {
        let place = Place::new();
        let (callers, snapshot) = (&place.callers, place.snapshot());
        let key = place.key(&snapshot);
        let accepted = callers.bearer(key.expose(), &snapshot, NOW).unwrap().accepted;
        assert!(accepted.covers(key.expose(), callers, &snapshot, NOW));
        let shorter = key.expose().strip_suffix(|_: char| true).unwrap();
        let longer = format!("{}x", key.expose());
        for other in ["", shorter, &longer, &key.expose().to_uppercase()] {
            assert!(!accepted.covers(other, callers, &snapshot, NOW), "{other}");
        }
        // Another configuration may not have the agent: it is asked.
        assert!(!accepted.covers(key.expose(), callers, &place.snapshot(), NOW));
        place.key(&snapshot);
        assert!(!accepted.covers(key.expose(), callers, &snapshot, NOW), "the keys are others");
    }

    #[test]
    fn a_run_token_is_covered_until_it_expires() {
        let place = Place::new();
        let (callers, snapshot) = (&place.callers, place.snapshot());
        let begun = callers.begin_run("bot", None, &snapshot, RunId::new("r1"), NOW).unwrap();
        let accepted = callers.bearer(begun.token.expose(), &snapshot, NOW).unwrap().accepted;
        let last = NOW + RUN_LASTS_US - 1;
        assert!(accepted.covers(begun.token.expose(), callers, &snapshot, last));
        assert!(callers.bearer(begun.token.expose(), &snapshot, last).is_ok());
        assert!(!accepted.covers(begun.token.expose(), callers, &snapshot, last + 1));
        assert!(callers.bearer(begun.token.expose(), &snapshot, last + 1).is_err());
    }
}
