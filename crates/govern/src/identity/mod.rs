//! Who is calling and who is answering. Only hashes of secrets are kept; comparing takes the same time whatever differs.

mod agent_keys;
mod approvers;
mod run_token;

pub use agent_keys::{AgentKey, AgentKeys, IssueKeyError, KEYS_FILE, MAX_KEYS};
pub use approvers::{
    APPROVERS_FILE, Cost, Credentials, EnrollError, LOCK_US, MAX_FAILURES, MAX_SECRET_BYTES, MIN_SECRET_CHARS,
    VerifyError,
};
pub use run_token::{AttenuateError, MAX_CHAIN, MAX_TOKEN_BYTES, RunToken, RunTokenError, attenuate, mint, verify};

use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{StateDir, StateError};
use thiserror::Error;

/// Why identities cannot be read or kept.
#[derive(Debug, Error)]
pub enum IdentityFileError {
    /// The state directory cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file does not read. Nobody is authenticated until it does.
    #[error("`{0}` is damaged")]
    Damaged(&'static str),
}

impl AgentKeys {
    /// Reads the keys; none when there is no file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(state: &StateDir) -> Result<Self, IdentityFileError> {
        load(state, KEYS_FILE)
    }

    /// Keeps the keys.
    ///
    /// # Errors
    /// When the state directory cannot be written.
    pub fn save(&self, state: &StateDir) -> Result<(), IdentityFileError> {
        save(state, KEYS_FILE, self)
    }
}

impl Credentials {
    /// Reads the credentials; none when there is no file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(state: &StateDir) -> Result<Self, IdentityFileError> {
        load(state, APPROVERS_FILE)
    }

    /// Keeps the credentials.
    ///
    /// # Errors
    /// When the state directory cannot be written.
    pub fn save(&self, state: &StateDir) -> Result<(), IdentityFileError> {
        save(state, APPROVERS_FILE, self)
    }
}

fn load<T: Default + DeserializeOwned>(state: &StateDir, file: &'static str) -> Result<T, IdentityFileError> {
    match state.read_summed(file) {
        Err(StateError::Damaged(_)) => Err(IdentityFileError::Damaged(file)),
        read => match read? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| IdentityFileError::Damaged(file)),
            None => Ok(T::default()),
        },
    }
}

fn save<T: Serialize>(state: &StateDir, file: &'static str, value: &T) -> Result<(), IdentityFileError> {
    let bytes = serde_json::to_vec(value).map_err(|_| IdentityFileError::Damaged(file))?;
    Ok(state.write_summed(file, &bytes)?)
}

/// Bytes from the system's generator.
fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::id::AgentId;

    #[test]
    fn keys_survive_a_restart_and_damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let mut keys = AgentKeys::load(&state).unwrap();
        let key = keys.issue(&AgentId::new("bot"), 0).unwrap();
        keys.save(&state).unwrap();
        assert!(AgentKeys::load(&state).unwrap().authenticate(key.expose()).is_some());
        state.write(KEYS_FILE, b"[]x").unwrap();
        assert!(matches!(AgentKeys::load(&state), Err(IdentityFileError::Damaged(KEYS_FILE))));
        keys.save(&state).unwrap();
        let mut flipped = state.read(KEYS_FILE).unwrap().unwrap();
        let digit = flipped.iter().rposition(|byte| *byte == b'}').unwrap() - 5;
        flipped[digit] ^= 1;
        state.write(KEYS_FILE, &flipped).unwrap();
        assert!(matches!(AgentKeys::load(&state), Err(IdentityFileError::Damaged(KEYS_FILE))));
        // As an earlier version wrote it.
        state.write(KEYS_FILE, &serde_json::to_vec(&keys).unwrap()).unwrap();
        assert!(AgentKeys::load(&state).unwrap().authenticate(key.expose()).is_some());
        Credentials::default().save(&state).unwrap();
        assert_eq!(Credentials::load(&state).unwrap(), Credentials::default());
    }
}
