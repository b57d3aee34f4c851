//! A sink at work.

use super::cursor::Cursor;
use super::ending::Ending;
use super::pause::pause;
use super::reading::{Batch, Reading};
use super::{Sent, Target};
use crate::process::Gateway;
use govern::project::Sink;
use std::sync::Arc;
use std::time::Duration;
use store::LogReader;

/// Works until aborted. Whatever fails is tried again, but while the gateway ends: then it is left for the next start.
pub(super) async fn run(gateway: Arc<Gateway>, name: String, sink: Sink) {
    let kind = sink.to.as_str();
    let mut failures = 0_u32;
    let mut ending = gateway.sinks.watch();
    loop {
        let Err(why) = work(&gateway, &name, &sink, &mut ending).await;
        failures = failures.saturating_add(1);
        failed(&gateway, &name, kind, &why);
        wait(&gateway, &name, kind, &mut ending, pause(failures, None, chance())).await;
    }
}

/// Waits before it is tried again: not at all when the gateway begins to end, and for good when it failed since.
async fn wait(gateway: &Gateway, name: &str, kind: &'static str, ending: &mut Ending, time: Duration) {
    if ending.has_come() {
        gateway.sinks.reports.change(name, kind, |report| report.gave_up = true);
        std::future::pending::<()>().await;
    }
    ending.rest(time).await;
}

/// Ends only when the log or the state cannot be used, or the target cannot be made.
async fn work(
    gateway: &Arc<Gateway>,
    name: &str,
    sink: &Sink,
    ending: &mut Ending,
) -> Result<std::convert::Infallible, String> {
    let kind = sink.to.as_str();
    let (origin, mut cursor) = blocking({
        let (state, name) = (Arc::clone(&gateway.state), name.to_owned());
        let size = gateway.log.size();
        move || {
            let origin =
                LogReader::open(&state.log()).and_then(|log| log.origin()).map_err(|error| error.to_string())?;
            let cursor = Cursor::read(&state, &name, &origin, size).map_err(|error| error.to_string())?;
            Ok((origin, cursor))
        }
    })
    .await?;
    // How far it is behind is known also where what it sends to cannot be used.
    gateway.sinks.reports.change(name, kind, |report| report.next = cursor.next);
    let target = Target::new(gateway, sink)?;
    let open = |cursor: &Cursor| {
        let (state, cursor, shape) = (Arc::clone(&gateway.state), cursor.clone(), target.shape());
        blocking(move || Reading::open(&state.log(), shape, &cursor).map_err(|error| error.to_string()))
    };
    let mut reading = open(&cursor).await?;
    let mut most = sink.batch;
    loop {
        let size = gateway.log.size();
        let (back, batch) = blocking(move || {
            let batch = reading.batch(most, size).map_err(|error| error.to_string())?;
            Ok((reading, batch))
        })
        .await?;
        reading = back;
        if batch.pruned > 0 {
            let pruned = batch.pruned;
            tracing::error!(sink = name, pruned, "records were pruned before they could be sent");
            gateway.sinks.reports.change(name, kind, |report| report.pruned += pruned);
        }
        let (is_full, is_new) = (batch.is_full, batch.next > cursor.next);
        if batch.len() > 0 && !deliver(gateway, (name, kind), &target, &origin, &batch, ending).await {
            // Less of it at once: read again from where it was, as after a restart.
            most = (most / 2).max(1);
            reading = open(&cursor).await?;
            continue;
        }
        if is_new {
            (cursor.next, cursor.from) = (batch.next, batch.from);
            let (state, sink, there) = (Arc::clone(&gateway.state), name.to_owned(), cursor.clone());
            blocking(move || there.write(&state, &sink)).await?;
            gateway.sinks.reports.change(name, kind, |report| report.next = cursor.next);
        }
        if !is_full {
            ending.rest(Duration::from_secs(sink.every_s)).await;
        }
    }
}

/// Sends a batch until it is taken. False when it is more than what is taken at once, and can be less.
async fn deliver(
    gateway: &Gateway,
    (name, kind): (&str, &'static str),
    target: &Target,
    origin: &str,
    batch: &Batch,
    ending: &mut Ending,
) -> bool {
    let mut failures = 0_u32;
    loop {
        let after = match target.send(origin, batch).await {
            Sent::Taken { rejected } => {
                let now = gateway.shared.pipeline.recorder().clock().now();
                if rejected > 0 {
                    tracing::warn!(sink = name, rejected, "the receiver did not want some of what it was sent");
                }
                gateway.sinks.reports.change(name, kind, |report| {
                    report.arrived_us = Some(now);
                    report.failure = None;
                    report.rejected += rejected;
                });
                return true;
            }
            Sent::TooLarge if batch.len() > 1 => return false,
            Sent::TooLarge => {
                failed(gateway, name, kind, "a single record is more than the receiver takes");
                None
            }
            Sent::Failed { why, after } => {
                failed(gateway, name, kind, &why);
                after
            }
        };
        failures = failures.saturating_add(1);
        wait(gateway, name, kind, ending, pause(failures, after, chance())).await;
    }
}

fn failed(gateway: &Gateway, name: &str, kind: &'static str, why: &str) {
    tracing::warn!(sink = name, why, "not sent; it is tried again");
    gateway.sinks.reports.change(name, kind, |report| report.failure = Some(why.to_owned()));
}

/// Chance for pauses. Without any, all of them are the shortest.
fn chance() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// Files are read and made durable where nobody waits for the thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err("reading the log was interrupted".to_owned()))
}
