//! Approvers' secrets: typed by a person, kept as Argon2id hashes, with few attempts.

use super::random;
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use vocab::Secret;
use vocab::id::UserId;

/// The file in the state directory.
pub const APPROVERS_FILE: &str = "approvers.json";

/// Shortest secret, in characters.
pub const MIN_SECRET_CHARS: usize = 8;

/// Longest secret, in bytes: nobody types more.
pub const MAX_SECRET_BYTES: usize = 1_024;

/// Wrong secrets in a row after which an approver is locked.
pub const MAX_FAILURES: u32 = 5;

/// How long, in microseconds: a minute. Five guesses a minute are 7,200 a day.
pub const LOCK_US: i64 = 60 * 1_000_000;

/// How expensive one guess is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    /// OWASP's choice for Argon2id with one lane: 19 MiB, 2 passes.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// What a stored cost may be, so that an edited file cannot exhaust the machine.
const MAX_COST: Cost = Cost { memory_kib: 256 * 1024, passes: 16 };

/// The approvers' credentials, as kept in the state directory.
///
/// Failures are part of it: save it after every [`Credentials::verify`], or a restart gives new attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    approvers: BTreeMap<UserId, Credential>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    cost: Cost,
    salt: String,
    hash: String,
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    locked_until_us: i64,
}

/// Why a secret was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// Not the secret, or nobody has enrolled under that name. One answer for both.
    #[error("the name or the secret is wrong")]
    Wrong,
    /// Too many wrong ones before.
    #[error("too many wrong secrets, try again in {wait_s} s")]
    Locked {
        /// Seconds until the next attempt.
        wait_s: i64,
    },
    /// The stored credential cannot be used.
    #[error("the stored credential is damaged")]
    Damaged,
}

/// Why nobody was enrolled.
#[derive(Debug, Error)]
pub enum EnrollError {
    /// Shorter than [`MIN_SECRET_CHARS`].
    #[error("the secret has fewer than {MIN_SECRET_CHARS} characters")]
    TooShort,
    /// Longer than [`MAX_SECRET_BYTES`].
    #[error("the secret has more than {MAX_SECRET_BYTES} bytes")]
    TooLong,
    /// Somebody has enrolled under that name, and the old secret was not given.
    #[error("`{0}` has a secret already, and replacing it needs the old one")]
    NeedsOld(UserId),
    /// The old secret was not accepted.
    #[error(transparent)]
    Old(#[from] VerifyError),
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The cost is none Argon2 takes.
    #[error("the cost of hashing is out of range")]
    Cost,
}

impl Credentials {
    /// Whether somebody has enrolled under this name.
    #[must_use]
    pub fn has(&self, approver: &UserId) -> bool {
        self.approvers.contains_key(approver)
    }

    /// Who has enrolled.
    pub fn names(&self) -> impl Iterator<Item = &UserId> {
        self.approvers.keys()
    }

    /// Stores a secret. Replacing one needs the old one, which counts as an attempt.
    ///
    /// # Errors
    /// When the secret is too short or too long, or the old one is missing or wrong.
    pub fn enroll(
        &mut self,
        approver: &UserId,
        secret: &Secret<String>,
        old: Option<&Secret<String>>,
        cost: Cost,
        now_us: i64,
    ) -> Result<(), EnrollError> {
        if secret.expose().chars().count() < MIN_SECRET_CHARS {
            return Err(EnrollError::TooShort);
        }
        if secret.expose().len() > MAX_SECRET_BYTES {
            return Err(EnrollError::TooLong);
        }
        if self.has(approver) {
            let old = old.ok_or_else(|| EnrollError::NeedsOld(approver.clone()))?;
            self.verify(approver, old, now_us)?;
        }
        let salt = random::<16>()?;
        let hash = hashed(secret, &salt, cost).ok_or(EnrollError::Cost)?;
        let credential =
            Credential { cost, salt: hex::encode(salt), hash: hex::encode(hash), failures: 0, locked_until_us: 0 };
        self.approvers.insert(approver.clone(), credential);
        Ok(())
    }

    /// Checks a secret and counts the failure.
    ///
    /// # Errors
    /// When it is wrong, or the approver is locked after [`MAX_FAILURES`] wrong ones.
    pub fn verify(&mut self, approver: &UserId, secret: &Secret<String>, now_us: i64) -> Result<(), VerifyError> {
        if secret.expose().len() > MAX_SECRET_BYTES {
            return Err(VerifyError::Wrong);
        }
        let Some(credential) = self.approvers.get_mut(approver) else {
            // As long as for a name that exists.
            let _ = hashed(secret, &[0; 16], Cost::default());
            return Err(VerifyError::Wrong);
        };
        if now_us < credential.locked_until_us {
            let wait_s = (credential.locked_until_us - now_us + 999_999) / 1_000_000;
            return Err(VerifyError::Locked { wait_s });
        }
        if credential.matches(secret)? {
            credential.failures = 0;
            return Ok(());
        }
        credential.failures += 1;
        if credential.failures >= MAX_FAILURES {
            credential.failures = 0;
            credential.locked_until_us = now_us.saturating_add(LOCK_US);
        }
        Err(VerifyError::Wrong)
    }

    /// Removes an approver's secret. Says whether there was one.
    pub fn remove(&mut self, approver: &UserId) -> bool {
        self.approvers.remove(approver).is_some()
    }
}

impl Credential {
    fn matches(&self, secret: &Secret<String>) -> Result<bool, VerifyError> {
        let salt = hex::decode(&self.salt).map_err(|_| VerifyError::Damaged)?;
        let stored = hex::decode(&self.hash).map_err(|_| VerifyError::Damaged)?;
        let hash = hashed(secret, &salt, self.cost).ok_or(VerifyError::Damaged)?;
        Ok(hash.ct_eq(&stored).into())
    }
}

fn hashed(secret: &Secret<String>, salt: &[u8], cost: Cost) -> Option<[u8; 32]> {
    if cost.memory_kib > MAX_COST.memory_kib || cost.passes > MAX_COST.passes {
        return None;
    }
    let params = Params::new(cost.memory_kib, cost.passes, 1, Some(32)).ok()?;
    let mut hash = [0; 32];
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(secret.expose().as_bytes(), salt, &mut hash).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least Argon2 takes, so that tests do not wait.
    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn ada() -> UserId {
        UserId::new("ada")
    }

    fn enrolled() -> Credentials {
        let mut credentials = Credentials::default();
        credentials.enroll(&ada(), &secret("right horse"), None, CHEAP, 0).unwrap();
        credentials
    }

    #[test]
    fn the_right_secret_and_no_other() {
        let mut credentials = enrolled();
        assert_eq!(credentials.verify(&ada(), &secret("right horse"), 0), Ok(()));
        assert_eq!(credentials.verify(&ada(), &secret("wrong horse"), 0), Err(VerifyError::Wrong));
        assert_eq!(credentials.verify(&UserId::new("eve"), &secret("right horse"), 0), Err(VerifyError::Wrong));
        let kept = serde_json::to_string(&credentials).unwrap();
        assert!(!kept.contains("right"), "{kept}");
        let mut again: Credentials = serde_json::from_str(&kept).unwrap();
        assert_eq!(again.verify(&ada(), &secret("right horse"), 0), Ok(()));
    }

    #[test]
    fn replacing_needs_the_old_secret() {
        let mut credentials = enrolled();
        let new = secret("new secret");
        let enroll = |credentials: &mut Credentials, old| credentials.enroll(&ada(), &new, old, CHEAP, 0);
        assert!(matches!(enroll(&mut credentials, None), Err(EnrollError::NeedsOld(_))));
        let wrong = secret("wrong horse");
        assert!(matches!(enroll(&mut credentials, Some(&wrong)), Err(EnrollError::Old(VerifyError::Wrong))));
        assert!(enroll(&mut credentials, Some(&secret("right horse"))).is_ok());
        assert_eq!(credentials.verify(&ada(), &new, 0), Ok(()));
        assert!(credentials.verify(&ada(), &secret("right horse"), 0).is_err());
    }

    #[test]
    fn length_has_edges() {
        let enroll = |text: &str| Credentials::default().enroll(&ada(), &secret(text), None, CHEAP, 0);
        assert!(matches!(enroll("1234567"), Err(EnrollError::TooShort)));
        assert!(matches!(enroll("ääääääá"), Err(EnrollError::TooShort)), "characters, not bytes");
        assert!(enroll("12345678").is_ok());
        assert!(enroll(&"x".repeat(MAX_SECRET_BYTES)).is_ok());
        assert!(matches!(enroll(&"x".repeat(MAX_SECRET_BYTES + 1)), Err(EnrollError::TooLong)));
    }

    #[test]
    fn attempts_are_few() {
        let mut credentials = enrolled();
        let (right, wrong) = (secret("right horse"), secret("wrong horse"));
        for _ in 0..MAX_FAILURES {
            assert_eq!(credentials.verify(&ada(), &wrong, 10), Err(VerifyError::Wrong));
        }
        assert_eq!(credentials.verify(&ada(), &right, 10), Err(VerifyError::Locked { wait_s: 60 }));
        assert_eq!(credentials.verify(&ada(), &right, 9 + LOCK_US), Err(VerifyError::Locked { wait_s: 1 }));
        assert_eq!(credentials.verify(&ada(), &right, 10 + LOCK_US), Ok(()));
        for _ in 1..MAX_FAILURES {
            assert_eq!(credentials.verify(&ada(), &wrong, 2 * LOCK_US), Err(VerifyError::Wrong));
        }
        assert_eq!(credentials.verify(&ada(), &right, 2 * LOCK_US), Ok(()), "one attempt was left");
        let mut kept: Credentials = serde_json::from_str(&serde_json::to_string(&credentials).unwrap()).unwrap();
        assert_eq!(kept.verify(&ada(), &wrong, 2 * LOCK_US), Err(VerifyError::Wrong));
    }

    #[test]
    fn an_edited_file_is_damaged_not_expensive() {
        let mut credentials = enrolled();
        credentials.approvers.get_mut(&ada()).unwrap().cost.memory_kib = MAX_COST.memory_kib + 1;
        assert_eq!(credentials.verify(&ada(), &secret("right horse"), 0), Err(VerifyError::Damaged));
        let mut credentials = enrolled();
        credentials.approvers.get_mut(&ada()).unwrap().hash = "zz".to_owned();
        assert_eq!(credentials.verify(&ada(), &secret("right horse"), 0), Err(VerifyError::Damaged));
        let mut credentials = enrolled();
        credentials.approvers.get_mut(&ada()).unwrap().hash.clear();
        assert_eq!(credentials.verify(&ada(), &secret("right horse"), 0), Err(VerifyError::Wrong));
    }

    #[test]
    fn the_default_cost_is_the_recommended_one() {
        assert_eq!(Cost::default(), Cost { memory_kib: 19_456, passes: 2 });
    }
}
