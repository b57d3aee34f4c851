//! Which connection a session gets.

use super::link::Link;
use crate::guardian::{Command, Guardian};
use crate::jsonrpc::ProtocolVersion;
use crate::upstream::{self, Hello, Reach, UpstreamError, http};
use canon::json::{DEFAULT_DEPTH, Limits};
use govern::project::{Access, Server, Text};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use vocab::id::{ServerId, SessionId};

/// Connections kept at once.
pub const MAX_LINKS: usize = 512;

/// A shared connection that nobody has used for this long is closed.
const IDLE: Duration = Duration::from_secs(300);

/// What tells connections apart. Never what a client says about its identity, and never shared between protocol
/// generations; between sessions only when the server is declared stateless.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The server.
    pub server: ServerId,
    /// The session; `None` for a stateless server.
    pub session: Option<SessionId>,
    /// Digest of the client's `initialize` params, or a connection's own number when it must not be shared.
    pub handshake: String,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The table is full.
    #[error("{MAX_LINKS} connections to servers are open")]
    Full,
    /// A variable that the server's file names is not set.
    #[error("variable `{0}`, which the server's file names, is not set")]
    Variable(String),
    /// A value in the server's file cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// The server could not be started or reached.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// The connections of a gateway.
pub struct Pool {
    guardian: Guardian,
    root: PathBuf,
    environment: BTreeMap<String, String>,
    max_message_bytes: usize,
    links: Mutex<HashMap<Key, Arc<Slot>>>,
    observer: OnceLock<Observer>,
}

/// Hears of servers that come and go.
pub type Observer = Arc<dyn Fn(&ServerId, Change) + Send + Sync>;

/// What became of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was started or reached, and shook hands.
    Started,
    /// It ended or was lost, and why.
    Stopped(String),
}

/// One place in the pool: at most one connection attempt at a time.
struct Slot {
    link: tokio::sync::Mutex<Option<Arc<Link>>>,
    used: Mutex<Instant>,
}

impl Pool {
    /// An empty pool for the project at `root`. `environment` is what `pass_env` and `env:` values are taken from.
    #[must_use]
    pub fn new(
        guardian: Guardian,
        root: PathBuf,
        environment: BTreeMap<String, String>,
        max_message_bytes: usize,
    ) -> Self {
        let (links, observer) = (Mutex::new(HashMap::new()), OnceLock::new());
        Self { guardian, root, environment, max_message_bytes, links, observer }
    }

    /// Says who is told of servers that come and go. Set once.
    pub fn observe(&self, observer: Observer) {
        let _ = self.observer.set(observer);
    }

    /// The connection under a key: the one that is open, else a new one.
    ///
    /// # Errors
    /// The server cannot be started or reached.
    pub async fn obtain(&self, key: &Key, server: &Server, hello: Hello<'_>) -> Result<Arc<Link>, PoolError> {
        let slot = self.slot(key)?;
        let mut held = slot.link.lock().await;
        *slot.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if let Some(link) = held.as_ref().filter(|link| link.upstream.ended().is_none()) {
            return Ok(Arc::clone(link));
        }
        let link = self.connect(server, hello).await?;
        *held = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Any open connection of a session to a server.
    pub async fn find(&self, session: &SessionId, server: &ServerId) -> Option<Arc<Link>> {
        let slots: Vec<Arc<Slot>> = {
            let links = self.lock();
            let of_session = |key: &&Key| key.server == *server && key.session.as_ref() == Some(session);
            links.keys().filter(of_session).filter_map(|key| links.get(key).cloned()).collect()
        };
        for slot in slots {
            let link = slot.link.lock().await.clone();
            if let Some(link) = link.filter(|link| link.upstream.ended().is_none()) {
                return Some(link);
            }
        }
        None
    }

    /// Opens a connection that nobody else gets.
    ///
    /// # Errors
    /// The server cannot be started or reached.
    pub async fn connect(&self, server: &Server, hello: Hello<'_>) -> Result<Arc<Link>, PoolError> {
        let (reach, working_directory) = self.reach(server)?;
        let settings = upstream::Server {
            name: server.id.to_string(),
            reach,
            start_timeout: Duration::from_secs(server.start_timeout_s),
            max_message_bytes: self.max_message_bytes,
        };
        let connected = upstream::connect(&self.guardian, &settings, hello).await?;
        let limits = Limits { depth: DEFAULT_DEPTH, bytes: self.max_message_bytes };
        let call_timeout = Duration::from_secs(server.call_timeout_s);
        let for_client = matches!(hello, Hello::Client(_));
        let link = Link::start(server.id.clone(), connected, call_timeout, working_directory, limits, for_client);
        if let Some(observer) = self.observer.get() {
            observer(&server.id, Change::Started);
            follow(&link, Arc::clone(observer));
        }
        link.know_tools().await?;
        Ok(link)
    }

    /// The handshake of Mortise itself, for connections that no client asked for. It offers all that clients may offer,
    /// because some servers list a tool only to clients that can be asked what the tool wants to ask; a server that does
    /// ask is told that nobody is there.
    #[must_use]
    pub const fn own_hello() -> Hello<'static> {
        const INFO: &[u8] =
            concat!("{\"name\":\"mortise\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}").as_bytes();
        const OFFERED: &[u8] = br#"{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}}}"#;
        Hello::Own { client_info: INFO, capabilities: OFFERED, version: ProtocolVersion::LATEST }
    }

    /// Takes a connection out, so that it ends with its last user.
    pub fn release(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Closes what has not been used for a while.
    pub fn sweep(&self) {
        self.lock().retain(|_, slot| {
            let used = slot.used.lock().unwrap_or_else(PoisonError::into_inner);
            let in_use =
                slot.link.try_lock().map_or(true, |link| link.as_ref().is_some_and(|l| Arc::strong_count(l) > 1));
            in_use || used.elapsed() < IDLE
        });
    }

    /// How many connections are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slot(&self, key: &Key) -> Result<Arc<Slot>, PoolError> {
        let mut links = self.lock();
        if let Some(slot) = links.get(key) {
            return Ok(Arc::clone(slot));
        }
        if links.len() >= MAX_LINKS {
            return Err(PoolError::Full);
        }
        let slot = Arc::new(Slot { link: tokio::sync::Mutex::new(None), used: Mutex::new(Instant::now()) });
        links.insert(key.clone(), Arc::clone(&slot));
        Ok(slot)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Slot>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self, server: &Server) -> Result<(Reach, String), PoolError> {
        match &server.access {
            Access::Start(start) => {
                let cwd = self.root.join(&start.cwd);
                let mut env = BTreeMap::new();
                for name in &start.pass_env {
                    if let Some(value) = self.environment.get(name) {
                        env.insert(OsString::from(name), OsString::from(value));
                    }
                }
                for (name, text) in &start.env {
                    env.insert(OsString::from(name), OsString::from(self.text(text)?));
                }
                let command = Command {
                    label: server.id.to_string(),
                    program: program(&start.command, &self.root),
                    args: start.args.iter().map(OsString::from).collect(),
                    env,
                    cwd: Some(cwd.clone()),
                };
                Ok((Reach::Start(command), cwd.display().to_string()))
            }
            Access::Reach(reach) => {
                let headers = reach.headers.iter().map(|(name, text)| Ok((name.clone(), self.text(text)?)));
                let headers: Result<Vec<(String, String)>, PoolError> = headers.collect();
                let headers = headers?;
                let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let endpoint =
                    http::Endpoint::new(&reach.url, headers).map_err(|error| PoolError::Unusable(error.to_string()))?;
                Ok((Reach::Http(endpoint), String::new()))
            }
        }
    }

    fn text(&self, text: &Text) -> Result<String, PoolError> {
        match text {
            Text::Literal(value) => Ok(value.clone()),
            Text::Variable(name) => {
                self.environment.get(name).cloned().ok_or_else(|| PoolError::Variable(name.clone()))
            }
        }
    }
}

/// Tells of the end of a connection, without keeping it alive.
fn follow(link: &Arc<Link>, observer: Observer) {
    let (server, closed) = (link.server.clone(), link.upstream.closing());
    tokio::spawn(async move {
        let error = closed.await;
        observer(&server, Change::Stopped(error.to_string()));
    });
}

/// A command with a slash is a path below the project; others are found by `PATH`.
fn program(command: &str, root: &Path) -> OsString {
    if command.contains('/') { root.join(command).into_os_string() } else { OsString::from(command) }
}
