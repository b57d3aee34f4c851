//! The socket, the listener, the end.

use super::configuration::Edit;
use super::open::edit_event;
use super::retention;
use super::{Gateway, SOCKET};
use crate::control;
use crate::intercept::mcp_http::Endpoint;
use crate::listener;
use crate::sinks::LAST;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use vocab::event::Kind;

/// Connections to the socket at once.
const MAX_CONNECTIONS: usize = 512;

/// How often files, approvals and idle connections are looked after.
const LOOK: Duration = Duration::from_millis(500);

/// How often it is measured how much room the log takes.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// How often it is looked whether something is past its time. It is kept for whole days.
const FORGET_EVERY: Duration = Duration::from_secs(600);

impl Gateway {
    /// Serves the socket until the gateway is told to end, then closes the log in good order.
    ///
    /// # Errors
    /// The socket cannot be opened.
    pub async fn serve(self: &Arc<Self>) -> io::Result<()> {
        let socket = self.options.state.join(SOCKET);
        // The log's lock says that nobody else serves: a socket that is there is a dead one's.
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(control::short_path(&socket)?)?;
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
        let tending = tokio::spawn(Arc::clone(self).tend());
        let witnessing = tokio::spawn(Arc::clone(self).follow_witnesses());
        let sinking = tokio::spawn(Arc::clone(self).follow_sinks());
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut stop = self.shutdown.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
            let gateway = Arc::clone(self);
            tokio::spawn(async move {
                control::serve_connection(gateway, stream).await;
                drop(place);
            });
        }
        tending.abort();
        witnessing.abort();
        let _ = std::fs::remove_file(&socket);
        self.end().await;
        sinking.abort();
        self.close();
        Ok(())
    }

    /// Tells the gateway to end.
    pub fn stop(&self) {
        self.shutdown.send_replace(true);
    }

    /// Offers MCP over HTTP. Once offered, the address stays.
    ///
    /// # Errors
    /// The address cannot be bound, or is not loopback and the project does not allow that.
    pub async fn listen(self: &Arc<Self>, address: Option<SocketAddr>) -> io::Result<SocketAddr> {
        if let Some(known) = self.listening() {
            return Ok(known);
        }
        let settings = self.shared.pipeline.snapshot().project.settings.gateway.clone();
        let address = address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        if !address.ip().is_loopback() && !settings.allow_remote {
            let text = "not a loopback address; set `allow_remote = true` in [gateway] to serve other machines";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let advice = "choose another with `--listen`, or with `listen` in [gateway]";
            io::Error::new(error.kind(), format!("cannot listen at {address}: {error}; {advice}"))
        })?;
        let bound = listener.local_addr()?;
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(bound);
        let endpoint = Arc::new(Endpoint::new(Arc::clone(self)));
        let settings = listener::Settings {
            allowed_hosts: settings.allowed_hosts.into_iter().collect(),
            allowed_origins: settings.allowed_origins.into_iter().collect(),
            max_message_bytes: settings.max_message_bytes,
        };
        let mut stop = self.shutdown.subscribe();
        tokio::spawn(async move {
            listener::serve(listener, endpoint, settings, async move {
                let _ = stop.wait_for(|stop| *stop).await;
            })
            .await;
        });
        Ok(bound)
    }

    /// Where MCP is offered over HTTP.
    #[must_use]
    pub fn listening(&self) -> Option<SocketAddr> {
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the project's files now, and puts in force what may be.
    ///
    /// # Errors
    /// The files cannot be read; what was in force stays.
    pub async fn look(&self) -> Result<Edit, super::ConfigurationError> {
        let pipeline = &self.shared.pipeline;
        let looked = self.configuration.look(&self.options.root, pipeline.recorder().clock().now());
        let (edit, snapshot) = looked?;
        if let Some(snapshot) = snapshot {
            pipeline.install(snapshot);
        }
        say(&edit);
        let revision = pipeline.snapshot().revision().to_string();
        if let Some(mut event) = edit_event(pipeline.recorder(), &edit, &revision) {
            let retention = retention::days(&pipeline.snapshot().project.settings.retention);
            event.detail.insert("retention_days".to_owned(), retention);
            event.policy_bundle = Some(pipeline.snapshot().bundle.digest().to_string().into());
            event.dev = self.options.dev;
            if let Err(error) = pipeline.recorder().durable(&[event]).await {
                tracing::error!(%error, "edit could not be recorded");
            }
        }
        Ok(edit)
    }

    /// Looks after files, approvals, idle connections and idleness, until aborted.
    async fn tend(self: Arc<Self>) {
        let mut idle_since = Instant::now();
        let mut forgot: Option<Instant> = None;
        let mut measured = None;
        let mut packing: Option<tokio::task::JoinHandle<()>> = None;
        loop {
            tokio::time::sleep(LOOK).await;
            if measured.is_none_or(|measured: Instant| measured.elapsed() >= MEASURE_EVERY) {
                measured = Some(Instant::now());
                self.measure_room().await;
            }
            if forgot.is_none_or(|forgot| forgot.elapsed() >= FORGET_EVERY) {
                forgot = Some(Instant::now());
                if let Err(error) = self.keep_to_retention().await {
                    tracing::error!(%error, "what is past its time stays");
                }
                if packing.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
                    packing = self.pack_closed_days();
                }
            }
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the project's files cannot be looked at");
            }
            self.shared.pipeline.tend_approvals().await;
            self.tend_rotation().await;
            self.shared.pool.sweep();
            if !self.options.state.exists() {
                tracing::error!("the state directory is gone: the gateway ends");
                self.stop();
            }
            let exit_after = self.shared.pipeline.snapshot().project.settings.gateway.idle_exit_s;
            if self.busy.load(Ordering::Relaxed) > 0 || self.listening().is_some() {
                idle_since = Instant::now();
            }
            if self.options.on_demand && idle_since.elapsed() >= Duration::from_secs(exit_after) {
                tracing::info!("nobody is connected: the gateway ends");
                self.stop();
            }
        }
    }

    /// Records the end. Before it, and after it for the sake of this record, sinks have a moment to send what is durable.
    async fn end(&self) {
        let until = Instant::now() + LAST;
        self.sinks.finish(self.log.size(), until).await;
        let recorder = self.shared.pipeline.recorder();
        let event = recorder.event(Kind::GatewayStopped);
        match recorder.durable(&[event]).await {
            Ok(_) => self.sinks.finish(self.log.size(), until).await,
            Err(error) => tracing::error!(%error, "the end could not be recorded"),
        }
    }

    fn close(&self) {
        // Before the log: what its last records speak of is then all there.
        if let Some(payloads) = self.shared.pipeline.payloads() {
            payloads.close();
        }
        if let Err(error) = self.log.close() {
            tracing::error!(%error, "the log was not closed in good order");
        }
    }
}

/// What became of an edit is said where the gateway runs, too.
fn say(edit: &Edit) {
    match edit {
        Edit::None => {}
        Edit::Applied { .. } => tracing::warn!("an edit of the configuration is in force"),
        Edit::Waits(_) => tracing::warn!(
            "an edit of the configuration loosens something and waits: see `mortise policy diff`, then `mortise policy accept`"
        ),
        Edit::Refused(found) => {
            let first = found.first().map(|found| format!("{}: {}", found.file, found.message)).unwrap_or_default();
            tracing::warn!(
                first,
                "an edit of the configuration does not load, the one before stays: run `mortise check`"
            );
        }
    }
}
