//! `mortise witness`: cosigns the checkpoints of logs that only grow.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use gateway::witness::{Settings, serve};
use proof::{KeyName, Verifier};
use store::{Clock, Witness, WitnessError};
use tokio::signal::unix::{SignalKind, signal};
use vocab::Exit;

/// Serves in the foreground.
pub fn run(output: &Output, args: &args::Witness) -> Outcome {
    let usage = |text: String| Failure::new(Exit::Usage, text);
    let name = KeyName::parse(&args.name).map_err(|error| usage(format!("`--name {}`: {error}", args.name)))?;
    let mut logs = Vec::new();
    for vkey in &args.logs {
        let log = Verifier::from_vkey(vkey).map_err(|error| {
            usage(format!("`--log {vkey}`: {error}")).with_help("it is the one line of `vkey` in the log's directory")
        })?;
        logs.push(log);
    }
    let witness = Witness::open(&args.dir, &name).map_err(|error| {
        let failure = Failure::new(Exit::Environment, error.to_string());
        match error {
            WitnessError::Locked { .. } => failure.with_help("end that one first, or name another `--dir`"),
            _ => failure,
        }
    })?;
    let vkey = witness.vkey();
    super::up::log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen)
            .await
            .map_err(|error| Failure::new(Exit::Environment, format!("cannot listen at {}: {error}", args.listen)))?;
        let bound = listener.local_addr()?;
        output.message(format!("mortise {} cosigns", vocab::MORTISE_VERSION));
        for log in &logs {
            output.message(format!("  {}", log.name()));
        }
        output.message(format!("  at   http://{bound}/add-checkpoint"));
        output.message("  with the key that gateways and auditors pin:");
        output.line(&vkey);
        let (mut interrupted, mut ended) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let shutdown = async {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = ended.recv() => {}
            }
        };
        let settings = Settings { witness, logs, clock: Clock::system() };
        serve(listener, settings, shutdown).await.map_err(|error| usage(error.to_string()))?;
        Ok(Exit::Ok)
    })
}
