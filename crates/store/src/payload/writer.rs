//! The thread that makes the blocks of one class durable: group commit, as for records.

use super::{Place, day::Day, turn::Turn, unit::UnitWriter};
use crate::{
    Clock, LogError,
    log::{
        error::reason,
        manners,
        medium::Medium,
        queue::{Append, KillOnExit, Queue},
    },
};
use std::sync::Arc;
use vocab::event::PayloadClass;

/// Takes what waits, writes it at once, answers. A new day begins a new unit.
pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) medium: Arc<dyn Medium>,
    pub(crate) place: Place,
    pub(crate) class: PayloadClass,
    pub(crate) segment_bytes: u64,
    pub(crate) clock: Clock,
    pub(crate) turn: Turn,
    pub(crate) unit: Option<UnitWriter>,
}

impl Writer {
    /// Runs until the queue ends.
    pub(crate) fn run(mut self) {
        let _guard = KillOnExit(Arc::clone(&self.queue));
        manners::interrupt_nobody();
        while let Some(mut appends) = self.queue.take() {
            if let Err(reason) = self.commit(&appends) {
                self.queue.kill(Arc::clone(&reason));
                for append in &mut appends {
                    append.answer(Err(LogError::Dead(Arc::clone(&reason))));
                }
                return;
            }
            for append in &mut appends {
                append.answer(Ok(0..0));
            }
            self.queue.release(appends.iter().map(Append::bytes).sum());
        }
        let last = self.unit.take();
        self.end(last);
    }

    fn commit(&mut self, appends: &[Append]) -> Result<(), Arc<str>> {
        let today = Day::of(self.clock.now());
        let unit = match self.unit.take() {
            Some(unit) if unit.day == today => self.unit.insert(unit),
            ended => {
                self.end(ended);
                let dir = self.place.unit(self.class, today);
                let open = || UnitWriter::open(Arc::clone(&self.medium), &dir, today, self.segment_bytes);
                let unit = self.turn.open(&dir, open);
                self.unit.insert(unit.map_err(|error| reason("a day of payloads cannot be begun", &error))?)
            }
        };
        for record in appends.iter().flat_map(|append| &append.records) {
            unit.writer().add(record)?;
        }
        unit.writer().commit()?;
        unit.writer().prepare();
        Ok(())
    }

    fn end(&self, unit: Option<UnitWriter>) {
        let Some(unit) = unit else { return };
        let dir = self.place.unit(self.class, unit.day);
        if let Err(error) = unit.close() {
            tracing::warn!(%error, "a day of payloads keeps its unused room");
        }
        self.turn.closed(&dir);
    }
}
