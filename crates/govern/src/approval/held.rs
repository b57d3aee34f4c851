//! Results of approved calls whose callers had gone: kept in memory for one identical retry.

use super::record::Asked;
use std::collections::VecDeque;
use vocab::id::SessionId;

/// Most results held; the oldest goes first.
pub const MAX_HELD: usize = 64;

/// Longest result held: 1 MiB. With [`MAX_HELD`] that is at most 64 MiB.
pub const MAX_RESULT_BYTES: usize = 1024 * 1024;

/// How long a result is held, microseconds: a quarter of an hour.
pub const HELD_US: i64 = 15 * 60 * 1_000_000;

/// Results waiting for a retry, oldest first.
#[derive(Debug, Default)]
pub(super) struct Held(VecDeque<HeldResult>);

#[derive(Debug)]
struct HeldResult {
    session: SessionId,
    action: String,
    args_hash: String,
    until_us: i64,
    result: Vec<u8>,
}

impl Held {
    pub(super) fn put(&mut self, asked: &Asked, result: Vec<u8>, now_us: i64) {
        self.take(&asked.session, &asked.action, &asked.args_hash, now_us);
        if self.0.len() >= MAX_HELD {
            self.0.pop_front();
        }
        self.0.push_back(HeldResult {
            session: asked.session.clone(),
            action: asked.action.clone(),
            args_hash: asked.args_hash.clone(),
            until_us: now_us.saturating_add(HELD_US),
            result,
        });
    }

    pub(super) fn take(&mut self, session: &SessionId, action: &str, args_hash: &str, now_us: i64) -> Option<Vec<u8>> {
        self.0.retain(|held| now_us < held.until_us);
        let same = |held: &HeldResult| held.session == *session && held.action == action && held.args_hash == args_hash;
        let at = self.0.iter().position(same)?;
        self.0.remove(at).map(|held| held.result)
    }

    pub(super) fn forget(&mut self, session: &SessionId) {
        self.0.retain(|held| held.session != *session);
    }
}
