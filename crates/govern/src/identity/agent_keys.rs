//! Agent keys: `mk_<agent>_<43 characters>`, shown once, kept as SHA-256.

use super::random;
use crate::names::is_canonical;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::{ConstantTimeEq as _, ConstantTimeLess as _};
use thiserror::Error;
use vocab::Secret;
use vocab::id::AgentId;

/// The file in the state directory.
pub const KEYS_FILE: &str = "agent-keys.json";

/// Most keys at once. A lookup compares with every one, so that it takes the same time for each.
pub const MAX_KEYS: usize = 1_000;

/// Longest text looked at as a key: prefix, longest name, separators and 43 characters are below it.
const MAX_PRESENTED_BYTES: usize = 128;

/// The keys of a project, as kept in the state directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentKeys {
    keys: Vec<AgentKey>,
}

/// One key, without the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentKey {
    /// A short name for listing and revoking: the first 12 digits of the hash.
    pub id: String,
    /// Whose it is.
    pub agent: AgentId,
    /// When it was issued, microseconds since the epoch.
    pub created_us: i64,
    /// SHA-256 of the key's text, hexadecimal.
    hash: String,
}

/// Why no key was issued.
#[derive(Debug, Error)]
pub enum IssueKeyError {
    /// There are [`MAX_KEYS`] already.
    #[error("there are {MAX_KEYS} keys already")]
    TooMany,
    /// Not an agent's name.
    #[error("`{0}` is not an agent name")]
    Name(AgentId),
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl AgentKeys {
    /// Issues a key. Its text is never seen again.
    ///
    /// # Errors
    /// When there are too many, the name is none, or the system gives no random bytes.
    pub fn issue(&mut self, agent: &AgentId, now_us: i64) -> Result<Secret<String>, IssueKeyError> {
        if self.keys.len() >= MAX_KEYS {
            return Err(IssueKeyError::TooMany);
        }
        if !is_canonical(agent.as_str()) {
            return Err(IssueKeyError::Name(agent.clone()));
        }
        let key = format!("mk_{agent}_{}", URL_SAFE_NO_PAD.encode(random::<32>()?));
        let hash = hex::encode(digest(&SHA256, key.as_bytes()));
        let id = hash.chars().take(12).collect();
        self.keys.push(AgentKey { id, agent: agent.clone(), created_us: now_us, hash });
        Ok(Secret::new(key))
    }

    /// Whose key this is. Every stored hash is compared in full.
    #[must_use]
    pub fn authenticate(&self, presented: &str) -> Option<&AgentKey> {
        if presented.len() > MAX_PRESENTED_BYTES {
            return None;
        }
        let hash = hex::encode(digest(&SHA256, presented.as_bytes()));
        let mut found = usize::MAX as u64;
        for (index, key) in self.keys.iter().enumerate() {
            let same = key.hash.as_bytes().ct_eq(hash.as_bytes());
            let index = index as u64;
            let better = same & index.ct_lt(&found);
            found = if bool::from(better) { index } else { found };
        }
        usize::try_from(found).ok().and_then(|index| self.keys.get(index))
    }

    /// All keys.
    pub fn list(&self) -> impl Iterator<Item = &AgentKey> {
        self.keys.iter()
    }

    /// Removes a key. Says whether there was one.
    pub fn revoke(&mut self, id: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|key| key.id != id);
        self.keys.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issued_keys_authenticate_until_revoked() {
        let mut keys = AgentKeys::default();
        let bot = keys.issue(&AgentId::new("bot"), 1).unwrap();
        let eve = keys.issue(&AgentId::new("eve"), 2).unwrap();
        assert!(bot.expose().starts_with("mk_bot_") && bot.expose().len() == 7 + 43);
        assert_eq!(keys.authenticate(bot.expose()).unwrap().agent.as_str(), "bot");
        assert_eq!(keys.authenticate(eve.expose()).unwrap().agent.as_str(), "eve");
        for wrong in
            ["", "mk_bot_", bot.expose().get(..49).unwrap(), &format!("{}x", bot.expose()), &"x".repeat(10_000)]
        {
            assert_eq!(keys.authenticate(wrong), None, "{wrong}");
        }
        let swapped = bot.expose().replace("mk_bot_", "mk_eve_");
        assert_eq!(keys.authenticate(&swapped), None);
        let id = keys.list().next().unwrap().id.clone();
        assert!(keys.revoke(&id) && !keys.revoke(&id));
        assert_eq!(keys.authenticate(bot.expose()), None);
        assert!(keys.authenticate(eve.expose()).is_some());
    }

    #[test]
    fn only_hashes_are_kept() {
        let mut keys = AgentKeys::default();
        let key = keys.issue(&AgentId::new("bot"), 1).unwrap();
        let kept = serde_json::to_string(&keys).unwrap();
        assert!(!kept.contains(key.expose().rsplit('_').next().unwrap()));
        let again: AgentKeys = serde_json::from_str(&kept).unwrap();
        assert!(again.authenticate(key.expose()).is_some());
    }

    #[test]
    fn number_of_keys_is_bounded() {
        let mut keys = AgentKeys::default();
        for n in 0..MAX_KEYS {
            keys.issue(&AgentId::new(format!("a{n}")), 0).unwrap();
        }
        assert!(matches!(keys.issue(&AgentId::new("b"), 0), Err(IssueKeyError::TooMany)));
        assert!(matches!(AgentKeys::default().issue(&AgentId::new("A b"), 0), Err(IssueKeyError::Name(_))));
    }
}
