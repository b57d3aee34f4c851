//! A credential that need not be checked again, because nothing has changed since it was.

use super::Callers;
use enforce::Snapshot;
use std::sync::{Arc, Weak};
use subtle::ConstantTimeEq as _;
use vocab::Secret;

/// Proof that a credential was found good, and by what. Whoever keeps one asks [`Accepted::covers`] before he relies on it.
#[derive(Debug)]
pub struct Accepted {
    presented: Secret<Box<str>>,
    /// Which keys it was looked up in.
    keys: u64,
    /// The configuration its agent was found in. Held weakly: that keeps the address from being another one's.
    snapshot: Weak<Snapshot>,
    /// When it ends, microseconds since the epoch.
    until_us: i64,
}

impl Accepted {
    /// `keys` is what [`Callers::changes`] said *before* the credential was looked up.
    pub(super) fn new(presented: &str, keys: u64, snapshot: &Arc<Snapshot>, until_us: i64) -> Self {
        let presented = Secret::new(presented.into());
        Self { presented, keys, snapshot: Arc::downgrade(snapshot), until_us }
    }

    /// Whether this very credential is presented again, and would be found good for the same caller again: no key was
    /// issued or revoked since, the configuration is the same, and it has not expired.
    #[must_use]
    pub fn covers(&self, presented: &str, callers: &Callers, snapshot: &Arc<Snapshot>, now_us: i64) -> bool {
        self.keys == callers.changes()
            && std::ptr::eq(self.snapshot.as_ptr(), Arc::as_ptr(snapshot))
            && now_us < self.until_us
            && bool::from(self.presented.expose().as_bytes().ct_eq(presented.as_bytes()))
    }
}
