//! Rotating the log's signing key.
//!
//! What happened is in the log alone: a process that ends on the way leaves a log whose next gateway goes on from there.

use super::Gateway;
use enforce::Recorder;
use proof::Verifier;
use store::{KeysError, LogError, Overlap, RotateError, begin_rotation, end_rotation};
use vocab::event::Kind;

/// Longest reason, in characters: an event has to fit a record.
const MAX_WHY: usize = 500;

/// A rotation that was begun.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The record that says so.
    pub index: u64,
    /// The key that goes.
    pub old: Verifier,
    /// The key that comes.
    pub new: Verifier,
}

/// Why the key was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The one before is not over.
    #[error("a rotation is under way: key `{0}` still signs beside the new one")]
    UnderWay(String),
    /// The new key could not be drawn, or the old one not be destroyed.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The log did not take it.
    #[error(transparent)]
    Log(#[from] RotateError),
    /// The record could not be written.
    #[error(transparent)]
    Record(#[from] LogError),
    /// Work was cut off.
    #[error("the work was interrupted")]
    Interrupted,
}

impl Gateway {
    /// Draws a new signing key for the log, and lets it sign from now on; the one before signs as well for the overlap.
    /// Returns when a checkpoint by both is over the record that says so.
    ///
    /// # Errors
    /// A rotation is under way; the key cannot be drawn; the log has failed.
    pub async fn rotate_key(&self, why: &str, overlap: Overlap) -> Result<Rotated, RotationError> {
        let _turn = self.key_turn.lock().await;
        if let Some(rotation) = self.log.rotation() {
            return Err(RotationError::UnderWay(rotation.old.id().to_string()));
        }
        let keys = self.log.keys();
        let old = keys.present().cloned().ok_or(RotationError::Interrupted)?;
        let files = self.key_files.clone();
        let next = tokio::task::spawn_blocking(move || files.draw_next());
        let next = next.await.map_err(|_| RotationError::Interrupted)??;
        let new = next.verifier();
        let mut event = self.shared.pipeline.recorder().event(Kind::KeyRotated);
        event.text = Some(why.chars().take(MAX_WHY).collect());
        begin_rotation(&mut event, &old, &new, overlap);
        let index = self.log.rotate(next, Recorder::encode(&event)?).await?;
        tracing::warn!(old = %old.id(), new = %new.id(), "the log's signing key is rotated");
        Ok(Rotated { index, old, new })
    }

    /// Ends a rotation whose overlap is over, and destroys the key that went.
    pub(super) async fn tend_rotation(&self) {
        let now = self.shared.pipeline.recorder().clock().now();
        let is_over = self.log.rotation().is_some_and(|rotation| rotation.is_over(self.log.size(), now));
        if is_over && let Err(error) = self.end_rotation().await {
            tracing::error!(%error, "the rotation of the log's signing key cannot be ended");
        }
    }

    async fn end_rotation(&self) -> Result<(), RotationError> {
        let _turn = self.key_turn.lock().await;
        let Some(rotation) = self.log.rotation() else { return Ok(()) };
        let mut event = self.shared.pipeline.recorder().event(Kind::KeyRotated);
        event.text = Some("the key before signs nothing any more".into());
        end_rotation(&mut event, &rotation.old);
        self.log.end_rotation(Recorder::encode(&event)?).await?;
        let (files, keys) = (self.key_files.clone(), self.log.keys());
        let settled = tokio::task::spawn_blocking(move || files.settle(&keys, false));
        settled.await.map_err(|_| RotationError::Interrupted)??;
        tracing::warn!(old = %rotation.old.id(), "the key before is destroyed");
        Ok(())
    }
}
