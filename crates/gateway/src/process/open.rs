//! From a state directory to a gateway that can decide.

use super::callers::{CallerError, Callers};
use super::claim::Claim;
use super::configuration::{Configuration, ConfigurationError, Edit, Found};
use super::{Gateway, Options, retention};
use crate::connections::{Change, Observer, Pool};
use crate::guardian::Guardian;
use crate::intercept::mcp::Shared;
use crate::intercept::routes::PoolRoutes;
use enforce::{Pipeline, Recorder};
use govern::approval::{Approvals, SealedApprovals};
use govern::project::Settings;
use govern::protected::Protected;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use store::payload::PayloadStore;
use store::{Clock, Keys, KeysError, Log, LogError, LogOptions, OpenError, StateDir, StateError};
use tokio::sync::watch;
use vocab::event::Kind;
use vocab::id::ServerId;
use vocab::{Diagnostic, Event};

/// How long the gateway before may take to let go of the log: longer than it waits for its sinks.
const HANDOVER: Duration = Duration::from_secs(3);
const _: () = assert!(crate::sinks::LAST.as_millis() < HANDOVER.as_millis());

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// Payloads named in one record, which holds 65,535 bytes.
const MAX_LOST: usize = 1_000;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The log took no record.
    #[error(transparent)]
    Record(#[from] LogError),
    /// State cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// Credentials cannot be read.
    #[error(transparent)]
    Callers(#[from] CallerError),
    /// Waiting calls cannot be read.
    #[error("waiting calls cannot be read: {0}")]
    Approvals(String),
    /// The system refuses something.
    #[error("{0}")]
    System(String),
}

impl StartError {
    /// What is wrong with the user's files, if that is what it is.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Configuration(ConfigurationError::Invalid(diagnostics)) => diagnostics,
            _ => &[],
        }
    }
}

impl Gateway {
    /// Opens log and state and loads the configuration. Blocks while the log is checked.
    ///
    /// # Errors
    /// Anything that would have to be guessed.
    pub async fn open(options: Options) -> Result<Arc<Self>, StartError> {
        let until = Instant::now() + HANDOVER;
        loop {
            if options.on_demand && Claim::is_taken(&options.state) && Instant::now() < until {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            match Self::try_open(options.clone()).await {
                // From the start again: the one that holds the log may yet accept another configuration.
                Err(StartError::Log(OpenError::Locked { .. })) if Instant::now() < until && !is_late(&options) => {
                    tokio::time::sleep(LOOK).await;
                }
                opened => return opened,
            }
        }
    }

    async fn try_open(options: Options) -> Result<Arc<Self>, StartError> {
        let clock = Clock::system();
        let state = Arc::new(StateDir::open(&options.state)?);
        let protected = protected(&options)?;
        let found = Found::read(&options.root, &state)?;
        let settings = found.project.settings.clone();
        // The one computes, the other reads the log and waits for the disk.
        let (opened, log) = std::thread::scope(|scope| {
            let open_log = || OpenLog::open(&state, &settings, clock.now());
            let log = std::thread::Builder::new().name("open-log".to_owned()).spawn_scoped(scope, open_log);
            let opened = Configuration::open(found, Arc::clone(&state), protected, options.dev, clock.now());
            (opened, log.map(|log| log.join()))
        });
        let (configuration, snapshot, edits) = opened?;
        let log = log.map_err(|error| StartError::System(format!("no thread can be started: {error}")))?;
        let log = log.map_err(|_| StartError::System("opening the log was interrupted".to_owned()))??;
        let OpenLog { keys, log, recovery, recovered, newest } = log;

        let recorder = Recorder::new(Arc::clone(&log), Arc::new(keys.hasher()), clock.clone(), settings.tenant.clone());
        let recorder = recorder.under_dev(options.dev);
        let unfinished = recovered.unfinished();
        let (sessions, unknown) = recovered.restore(&recorder);
        let mut events = vec![started(&recorder, &snapshot, &recovery, unfinished)];
        let newest_us = Event::from_bytes(&newest).ok().map(|event| event.t);
        note_clock(events.first_mut(), &newest);
        // Ended in good order, nothing was on its way.
        let ended =
            newest.is_empty() || Event::from_bytes(&newest).is_ok_and(|event| event.kind == Kind::GatewayStopped);
        let lost = if ended { Vec::new() } else { lost_payloads(&state.log(), recovery.size) };
        events.extend(repaired(&recorder, &recovery, &lost));
        events.extend(unknown);
        events.extend(edits.iter().filter_map(|edit| edit_event(&recorder, edit, snapshot.revision().as_str())));
        recorder.durable(&events).await?;

        let files = SealedApprovals::new(Arc::clone(&state), keys.sealer("approvals"));
        let approvals = Approvals::open(files, settings.ask.into());
        let (approvals, damaged) = approvals.map_err(|error| StartError::Approvals(error.to_string()))?;
        for id in damaged {
            tracing::warn!(approval = %id, "a waiting call cannot be read and is dropped");
        }
        let callers = Callers::open(Arc::clone(&state), keys.run_token().clone())?;
        let pseudonyms = detect::PseudonymKey::new(*keys.pseudonym().expose());
        let pipeline = Arc::new(Pipeline::new(snapshot, sessions, recorder, approvals, pseudonyms));
        let payloads = PayloadStore::new(&state.log(), &keys, clock, settings.log.segment_bytes);
        let payloads = Arc::new(payloads);
        pipeline.set_payloads(Arc::clone(&payloads));
        pipeline.set_keeper(Arc::new(enforce::StoreKeeper::new(payloads)));
        let guardian = Guardian::new().map_err(|error| StartError::System(error.to_string()))?;
        let max = settings.gateway.max_message_bytes;
        let pool = Arc::new(Pool::new(guardian, options.root.clone(), options.environment.clone(), max));
        pool.observe(observer(Arc::downgrade(&pipeline)));
        pipeline.set_routes(Arc::new(PoolRoutes::new(Arc::downgrade(&pipeline), Arc::clone(&pool))));
        let gateway = Arc::new(Self {
            options,
            shared: Arc::new(Shared { pipeline, pool }),
            configuration,
            callers,
            log,
            state,
            key_files: keys.files(),
            key_turn: tokio::sync::Mutex::default(),
            retention_turn: tokio::sync::Mutex::default(),
            newest_us,
            listening: Mutex::new(None),
            busy: AtomicUsize::new(0),
            uncosigned: std::sync::Mutex::default(),
            sinks: crate::sinks::Sinks::default(),
            shutdown: watch::Sender::new(false),
        });
        gateway.measure_room().await;
        gateway.ask_witnesses().await;
        Ok(gateway)
    }
}

/// The log and its keys, and what its records say.
struct OpenLog {
    keys: Keys,
    log: Arc<Log>,
    recovery: store::Recovery,
    recovered: enforce::Recovery,
    /// The newest record.
    newest: Vec<u8>,
}

impl OpenLog {
    fn open(state: &StateDir, settings: &Settings, now_us: i64) -> Result<Self, StartError> {
        let keys = Keys::open(&state.keys(), &settings.log.origin)?;
        let idle_us = u64::from(settings.idle_minutes).saturating_mul(60_000_000);
        let mut recovered = enforce::Recovery::new(idle_us, now_us);
        let options = LogOptions {
            segment_bytes: settings.log.segment_bytes,
            checkpoint_interval: Duration::from_secs(settings.log.checkpoint_s),
            ..LogOptions::new(settings.log.origin.clone())
        };
        let signers = keys.signers().map_err(|error| StartError::System(error.to_string()))?;
        let mut newest = Vec::new();
        let (log, recovery) = Log::open(&state.log(), &options, signers, &mut |_, record| {
            newest.clear();
            newest.extend_from_slice(record);
            recovered.read(record);
        })?;
        keys.files().settle(&log.keys(), log.rotation().is_some())?;
        Ok(Self { keys, log: Arc::new(log), recovery, recovered, newest })
    }
}

/// Servers that come and go are worth an event.
fn observer(pipeline: Weak<Pipeline>) -> Observer {
    Arc::new(move |server: &ServerId, change: Change| {
        let Some(pipeline) = pipeline.upgrade() else { return };
        let (kind, text) = match change {
            Change::Started => (Kind::ServerStarted, None),
            Change::Stopped(why) => (Kind::ServerStopped, Some(why)),
        };
        let mut event = pipeline.recorder().event(kind);
        event.server = Some(server.into());
        event.text = text.map(Into::into);
        let record = Recorder::encode(&event);
        tokio::spawn(async move {
            if let Err(error) = pipeline.recorder().record_soon(record).await {
                tracing::debug!(%error, "a server's change could not be recorded");
            }
        });
    })
}

/// Whether another gateway serves already: one started on demand is then not needed, now or when the other ends.
fn is_late(options: &Options) -> bool {
    let socket = crate::control::short_path(&options.state.join(super::SOCKET));
    options.on_demand && socket.is_ok_and(|socket| std::os::unix::net::UnixStream::connect(socket).is_ok())
}

fn protected(options: &Options) -> Result<Protected, StartError> {
    let root = options.root.display().to_string();
    let state = options.state.display().to_string();
    Protected::new(&root, &state, options.home.as_deref()).map_err(|error| StartError::System(error.to_string()))
}

fn started<'a>(
    recorder: &'a Recorder,
    snapshot: &'a enforce::Snapshot,
    recovery: &store::Recovery,
    unfinished: usize,
) -> Event<'a> {
    let mut event = recorder.event(Kind::GatewayStarted);
    event.policy_bundle = Some(snapshot.bundle.digest().into());
    event.config_revision = Some(snapshot.revision().into());
    event.dev = snapshot.dev;
    event.detail.insert("log_size".to_owned(), recovery.size.into());
    event.detail.insert("dropped_bytes".to_owned(), recovery.dropped_bytes.into());
    event.detail.insert("unfinished".to_owned(), unfinished.into());
    event.detail.insert("retention_days".to_owned(), retention::days(&snapshot.project.settings.retention));
    event
}

/// Payloads that the newest records speak of and a crash took: both are made durable at the same time, and neither is
/// answered for before both are.
fn lost_payloads(log: &std::path::Path, size: u64) -> Vec<(u64, String)> {
    let Ok(reader) = store::LogReader::open(log) else { return Vec::new() };
    let mut payloads = store::payload::PayloadReader::new(log);
    let mut lost = Vec::new();
    for record in reader.iter_from(size.saturating_sub(store::AT_ONCE)).map_while(Result::ok) {
        let Ok(event) = Event::from_bytes(&record.bytes) else { continue };
        if event.kind == Kind::GatewayStopped {
            lost.clear();
        }
        for payload in &event.payloads {
            // What cannot be looked for is not said to be lost.
            if !payloads.is_there(payload, event.t).unwrap_or(true) {
                lost.push((record.index, payload.name.to_string()));
            }
        }
    }
    lost.truncate(MAX_LOST);
    lost
}

/// Events of one process are in order. Between two, the clock may have been set back: that is said, since it cannot be put
/// right.
fn note_clock(started: Option<&mut Event<'_>>, newest: &[u8]) {
    let Some((started, newest)) = started.zip(Event::from_bytes(newest).ok()) else { return };
    let back = newest.t.saturating_sub(started.t);
    if back > 0 {
        tracing::warn!(back_us = back, "the clock is behind the newest event of the log");
        started.detail.insert("clock_back_us".to_owned(), back.into());
    }
}

/// The log was cut back to its last whole commit: what was lost had never been answered as durable.
fn repaired<'a>(recorder: &'a Recorder, recovery: &store::Recovery, lost: &[(u64, String)]) -> Option<Event<'a>> {
    let is_repaired = recovery.dropped_bytes > 0 || !lost.is_empty();
    let mut event = is_repaired.then(|| recorder.event(Kind::StoreRecovered))?;
    event.text = Some(match lost.is_empty() {
        true => "a commit that was not finished was removed".into(),
        false => "a crash came before everything was durable".into(),
    });
    if !lost.is_empty() {
        let named: Vec<serde_json::Value> = lost.iter().map(|(index, name)| serde_json::json!([index, name])).collect();
        event.detail.insert("payloads_lost".to_owned(), named.into());
    }
    event.detail.insert("dropped_bytes".to_owned(), recovery.dropped_bytes.into());
    event.detail.insert("log_size".to_owned(), recovery.size.into());
    Some(event)
}

/// What an edit is in the log.
pub(super) fn edit_event<'a>(recorder: &'a Recorder, edit: &Edit, revision: &'a str) -> Option<Event<'a>> {
    let (kind, text, change) = match edit {
        Edit::None => return None,
        Edit::Applied { change, .. } => (Kind::ConfigChanged, "only tightens, or `--dev`".to_owned(), Some(change)),
        Edit::Waits(change) => {
            (Kind::ConfigWaiting, "loosens: waits for `mortise policy accept`".to_owned(), Some(change))
        }
        Edit::Refused(diagnostics) => {
            let first = diagnostics.first().map(|found| format!("{}: {}", found.code, found.file)).unwrap_or_default();
            (Kind::ConfigRefused, format!("does not load, the one before stays ({first})"), None)
        }
    };
    let mut event = recorder.event(kind);
    event.text = Some(text.into());
    event.config_revision = Some(revision.into());
    if let Some(change) = change {
        event.detail.insert("loosens".to_owned(), bounded(&change.loosens));
        event.detail.insert("tightens".to_owned(), bounded(&change.tightens));
    }
    Some(event)
}

/// At most 50 sentences of at most 200 characters: an event has to fit a record.
fn bounded(sentences: &[String]) -> serde_json::Value {
    let short = sentences.iter().take(50).map(|sentence| sentence.chars().take(200).collect::<String>());
    serde_json::Value::from(short.collect::<Vec<String>>())
}
