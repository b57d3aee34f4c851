//! One connection to a tool server.

use crate::intercept::mcp::listing::definition;
use crate::jsonrpc::{Id, Notification, Outcome, Request};
use crate::upstream::{Connected, Incoming, Initialized, Upstream, UpstreamError};
use bytes::Bytes;
use canon::json::{Limits, parse};
use enforce::{Boxed, Live};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{debug, warn};
use vocab::id::{Digest, ServerId, ToolName};
use vocab::{Operation, Target};

/// How long listing tools may take.
const LIST_WAIT: Duration = Duration::from_secs(30);

/// How often a list is read anew at once because the server said meanwhile that it changed. A server that keeps on
/// changing its tools has none that can be called.
const MAX_LISTINGS: u32 = 8;

/// How long a question of the server waits for a client to end its handshake.
const ATTACH_WAIT: Duration = Duration::from_secs(30);

/// Questions of one server that are answered at once.
const MAX_QUESTIONS: usize = 64;

/// Clients attached to one connection at most.
const MAX_CLIENTS: usize = 256;

/// A listing under way: which change of the tools it cannot be older than.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing(u64);

/// A client of a connection, to which a server's own messages go.
pub trait Client: Send + Sync {
    /// A notification, byte for byte. Dropped when the client cannot take it.
    fn notified(&self, notification: &Notification);

    /// Whether it waits for an answer of a server.
    fn is_waiting(&self) -> bool;

    /// A request of the server: decided, passed on and answered, or refused.
    fn asked(self: Arc<Self>, request: ServerRequest) -> Boxed<'static, Outcome>;
}

/// A request that a server makes of a client.
pub struct ServerRequest {
    /// The server.
    pub server: ServerId,
    /// The request.
    pub request: Request,
    /// The connection it came over.
    pub link: Arc<Link>,
}

/// What the server said its tools are.
#[derive(Default)]
struct Listed {
    /// Definitions as last listed. `None` while nobody knows: nothing may be called then.
    tools: Option<HashMap<ToolName, Digest>>,
    /// How often the server said that they changed.
    changes: u64,
}

/// One connection to a tool server.
pub struct Link {
    /// The server.
    pub server: ServerId,
    /// The handle.
    pub upstream: Upstream,
    /// What the server said of itself.
    pub initialized: Initialized,
    /// How long a call may take.
    pub call_timeout: Duration,
    /// The folder a started server works in.
    pub working_directory: String,
    listed: RwLock<Listed>,
    /// Whoever is to hear the server, newest last.
    clients: Mutex<Vec<Weak<dyn Client>>>,
    attached: Notify,
    /// Whether it was opened for a client, which is then waited for when the server asks something early.
    for_client: bool,
    /// One listing at a time.
    listing: tokio::sync::Mutex<()>,
    limits: Limits,
    /// Room for questions of the server that are being answered.
    questions: Arc<Semaphore>,
}

impl Link {
    /// Takes over a connection that has shaken hands, and serves what the server sends of its own accord.
    pub fn start(
        server: ServerId,
        connected: Connected,
        call_timeout: Duration,
        working_directory: String,
        limits: Limits,
        for_client: bool,
    ) -> Arc<Self> {
        let Connected { upstream, mut incoming, initialized } = connected;
        let link = Arc::new(Self {
            server,
            upstream,
            initialized,
            call_timeout,
            working_directory,
            listed: RwLock::default(),
            clients: Mutex::new(Vec::new()),
            attached: Notify::new(),
            for_client,
            listing: tokio::sync::Mutex::new(()),
            limits,
            questions: Arc::new(Semaphore::new(MAX_QUESTIONS)),
        });
        let weak = Arc::downgrade(&link);
        tokio::spawn(async move {
            while let Some(message) = incoming.recv().await {
                let Some(link) = weak.upgrade() else { return };
                link.hear(message).await;
            }
        });
        link
    }

    /// Adds a client that wants to hear the server.
    pub fn attach(&self, client: &Arc<dyn Client>) {
        let mut clients = self.clients();
        clients.retain(|known| known.strong_count() > 0);
        if clients.len() < MAX_CLIENTS && !clients.iter().any(|known| known.ptr_eq(&Arc::downgrade(client))) {
            clients.push(Arc::downgrade(client));
        }
        drop(clients);
        self.attached.notify_waiters();
    }

    /// Whether the server offers tools at all.
    #[must_use]
    pub fn offers(&self, capability: &str) -> bool {
        let result: Result<Value, _> = serde_json::from_slice(&self.initialized.result);
        result.is_ok_and(|result| result.pointer(&format!("/capabilities/{capability}")).is_some())
    }

    /// What the server says an operation is: tools as last listed, nothing of all others.
    #[must_use]
    pub fn of(&self, target: &Target) -> Live {
        match &target.operation {
            Operation::Tool(name) => self.live(name),
            _ => Live::Unpinned,
        }
    }

    /// What the server says a tool is, as last listed.
    #[must_use]
    pub fn live(&self, tool: &ToolName) -> Live {
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        let digest = listed.tools.as_ref().and_then(|tools| tools.get(tool));
        digest.map_or(Live::Absent, |digest| Live::Definition(digest.clone()))
    }

    /// Lists the tools unless they are known.
    ///
    /// # Errors
    /// The server does not list them.
    pub async fn know_tools(&self) -> Result<(), UpstreamError> {
        if self.knows_tools() {
            return Ok(());
        }
        let _one = self.listing.lock().await;
        for _ in 0..MAX_LISTINGS {
            if self.knows_tools() {
                return Ok(());
            }
            self.list_tools().await?;
        }
        Ok(())
    }

    /// Lists the tools anew, and remembers their definitions.
    ///
    /// # Errors
    /// The server does not list them.
    pub async fn list_tools(&self) -> Result<Vec<Value>, UpstreamError> {
        let listing = self.listing_begins();
        if !self.offers("tools") {
            self.learn(listing, &[]);
            return Ok(Vec::new());
        }
        let items = self.upstream.list_all("tools/list", "tools", Instant::now() + LIST_WAIT).await?;
        let tools: Result<Vec<Value>, _> = items.iter().map(|item| parse(item, &self.limits)).collect();
        let tools = tools.map_err(|error| UpstreamError::Malformed { reason: error.to_string() })?;
        self.learn(listing, &tools);
        Ok(tools)
    }

    /// Says that the tools are about to be listed; [`Link::learn`] wants it back.
    #[must_use]
    pub fn listing_begins(&self) -> Listing {
        Listing(self.listed.read().unwrap_or_else(PoisonError::into_inner).changes)
    }

    /// Remembers definitions. A name that is listed twice is nothing, and so is a list that the server had declared
    /// outdated before it was here.
    pub fn learn(&self, listing: Listing, tools: &[Value]) {
        let mut listed: HashMap<ToolName, Option<Digest>> = HashMap::new();
        for tool in tools {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            let digest = definition(tool);
            let known = listed.entry(ToolName::new(name)).or_insert_with(|| Some(digest.clone()));
            if known.as_ref() != Some(&digest) {
                *known = None;
            }
        }
        let tools = listed.into_iter().filter_map(|(name, digest)| Some((name, digest?))).collect();
        let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
        if listed.changes == listing.0 {
            listed.tools = Some(tools);
        }
    }

    fn knows_tools(&self) -> bool {
        self.listed.read().unwrap_or_else(PoisonError::into_inner).tools.is_some()
    }

    /// The tools are no longer what was listed.
    fn forget_tools(&self) {
        let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
        listed.tools = None;
        listed.changes += 1;
    }

    async fn hear(self: &Arc<Self>, message: Incoming) {
        match message {
            Incoming::Notification(notification) => {
                if notification.method == "notifications/tools/list_changed" {
                    // INVARIANT: until the list is read again no tool of this server is known, so none can be called.
                    self.forget_tools();
                    let link = Arc::clone(self);
                    tokio::spawn(async move {
                        if let Err(error) = link.know_tools().await {
                            warn!(server = %link.server, %error, "tools cannot be listed");
                        }
                    });
                }
                for client in self.listeners() {
                    client.notified(&notification);
                }
            }
            Incoming::Request(request) => {
                // A server that asks faster than it is answered is held back, and then cut off as a flood.
                // INVARIANT: the semaphore is never closed, so acquiring only ever waits.
                let Ok(place) = Arc::clone(&self.questions).acquire_owned().await else { return };
                let link = Arc::clone(self);
                tokio::spawn(async move {
                    link.answer(request).await;
                    drop(place);
                });
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request) {
        let id = request.id.clone();
        if request.method == "ping" {
            self.respond(&id, &Outcome::Result(Bytes::from_static(b"{}"))).await;
            return;
        }
        let outcome = match self.client().await {
            Some(client) => {
                let server = self.server.clone();
                client.asked(ServerRequest { server, request, link: Arc::clone(&self) }).await
            }
            None => Outcome::Error(crate::jsonrpc::ErrorObject::encode(
                crate::jsonrpc::code::METHOD_NOT_FOUND,
                "no client is connected",
                None,
            )),
        };
        self.respond(&id, &outcome).await;
    }

    async fn respond(&self, id: &Id, outcome: &Outcome) {
        if let Err(error) = self.upstream.respond(id, outcome).await {
            debug!(server = %self.server, %error, "answer could not be handed over");
        }
    }

    /// Who answers the server: the newest client that waits for something, for the question is most likely about that,
    /// else the newest one. A server may ask before its client is through with the handshake.
    async fn client(&self) -> Option<Arc<dyn Client>> {
        let until = Instant::now() + if self.for_client { ATTACH_WAIT } else { Duration::ZERO };
        loop {
            let attached = self.attached.notified();
            let mut clients = self.listeners();
            let busy = clients.iter().rposition(|client| client.is_waiting());
            if let Some(client) = busy.map(|at| clients.swap_remove(at)).or_else(|| clients.pop()) {
                return Some(client);
            }
            tokio::time::timeout_at(until, attached).await.ok()?;
        }
    }

    fn listeners(&self) -> Vec<Arc<dyn Client>> {
        self.clients().iter().filter_map(Weak::upgrade).collect()
    }

    fn clients(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn Client>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
