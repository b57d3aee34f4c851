//! The log, sent elsewhere while it grows.
//!
//! A sink reads the log's files, by index, like anybody could: nothing of it is on the way of a call, so a sink that is
//! slow, or gone, costs no call anything. What was acknowledged is remembered in the state directory after each batch.
//! After a restart it goes on from there, so everything arrives at least once, and twice only what was under way.
//!
//! | file | idea |
//! |---|---|
//! | `reading` | from log files to batches |
//! | `cursor` | how far a sink has come |
//! | `sending` | a sink at work: read, send, remember; again after a while when it fails |
//! | `pause` | how long that while is |
//! | `post` | a request, and whether it was taken |
//! | `ending` | the end of the gateway, and the moment that is left |
//! | `report` | what is said of a sink |
//! | `otlp`, `webhook`, `file` | one kind each, and its line in `Target` |

mod cursor;
mod ending;
mod file;
mod otlp;
mod pause;
mod post;
mod reading;
mod report;
mod sending;
mod webhook;

pub(crate) use ending::{LAST, Sinks};
pub use file::misplaced;

use crate::process::Gateway;
use govern::project::{Sink, SinkTo};
use reading::{Batch, Shape};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{StateDir, StateError};
use tokio::task::{AbortHandle, JoinSet};

/// How often it is looked whether the sinks are those of the configuration.
const LOOK: Duration = Duration::from_millis(500);

/// A way out.
enum Target {
    Otlp(otlp::Collector),
    Webhook(webhook::Hook),
    File(file::Appended),
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    /// It arrived. Some of it was not wanted: so many, and nobody is to send them again.
    Taken { rejected: u64 },
    /// It is larger than what is taken at once.
    TooLarge,
    /// It did not arrive, or nobody knows; when to try again, if that was said.
    Failed { why: String, after: Option<Duration> },
}

impl Target {
    /// # Errors
    /// It cannot be reached as it is configured.
    fn new(gateway: &Gateway, sink: &Sink) -> Result<Self, String> {
        let environment = &gateway.options.environment;
        Ok(match &sink.to {
            SinkTo::Otlp(http) => Self::Otlp(otlp::Collector::new(http, environment)?),
            SinkTo::Webhook(http) => Self::Webhook(webhook::Hook::new(http, environment)?),
            SinkTo::File(path) => Self::File(file::Appended::new(&gateway.options.root, gateway.state.path(), path)),
        })
    }

    /// How records are put together for it.
    fn shape(&self) -> Shape {
        match self {
            Self::Otlp(_) => Shape::calls(),
            Self::Webhook(_) | Self::File(_) => Shape::Rows,
        }
    }

    async fn send(&self, origin: &str, batch: &Batch) -> Sent {
        match self {
            Self::Otlp(collector) => collector.send(origin, batch).await,
            Self::Webhook(hook) => hook.send(origin, batch).await,
            Self::File(file) => file.send(origin, batch).await,
        }
    }
}

/// The first record that this sink has not sent, or has to take again, in a log of `size` records.
pub(crate) fn needed_from(state: &StateDir, sink: &str, origin: &str, size: u64) -> Result<u64, StateError> {
    Ok(cursor::Cursor::read(state, sink, origin, size)?.from)
}

impl Gateway {
    /// Keeps the sinks of the configuration at work for as long as the gateway serves.
    pub(crate) async fn follow_sinks(self: Arc<Self>) {
        // Those in it end with it.
        let mut tasks = JoinSet::new();
        let mut running: HashMap<String, (Sink, AbortHandle)> = HashMap::new();
        loop {
            let wanted = self.shared.pipeline.snapshot().project.settings.sinks.clone();
            running.retain(|name, (sink, task)| {
                let is_same = wanted.get(name) == Some(sink) && !task.is_finished();
                if !is_same {
                    task.abort();
                }
                is_same
            });
            self.sinks.reports.keep(|name| wanted.contains_key(name));
            for (name, sink) in wanted {
                running.entry(name.clone()).or_insert_with(|| {
                    // Known from here on: the end of the gateway waits for it.
                    self.sinks.reports.change(&name, sink.to.as_str(), |_| {});
                    let task = tasks.spawn(sending::run(Arc::clone(&self), name, sink.clone()));
                    (sink, task)
                });
            }
            while tasks.try_join_next().is_some() {}
            tokio::time::sleep(LOOK).await;
        }
    }
}
