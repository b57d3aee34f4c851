//! One client's MCP connection: what becomes of each message.
//!
//! Decided methods become calls for the pipeline; plumbing passes byte for byte where there is one server, and is
//! merged where there are several; everything else is refused.

use super::caller::Caller;
use super::decided;
use super::encode;
use super::finished::Finished;
use super::listing::{Added, Names};
use super::plumbing;
use crate::connections::{Client, Key, Link, Pool, PoolError};
use crate::jsonrpc::methods::{self, Direction, Form, Treatment};
use crate::jsonrpc::{self, Id, Message, Notification, Outcome, ProtocolVersion, Request, code};
use crate::upstream::Hello;
use bytes::Bytes;
use canon::json::{DEFAULT_DEPTH, Limits, parse};
use enforce::{Alive, Pipeline, Recorder, Snapshot};
use govern::project::{Server, UnknownMethods};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, Weak};
use tokio::sync::oneshot;
use vocab::id::{ServerId, ToolName};

/// Requests of a client that may be open at once.
const MAX_OPEN: usize = 256;

/// Where a client's own messages go.
pub trait Port: Send + Sync {
    /// Hands a frame over; `false` when it could not be taken. `about` is the client's request it belongs to, if any.
    fn deliver(&self, about: Option<&Id>, frame: Bytes) -> bool;
}

/// What a gateway lends to all conversations.
pub struct Shared {
    /// The enforcement point.
    pub pipeline: Arc<Pipeline>,
    /// Connections to servers.
    pub pool: Arc<Pool>,
}

/// One client's MCP connection.
pub struct Conversation {
    pub(super) shared: Arc<Shared>,
    pub(super) caller: Caller,
    /// The one server of a stdio shim; `None`: every server the agent's inventory names.
    only: Option<ServerId>,
    /// A number that no other conversation has, when its servers must not be shared.
    exclusive: Option<u64>,
    port: Arc<dyn Port>,
    opened: OnceLock<Opened>,
    open: Mutex<HashMap<Id, Alive>>,
    /// Requests that servers made of the client, by our id.
    asked: Mutex<HashMap<u64, oneshot::Sender<Outcome>>>,
    pub(super) next_id: std::sync::atomic::AtomicU64,
    names: Mutex<Option<(vocab::id::Digest, Arc<Names>)>>,
    /// Tools found changed, so that each is reported once; at most as many as are pinned.
    quarantined: Mutex<HashSet<(ServerId, ToolName)>>,
    pub(super) limits: Limits,
    myself: Weak<Conversation>,
}

/// What a conversation knows once the handshake is over.
pub(super) struct Opened {
    pub(super) version: ProtocolVersion,
    pub(super) params: Bytes,
    pub(super) links: BTreeMap<ServerId, Arc<Link>>,
    /// Done once the client is known to be through with the handshake.
    attached: Once,
}

/// What becomes of a message.
pub enum Handled {
    /// The answer.
    Answer(Bytes),
    /// There is none to give.
    Nothing,
}

impl Conversation {
    /// A conversation that has not shaken hands yet.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        caller: Caller,
        only: Option<ServerId>,
        exclusive: Option<u64>,
        port: Arc<dyn Port>,
        max_message_bytes: usize,
    ) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            shared,
            caller,
            only,
            exclusive,
            port,
            opened: OnceLock::new(),
            open: Mutex::new(HashMap::new()),
            asked: Mutex::new(HashMap::new()),
            next_id: std::sync::atomic::AtomicU64::new(1),
            names: Mutex::new(None),
            quarantined: Mutex::new(HashSet::new()),
            limits: Limits { depth: DEFAULT_DEPTH, bytes: max_message_bytes },
            myself: myself.clone(),
        })
    }

    /// Who is on the other side.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether the handshake is over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.opened.get().is_some()
    }

    /// What its frames are held to.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The connections it uses.
    pub fn links(&self) -> Vec<Arc<Link>> {
        self.opened.get().map(|opened| opened.links.values().cloned().collect()).unwrap_or_default()
    }

    /// Takes one frame of the client.
    pub async fn handle(self: &Arc<Self>, frame: Bytes) -> Handled {
        match Message::parse(&frame, &self.limits) {
            Ok(message) => self.take(message).await,
            Err(error) => {
                self.refused_message("parse", &error.to_string()).await;
                Handled::Answer(encode::error_without_id(code::PARSE_ERROR, &format!("message refused: {error}")))
            }
        }
    }

    /// Refuses a message that was longer than anything is read.
    pub async fn refuse_long(&self, max: usize) -> Bytes {
        let why = format!("a message is longer than {max} bytes");
        self.refused_message("size", &why).await;
        encode::error_without_id(code::INVALID_REQUEST, &why)
    }

    /// Takes one parsed message of the client.
    pub async fn take(self: &Arc<Self>, message: Message) -> Handled {
        match message {
            Message::Request(request) => Handled::Answer(self.request(request).await),
            Message::Notification(notification) => {
                self.notification(&notification).await;
                Handled::Nothing
            }
            Message::Response(response) => {
                if let Some(id) = response.id.as_number()
                    && let Some(waiting) = self.waiting().remove(&id)
                {
                    let _ = waiting.send(response.outcome);
                }
                Handled::Nothing
            }
        }
    }

    /// The client is gone: nobody waits for its calls any more.
    pub fn end(&self) {
        self.open().values().for_each(Alive::end);
        self.waiting().clear();
        if self.exclusive.is_some() {
            for link in self.links() {
                self.shared.pool.release(&self.key(&link.server));
            }
        }
    }

    async fn request(self: &Arc<Self>, request: Request) -> Bytes {
        if request.method == "initialize" {
            return Box::pin(self.initialize(&request)).await;
        }
        let Some(opened) = self.opened.get() else {
            return jsonrpc::error(&request.id, code::INVALID_REQUEST, "`initialize` comes first", None);
        };
        self.attach(opened);
        let method = methods::find(Direction::ClientToServer, Form::Request, &request.method);
        let treatment = method.map(|method| method.treatment(opened.version));
        let passes = self.snapshot().project.settings.gateway.unknown_methods == UnknownMethods::Pass;
        match treatment {
            Some(Treatment::Decided) => self.decide(request).await,
            Some(Treatment::Plumbing) => Box::pin(plumbing::request(self, opened, request)).await,
            None if passes => Box::pin(plumbing::pass(self, opened, &request)).await,
            Some(Treatment::Refused) | None => {
                self.refused_message("method", "a method that is refused or unknown").await;
                jsonrpc::error(&request.id, code::METHOD_NOT_FOUND, "method not found", None)
            }
        }
    }

    /// Runs a decided request to its end: a client that goes away does not cut it in half.
    async fn decide(self: &Arc<Self>, request: Request) -> Bytes {
        let id = request.id.clone();
        let alive = Alive::default();
        {
            let mut open = self.open();
            if open.len() >= MAX_OPEN {
                return jsonrpc::error(&id, encode::FAILED, "too many open requests", None);
            }
            if open.contains_key(&id) {
                return jsonrpc::error(&id, code::INVALID_REQUEST, "a request with this id is open", None);
            }
            open.insert(id.clone(), alive.clone());
        }
        let mut gone = EndOnDrop(Some(alive.clone()));
        let running = Running { conversation: Arc::clone(self), id: id.clone() };
        let handling = async move {
            // Open until it has ended, also when nobody waits any more: what runs stays bounded.
            let running = running;
            decided::submit(&running.conversation, request, alive).await
        };
        let answer = Finished::new(handling).await;
        gone.0 = None;
        match answer {
            Ok(Ok((shape, answer))) => encode::answer(&id, shape, answer),
            Ok(Err(invalid)) => {
                self.refused_message("params", &invalid).await;
                jsonrpc::error(&id, code::INVALID_PARAMS, &invalid, None)
            }
            // A panic in the pipeline is a refusal: nothing leaves without the permit it did not get to make.
            Err(_) => jsonrpc::error(&id, encode::FAILED, "Mortise failed on this call; it is recorded", None),
        }
    }

    async fn initialize(self: &Arc<Self>, request: &Request) -> Bytes {
        if self.opened.get().is_some() {
            return jsonrpc::error(&request.id, code::INVALID_REQUEST, "already initialized", None);
        }
        let params = request.params.clone().unwrap_or_else(|| Bytes::from_static(b"{}"));
        let Ok(parsed) = parse(&params, &self.limits) else {
            return jsonrpc::error(&request.id, code::INVALID_PARAMS, "params are not strict JSON", None);
        };
        let links = match self.connect(&params).await {
            Ok(links) => links,
            Err((server, error)) => {
                tracing::warn!(%server, %error, "server unavailable");
                let text = format!("Mortise cannot start or reach server `{server}`: {error}");
                return jsonrpc::error(&request.id, encode::FAILED, &text, None);
            }
        };
        let asked = parsed.get("protocolVersion").and_then(Value::as_str).and_then(ProtocolVersion::parse);
        let (version, result) = match links.values().next() {
            Some(link) if links.len() == 1 => (link.initialized.version, link.initialized.result.clone()),
            _ => {
                let version = asked.unwrap_or(ProtocolVersion::LATEST);
                (version, plumbing::merged_handshake(version, &links))
            }
        };
        if self.opened.set(Opened { version, params, links, attached: Once::new() }).is_err() {
            return jsonrpc::error(&request.id, code::INVALID_REQUEST, "already initialized", None);
        }
        jsonrpc::response(&request.id, &result)
    }

    /// Lets the servers speak to the client: not before it has their answer to its handshake.
    fn attach(self: &Arc<Self>, opened: &Opened) {
        opened.attached.call_once(|| {
            let client: Arc<dyn Client> = Arc::clone(self) as Arc<dyn Client>;
            for link in opened.links.values() {
                link.attach(&client);
            }
        });
    }

    /// Connects to every server the agent may use, all at once. One that fails is left out, unless it is the only one.
    async fn connect(&self, params: &Bytes) -> Result<BTreeMap<ServerId, Arc<Link>>, (ServerId, PoolError)> {
        let snapshot = self.snapshot();
        let wanted = self.servers(&snapshot);
        let attempts = wanted.iter().map(|server| async {
            let key = self.key_of(server, params);
            let link = self.shared.pool.obtain(&key, server, Hello::Client(params)).await;
            (server.id.clone(), link)
        });
        let mut links = BTreeMap::new();
        let alone = wanted.len() == 1;
        for (server, link) in futures_util::future::join_all(attempts).await {
            match link {
                Ok(link) => drop(links.insert(server, link)),
                Err(error) if alone => return Err((server, error)),
                Err(error) => tracing::warn!(%server, %error, "server left out"),
            }
        }
        Ok(links)
    }

    fn servers<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a Server> {
        let servers = snapshot.project.servers.values();
        match &self.only {
            Some(only) => servers.filter(|server| server.id == *only).collect(),
            None => servers.filter(|server| uses(snapshot, &self.caller.principal().agent, &server.id)).collect(),
        }
    }

    fn key_of(&self, server: &Server, params: &Bytes) -> Key {
        let session = (!server.stateless).then(|| self.caller.session().clone());
        let handshake = match self.exclusive {
            Some(number) => format!("connection {number}"),
            None => handshake_digest(params, &self.limits),
        };
        Key { server: server.id.clone(), session, handshake }
    }

    fn key(&self, server: &ServerId) -> Key {
        let snapshot = self.snapshot();
        let empty = Bytes::new();
        let params = self.opened.get().map_or(&empty, |opened| &opened.params);
        match snapshot.project.servers.get(server) {
            Some(declared) => self.key_of(declared, params),
            None => {
                Key { server: server.clone(), session: Some(self.caller.session().clone()), handshake: String::new() }
            }
        }
    }

    /// The live connection to a server, opened anew if the one before ended.
    pub(super) async fn link(&self, server: &ServerId) -> Result<Arc<Link>, String> {
        let opened = self.opened.get().ok_or("`initialize` comes first")?;
        let known = opened.links.get(server).ok_or_else(|| format!("server `{server}` is not connected"))?;
        if known.upstream.ended().is_none() {
            return Ok(Arc::clone(known));
        }
        if self.exclusive.is_some() {
            return Err(format!("server `{server}` has ended"));
        }
        let snapshot = self.snapshot();
        let declared = snapshot.project.servers.get(server).ok_or("the server is no longer declared")?;
        let key = self.key_of(declared, &opened.params);
        let link = self.shared.pool.obtain(&key, declared, Hello::Client(&opened.params)).await;
        let link = link.map_err(|error| error.to_string())?;
        if let Some(myself) = self.myself.upgrade() {
            link.attach(&(myself as Arc<dyn Client>));
        }
        Ok(link)
    }

    async fn notification(self: &Arc<Self>, notification: &Notification) {
        let Some(opened) = self.opened.get() else { return };
        self.attach(opened);
        let found = methods::find(Direction::ClientToServer, Form::Notification, &notification.method);
        if found.map(|method| method.treatment(opened.version)) != Some(Treatment::Plumbing) {
            return;
        }
        match notification.method.as_str() {
            "notifications/initialized" | "notifications/progress" => {}
            "notifications/cancelled" => self.cancelled(notification),
            method => {
                for link in opened.links.values() {
                    let _ = link.upstream.notify(method, notification.params.as_deref()).await;
                }
            }
        }
    }

    /// The client withdraws a request. The server of a call that was dispatched is told so; a held one is let go.
    fn cancelled(&self, notification: &Notification) {
        let params = notification.params.as_deref().unwrap_or_default();
        let id = canon::json::scan(params, &self.limits).ok().and_then(|scan| {
            let raw = scan.member("requestId")?;
            Id::from_token(Bytes::copy_from_slice(raw))
        });
        if let Some(alive) = id.and_then(|id| self.open().get(&id).cloned()) {
            alive.withdraw();
        }
    }

    /// The names under which this agent sees tools, for the configuration in force.
    pub(super) fn names(&self, snapshot: &Snapshot) -> Arc<Names> {
        let mut cached = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((revision, names)) if revision == snapshot.revision() => Arc::clone(names),
            _ => {
                let names = Arc::new(Names::of(snapshot, &self.caller.principal().agent, self.only.as_ref()));
                *cached = Some((snapshot.revision().clone(), Arc::clone(&names)));
                names
            }
        }
    }

    /// The tool that a name in a `tools/call` means.
    pub(super) fn resolve(&self, snapshot: &Snapshot, exposed: &str) -> (ServerId, ToolName) {
        if let Some((server, tool)) = self.names(snapshot).resolve(exposed) {
            return (server.clone(), tool.clone());
        }
        // What is not declared is refused by the pipeline, and recorded under the server it was asked of if that is
        // clear.
        let alone = |opened: &Opened| opened.links.keys().next().filter(|_| opened.links.len() == 1).cloned();
        let server = self.only.clone().or_else(|| alone(self.opened.get()?));
        (server.unwrap_or_else(|| ServerId::new("-")), ToolName::new(exposed))
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.pipeline.snapshot()
    }

    pub(super) fn opened(&self) -> Option<&Opened> {
        self.opened.get()
    }

    pub(super) fn added(snapshot: &Snapshot) -> Added {
        Added::of(snapshot)
    }

    pub(super) fn deliver(&self, about: Option<&Id>, frame: Bytes) -> bool {
        self.port.deliver(about, frame)
    }

    /// Records, once, that a live definition differs from the pinned one.
    pub(super) fn quarantine(&self, server: &ServerId, tool: &ToolName) {
        let mut known = self.quarantined.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.insert((server.clone(), tool.clone())) {
            return;
        }
        let recorder = self.shared.pipeline.recorder();
        let mut event = recorder.event(vocab::event::Kind::ServerQuarantined);
        event.server = Some(server.into());
        event.tool_name = Some(tool.into());
        event.agent = Some((&self.caller.principal().agent).into());
        event.text = Some("the live definition differs from the pinned one".into());
        let record = Recorder::encode(&event);
        let pipeline = Arc::clone(&self.shared.pipeline);
        tokio::spawn(async move {
            if let Err(error) = pipeline.recorder().record_soon(record).await {
                tracing::error!(%error, "quarantine could not be recorded");
            }
        });
    }

    /// Records that a message was refused before it became a call.
    async fn refused_message(&self, what: &str, why: &str) {
        let recorder = self.shared.pipeline.recorder();
        let mut event = recorder.event(vocab::event::Kind::MessageRefused);
        event.agent = Some((&self.caller.principal().agent).into());
        event.session = Some(self.caller.session().into());
        event.authn = Some(self.caller.principal().authn);
        event.text = Some(format!("{what}: {why}").into());
        if let Err(error) = recorder.soon(&[event]).await {
            tracing::error!(%error, "refused message could not be recorded");
        }
    }

    pub(super) fn open(&self) -> std::sync::MutexGuard<'_, HashMap<Id, Alive>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Outcome>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks the caller as gone when the transport drops the future that waits for an answer.
struct EndOnDrop(Option<Alive>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if let Some(alive) = &self.0 {
            alive.end();
        }
    }
}

/// A request that is being handled: open until this is dropped.
struct Running {
    conversation: Arc<Conversation>,
    id: Id,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.conversation.open().remove(&self.id);
    }
}

/// Whether an agent's inventory names a server at all.
fn uses(snapshot: &Snapshot, agent: &vocab::id::AgentId, server: &ServerId) -> bool {
    use vocab::{Operation, Target};
    let fixed = |operation: Operation| Target { server: server.clone(), operation };
    let inventory = &snapshot.inventory;
    inventory.tools(agent, server).next().is_some()
        || Operation::FIXED.into_iter().any(|operation| inventory.allows(agent, &fixed(operation)).is_ok())
}

/// What two clients must have in common to share a connection: the protocol version and the capabilities they offer.
fn handshake_digest(params: &[u8], limits: &Limits) -> String {
    let Ok(parsed) = parse(params, limits) else { return "unreadable".to_owned() };
    let relevant = serde_json::json!({
        "version": parsed.get("protocolVersion"),
        "capabilities": parsed.get("capabilities"),
    });
    govern::lock::definition_digest(&relevant).to_string()
}
