//! `mortise up`, and the gateway started on demand.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use gateway::control::protocol::Request;
use gateway::control::{Client, ClientError};
use gateway::process::{Claim, Gateway, StartError};
use serde_json::Value;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use vocab::Exit;
use vocab::shown::line;

/// How often, and how often at most, it is looked whether a gateway that was told to end has ended.
const ENDING_LOOK: Duration = Duration::from_millis(25);
const ENDING_LOOKS: u32 = 400;
/// How often a claim is tried once nothing answers any more.
const CLAIM_LOOKS: u32 = 40;

/// Serves in the foreground. A gateway that was started on demand is ended first: there is one per project.
pub fn run(output: &Output, place: &Place, args: &args::Up) -> Outcome {
    gateway::process::prepare();
    let listen = args.listen.as_deref().map(str::parse::<SocketAddr>).transpose();
    let listen = listen.map_err(|_| Failure::new(Exit::Usage, "`--listen` takes `address:port`"))?;
    let _claim = take_over(output, place)?;
    let mut options = place.options();
    options.dev = args.dev;
    serve(options, |gateway| async move {
        let settings = gateway.shared.pipeline.snapshot().project.settings.clone();
        let bound = gateway.listen(Some(listen.unwrap_or(settings.gateway.listen))).await?;
        output.message(format!("mortise {} guards `{}`", vocab::MORTISE_VERSION, settings.name));
        output.message(format!(
            "  MCP over HTTP  http://{bound}/mcp   (Authorization: Bearer KEY, from `mortise agents key AGENT`)"
        ));
        output.message("  MCP over stdio `mortise proxy --agent AGENT -- CMD` in place of a server's command");
        output.message(format!("  log            {}", place.log().display()));
        if gateway.shared.pipeline.snapshot().bundle.rules().next().is_none() {
            output.message("  the policies do not load: EVERY call is denied until this is mended");
            let files = govern::project::Files::read(&gateway.options.root).map_err(std::io::Error::other)?;
            if let Err(gateway::process::ConfigurationError::Invalid(found)) = gateway::process::compile(&files) {
                found.iter().for_each(|found| output.diagnostic(found));
            }
        }
        if gateway.options.dev {
            output.message("  --dev: loosening edits apply at once; every event says so");
        }
        output.message("  ready; Ctrl-C ends it");
        Ok(())
    })
}

/// Ends a gateway that was started on demand, and keeps shims from starting another. One that somebody started in the
/// foreground is that person's to end.
fn take_over(output: &Output, place: &Place) -> Result<Claim, Failure> {
    store::StateDir::open(&place.state).map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
    let claim = Claim::take(&place.state)?;
    let (running, status) = running(place)?;
    // One that has just ended gives its claim back a moment later.
    let claim = if claim.is_none() && running.is_none() { claim_soon(place)? } else { claim };
    let is_on_demand = status.get("on_demand").and_then(Value::as_bool).unwrap_or(running.is_none());
    let Some(claim) = claim.filter(|_| is_on_demand) else {
        let pid = status.get("pid").map(|pid| format!(" (process {pid})")).unwrap_or_default();
        let text = format!("`mortise up` already serves this project{pid}");
        return Err(Failure::new(Exit::Environment, text).with_help("one gateway serves a project; end that one first"));
    };
    let Some(mut running) = running else { return Ok(claim) };
    running.ask(&Request::Shutdown).map_err(crate::reach::failure)?;
    output.message("ended the gateway that was started on demand");
    for _ in 0..ENDING_LOOKS {
        if Client::connect(&place.socket()).is_err() {
            break;
        }
        std::thread::sleep(ENDING_LOOK);
    }
    Ok(claim)
}

fn claim_soon(place: &Place) -> Result<Option<Claim>, Failure> {
    for _ in 0..CLAIM_LOOKS {
        if let Some(claim) = Claim::take(&place.state)? {
            return Ok(Some(claim));
        }
        std::thread::sleep(ENDING_LOOK);
    }
    Ok(None)
}

/// The gateway that serves the project, and what it says of itself.
fn running(place: &Place) -> Result<(Option<Client>, Value), Failure> {
    let begin = Instant::now();
    while begin.elapsed() < ENDING_LOOK * ENDING_LOOKS {
        let Ok(mut client) = Client::connect(&place.socket()) else { return Ok((None, Value::Null)) };
        match client.ask(&Request::Status) {
            Ok(status) => return Ok((Some(client), status)),
            // One that is just ending takes connections until it has ended.
            Err(ClientError::Broken(_)) => std::thread::sleep(ENDING_LOOK),
            Err(error) => return Err(crate::reach::failure(error)),
        }
    }
    let text = "the gateway of this project takes connections and does not answer";
    Err(Failure::new(Exit::Environment, text)
        .with_help("`mortise doctor` says which process it is; end that one first"))
}

/// The gateway process that shims start.
pub fn gateway(output: &Output, args: &args::Gateway) -> Outcome {
    gateway::process::prepare();
    let place = Place::at(&args.root)?;
    let mut options = place.options();
    options.on_demand = args.on_demand;
    serve(options, |_| async move {
        output.message("ready");
        Ok(())
    })
}

/// What a serving process says of itself, as far as `MORTISE_LOG` asks for it.
pub(super) fn log_to_stderr() {
    let filter = std::env::var("MORTISE_LOG").unwrap_or_else(|_| "warn".to_owned());
    let subscriber = tracing_subscriber::fmt()
        .with_writer(|| Shown(std::io::stderr()))
        // Colours would be escapes among what others wrote, of which none passes.
        .with_ansi(false)
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        // Said on standard error, of all places: where that is closed, it would be a panic.
        .log_internal_errors(false)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Where each event is written as one line, in which names and reasons of others steer no terminal.
struct Shown<W>(W);

impl<W: Write> Write for Shown<W> {
    /// Takes a whole event: the subscriber hands over no part of one.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", line(text)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn serve<F, R>(options: gateway::process::Options, ready: F) -> Outcome
where
    F: FnOnce(Arc<Gateway>) -> R,
    R: Future<Output = std::io::Result<()>>,
{
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let gateway = Gateway::open(options).await.map_err(|error| start_failure(&error))?;
        ready(Arc::clone(&gateway)).await?;
        let stopping = Arc::clone(&gateway);
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stopping.stop();
        });
        gateway.serve().await?;
        Ok(Exit::Ok)
    })
}

fn start_failure(error: &StartError) -> Failure {
    let diagnostics = error.diagnostics().to_vec();
    if !diagnostics.is_empty() {
        return Failure::diagnostics(diagnostics);
    }
    let (exit, help) = match error {
        StartError::Log(store::OpenError::Locked { .. }) => {
            (Exit::Environment, "one gateway serves a project; `mortise doctor` says which one runs")
        }
        StartError::Log(store::OpenError::Key { .. }) => (
            Exit::Verification,
            "if `mortise trace verify` says ok, the key in `keys` of the state directory is another: put the log's back \
             from a copy; without it this log is read and verified, and not written: move its folder away, and a new one begins",
        ),
        StartError::Log(_) => {
            (Exit::Verification, "run `mortise trace verify`; do not delete the log before you know why")
        }
        StartError::Configuration(_) => (Exit::Configuration, "run `mortise check`"),
        _ => (Exit::Environment, "run `mortise doctor`"),
    };
    Failure::new(exit, error.to_string()).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_that_steers_nothing() {
        let mut written = Shown(Vec::new());
        written.write_all(b"WARN tool=a\x1b[2K\nERROR \xe2\x80\xaeforged\n").unwrap();
        assert_eq!(String::from_utf8(written.0).unwrap(), "WARN tool=a\\u{1b}[2K\\nERROR \\u{202e}forged\n");
    }
}
