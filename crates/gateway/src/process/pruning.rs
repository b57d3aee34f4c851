//! The beginning of the log goes when its time is over.
//!
//! Told first and done then, like payloads; how, and what a crash leaves, is in [`store::prune`].

use super::Gateway;
use super::retention::RetentionError;
use crate::sinks;
use enforce::Recorder;
use govern::project::Retention;
use store::payload::Day;
use store::prune::{self, Finished, Limits, Plan, PruneError};
use store::{LogReader, SearchIndex};
use vocab::event::{Kind, PayloadClass};

/// Days that records stay beyond their time for a sink that has not sent them.
pub(crate) const SINK_DAYS: i32 = 30;

/// Records that were removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedRecords {
    /// Up to and with this day.
    pub through: Day,
    /// Index of the first record that is there now.
    pub first: u64,
    /// How many records.
    pub records: u64,
    /// Bytes that came free.
    pub bytes: u64,
}

/// For how long a record is kept: as long as anything that it may commit to.
fn days(retention: &Retention) -> u32 {
    PayloadClass::ALL.into_iter().map(|class| retention.of(class)).fold(retention.records_days, u32::max)
}

impl Gateway {
    /// Goes on with a removal of records that a crash interrupted.
    pub(super) async fn finish_pruning(&self) -> Result<(), RetentionError> {
        let dir = self.state.log();
        if blocking(move || prune::finish(&dir)).await? == Finished::Done {
            self.forget_in_search().await;
        }
        Ok(())
    }

    /// Removes the records that are past their time on this day, as far as whole segments go. No hold stands.
    pub(super) async fn prune_records(&self, today: Day) -> Result<Option<RemovedRecords>, RetentionError> {
        let recorder = self.shared.pipeline.recorder();
        let snapshot = self.shared.pipeline.snapshot();
        let days = days(&snapshot.project.settings.retention);
        let mut event = recorder.event(Kind::StorePruned);
        // A day more than payloads: what a record of the last moment of a day commits to went before it.
        let last = today.plus(-i32::try_from(days).unwrap_or(i32::MAX).saturating_add(2));
        let (needed_from, waiting) = self.unsent()?;
        let limits = Limits { last, days, t: event.t, needed_from };
        let mut plan = self.plan(limits).await?;
        if plan.is_none() && !waiting.is_empty() {
            plan = self.plan(Limits { last: last.plus(-SINK_DAYS), needed_from: u64::MAX, ..limits }).await?;
            if plan.is_some() {
                tracing::error!(sinks = ?waiting, "records are pruned that these sinks have not sent in {SINK_DAYS} days");
                event.detail.insert("not_sent_by".to_owned(), waiting.into());
            }
        }
        let Some(plan) = plan else { return Ok(None) };
        event.text = Some("records past their time were removed; no hold stood".into());
        plan.tell(&mut event);
        let removed = RemovedRecords {
            through: plan.removed.through,
            first: plan.removed.first,
            records: plan.records(),
            bytes: plan.bytes,
        };
        let dir = self.state.log();
        blocking(move || prune::prepare(&dir, &plan)).await?;
        self.log.append_sealed(Recorder::encode(&event)?).await?;
        self.finish_pruning().await?;
        Ok(Some(removed))
    }

    async fn plan(&self, limits: Limits) -> Result<Option<Plan>, RetentionError> {
        let dir = self.state.log();
        blocking(move || prune::plan(&dir, &limits)).await
    }

    /// The first record that a sink has still to send, and the sinks that have not come to the end.
    fn unsent(&self) -> Result<(u64, Vec<String>), RetentionError> {
        let snapshot = self.shared.pipeline.snapshot();
        let (settings, size) = (&snapshot.project.settings, self.log.size());
        let (mut from, mut waiting) = (u64::MAX, Vec::new());
        for name in settings.sinks.keys() {
            let needed = sinks::needed_from(&self.state, name, &settings.log.origin, size)?;
            from = from.min(needed);
            if needed < size {
                waiting.push(name.to_string());
            }
        }
        Ok((from, waiting))
    }

    /// What the search index has of records that are gone goes with them. One that cannot be changed now is when it is used.
    async fn forget_in_search(&self) {
        let (dir, log) = (self.state.path().join("search"), self.state.log());
        let forgotten = tokio::task::spawn_blocking(move || {
            if !dir.is_dir() {
                return Ok(());
            }
            let first = LogReader::open(&log)?.first()?;
            SearchIndex::new(&dir, &log)?.forget(first)
        });
        if let Ok(Err(error)) = forgotten.await {
            tracing::warn!(%error, "the search index forgets pruned records when it is used next");
        }
    }
}

/// Files are read and made durable where nobody waits for the thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PruneError> + Send + 'static,
) -> Result<T, RetentionError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(RetentionError::Files("the work was interrupted".to_owned())),
    }
}
