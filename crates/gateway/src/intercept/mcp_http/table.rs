//! The conversations of the endpoint. Their ids merge nothing and split nothing: labels and counters belong to the
//! caller's session, whatever `Mcp-Session-Id` says.

use super::HttpPort;
use crate::intercept::mcp::{Caller, Conversation, Shared};
use crate::process::Accepted;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Conversations open at once. A new one beyond it ends the longest idle.
pub const MAX_CONVERSATIONS: usize = 1_024;

/// A conversation not used for this long may be ended.
const IDLE: Duration = Duration::from_secs(1_800);

/// One conversation.
pub struct Entry {
    pub id: String,
    pub conversation: Arc<Conversation>,
    pub port: Arc<HttpPort>,
    used: Mutex<Instant>,
    /// The credential its caller presented last.
    accepted: Mutex<Option<Accepted>>,
}

/// All of them, by `Mcp-Session-Id`.
#[derive(Default)]
pub struct Table(Mutex<HashMap<String, Arc<Entry>>>);

impl Table {
    /// Opens a conversation; `None` when there is no room and none is idle, or no random numbers are to be had.
    pub fn open(&self, shared: Arc<Shared>, caller: Caller, max_message_bytes: usize) -> Option<(String, Arc<Entry>)> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).ok()?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let port = Arc::new(HttpPort::default());
        let conversation =
            Conversation::new(shared, caller, None, None, Arc::clone(&port) as Arc<_>, max_message_bytes);
        let entry = Arc::new(Entry {
            id: id.clone(),
            conversation,
            port,
            used: Mutex::new(Instant::now()),
            accepted: Mutex::new(None),
        });
        let mut table = self.lock();
        if table.len() >= MAX_CONVERSATIONS {
            let (oldest, used) =
                table.iter().map(|(id, entry)| (id.clone(), entry.used())).min_by_key(|(_, used)| *used)?;
            if used.elapsed() < IDLE {
                return None;
            }
            if let Some(entry) = table.remove(&oldest) {
                entry.conversation.end();
            }
        }
        table.insert(id.clone(), Arc::clone(&entry));
        Some((id, entry))
    }

    /// The conversation under an id. Whose it is has still to be seen.
    pub fn find(&self, id: &str) -> Option<Arc<Entry>> {
        self.lock().get(id).cloned()
    }

    /// Ends a conversation.
    pub fn close(&self, id: &str) {
        let removed = self.lock().remove(id);
        if let Some(entry) = removed {
            entry.conversation.end();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Its caller is here.
    pub fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether a credential is known to be its caller's.
    pub fn knows(&self, covers: impl FnOnce(&Accepted) -> bool) -> bool {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(covers)
    }

    /// A credential was found to be its caller's.
    pub fn remember(&self, accepted: Accepted) {
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(accepted);
    }

    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
